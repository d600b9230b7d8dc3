"""Configs that name an application which no config beside them serves: mostly a slip of the pen."""

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from llmops.configs.reading import Content, load_yaml
from llmops.configs.section import places
from llmops.tasks.errors import ConfigError, did_you_mean

NAMED = ("app", "rules.*.app", "collect.*.app")
"""Where configs of other flows name an application."""


def unserved_apps(files: Sequence[Path], known: Collection[str]) -> Iterator[str]:
    """A sentence for each such name. `known`: those that have answered, wherever their configs are;
    where no application is served beside a config, any name may be right.
    """
    for file in files:
        content = _content(file)
        if content.get("flow") == "serve" or content.get("traffic"):
            continue  # traffic from a file may be that of any application
        beside = {*files, *file.absolute().parent.glob("*.y*ml")}
        served = sorted({name for each in beside for name in _served(each)})
        for where, name in _named(content):
            if served and name not in {*served, *known}:
                meant = did_you_mean(name, served) or f"applications: {', '.join(served)}"
                told = f"no config here serves the application {name!r}, and it has no traces here"
                yield f"{file}: {where}: {told} ({meant})"


def _named(content: Content) -> Iterator[tuple[str, str]]:
    for pattern in NAMED:
        for place, name in places(content, pattern):
            if isinstance(name, str):
                yield ".".join(map(str, place)), name


def _served(file: Path) -> list[str]:
    content = _content(file)
    name = content.get("app") if content.get("flow") == "serve" else None
    return [name] if isinstance(name, str) else []


def _content(file: Path) -> Content:
    """Nothing of a file that is no config: whoever reads it as one says what is wrong."""
    try:
        return load_yaml(file)
    except ConfigError:
        return {}
