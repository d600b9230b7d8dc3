"""Reading a config file: every mistake at once, before anything runs."""

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from llmops.configs.mistakes import explain, joined
from llmops.configs.models import IndexConfig
from llmops.configs.reading import apply, load_yaml
from llmops.configs.secrets import hidden
from llmops.configs.settings import load_env
from llmops.tasks.errors import ConfigError, Mistake, UsageError
from llmops.tasks.plugins import Plugin, Spec, find
from llmops.tasks.plugins.chunkers import Chunker
from llmops.tasks.plugins.cleaners import Cleaner
from llmops.tasks.plugins.embedders import Embedder
from llmops.tasks.plugins.sources import Source
from llmops.tasks.plugins.stores import Store

FOLDER = Path(__file__).parent
FLOWS = {"index": IndexConfig}
ELSEWHERE = {"evaluate": "llmops evaluate runs it", "compare": "llmops kb compare runs it"}


def read(path: Path, overrides: Iterable[str] = ()) -> IndexConfig:
    """The config in a YAML file, with `key.path=value` overrides applied. Raises ConfigError with
    every mistake.
    """
    load_env(path.absolute().parent)
    content = hidden(_named(override(load_yaml(path), overrides)))
    flow = content.get("flow")
    if not isinstance(flow, str) or flow not in FLOWS:
        raise ConfigError(
            [
                Mistake(
                    f"got {flow!r}, allowed: {', '.join((*FLOWS, *ELSEWHERE))}"
                    if "flow" in content
                    else "the key 'flow' is missing",
                    where=f"{path}: flow",
                    hint=ELSEWHERE.get(
                        str(flow), "a config begins with a line such as `flow: index`"
                    ),
                )
            ]
        )
    found = _plugin_mistakes(content, str(path))
    if "folder" in content:
        found.append(
            Mistake(
                "unknown key 'folder'",
                where=f"{path}: folder",
                hint="relative paths start at the config file's folder",
            )
        )
    try:
        config = FLOWS[flow].model_validate({**content, "folder": path.absolute().parent})
    except ValidationError as error:
        own = [
            mistake
            for mistake in explain(error, FLOWS[flow], str(path), raw=content)
            if not any(mistake.where.startswith(one.where) for one in found)
        ]
        raise ConfigError(own + found) from error
    found += _file_mistakes(config, str(path)) + (
        [] if found else _size_mistakes(config, str(path))
    )
    if found:
        raise ConfigError(found)
    return config


def override(content: dict[str, Any], changes: Iterable[str]) -> dict[str, Any]:
    """Apply `chunk.size=300`, `sources.0.path=docs`; values are read as YAML. Raises
    ConfigError.
    """
    return apply(content, changes, _defaults())


def _defaults() -> dict[str, dict[str, Any]]:
    """The plugins that serve where a config names none, in the short form."""
    return {
        name: field.default.short()
        for name, field in IndexConfig.model_fields.items()
        if isinstance(field.default, Spec)
    }


def _named(content: dict[str, Any]) -> dict[str, Any]:
    """`chunk: {size: 100}` means the default chunker."""
    for key, default in _defaults().items():
        if isinstance(content.get(key), dict) and "name" not in content[key]:
            content[key] = {"name": default["name"], **content[key]}
    return content


def _plugin_mistakes(content: dict[str, Any], where: str) -> list[Mistake]:
    slots: list[tuple[type[Plugin], list[int | str], object]] = [
        (Chunker, ["chunk"], content.get("chunk")),
        (Embedder, ["embed"], content.get("embed")),
        (Store, ["store"], content.get("store")),
    ]
    for family, key in ((Source, "sources"), (Cleaner, "clean")):
        entries = content.get(key)
        slots += [
            (family, [key, n], entry)
            for n, entry in enumerate(entries if isinstance(entries, list) else [])
        ]
    return [
        mistake
        for family, path, entry in slots
        if entry is not None
        for mistake in plugin_mistakes(entry, family, joined(where, path))
    ]


def plugin_mistakes(entry: object, family: type[Plugin], where: str) -> list[Mistake]:
    """What is wrong with one plugin's entry; none when it can be built."""
    try:
        spec = Spec.model_validate(entry)
    except ValidationError:
        return [
            Mistake(
                f"a plugin's name is wanted, got {entry!r}",
                where=where,
                hint="write {name: …, option: …}",
                kind="plugin",
            )
        ]
    try:
        spec.build(family)
    except ConfigError as error:
        return [
            Mistake(
                m.message,
                where=f"{where}.{m.where}" if m.where else where,
                hint=m.hint,
                kind=m.kind,
            )
            for m in error.found
        ]
    except ValidationError as error:
        plugin = find(family.family, spec.name)
        return explain(error, plugin, f"{where}.", raw=spec.options)
    return []


def _file_mistakes(config: IndexConfig, where: str) -> list[Mistake]:
    from llmops.tasks.retrieval.golden import read_golden
    from llmops.tasks.validation import read_suite

    found: list[Mistake] = []
    files: list[tuple[Callable[[Path], object], Path | None, str]] = [
        (read_suite, config.expectations, "expectations"),
        (read_golden, config.gate.golden if config.gate else None, "gate.golden"),
    ]
    for reader, file, key in files:
        if file is None:
            continue
        if not (config.folder / file).is_file():
            found.append(Mistake(f"no such file: {config.folder / file}", where=f"{where}: {key}"))
            continue
        try:
            reader(config.folder / file)
        except ConfigError as error:
            found += error.found
    return found


def _size_mistakes(config: IndexConfig, where: str) -> list[Mistake]:
    size, limit = config.chunk.build(Chunker).size, config.embed.build(Embedder).max_tokens
    if size <= limit:
        return []
    return [
        Mistake(
            f"{size} tokens are more than {config.embed.name} takes in",
            where=f"{where}: chunk.size",
            hint=f"allowed: 8 to {limit}",
        )
    ]


def check_all(paths: Iterable[Path]) -> list[str]:
    """Read every config in files and folders (of folders: each YAML file with a `flow` key). Raises
    ConfigError with all mistakes.
    """
    found: list[Mistake] = []
    checked = []
    for path in paths:
        files = _configs(path) if path.is_dir() else [path]
        for file in files:
            try:
                _check(file)
                checked.append(str(file))
            except ConfigError as error:
                found += error.found
        if not files:
            found.append(
                Mistake(
                    "no config in this folder",
                    where=str(path),
                    hint="a config is a YAML file with a line such as `flow: index`",
                )
            )
    if found:
        raise ConfigError(found)
    return checked


def _check(file: Path) -> None:
    kind = load_yaml(file).get("flow")
    if kind == "compare":
        from llmops.configs.grids import read_grid

        read_grid(file)
    elif kind == "evaluate":
        from llmops.configs.evaluating import read_evaluation

        read_evaluation(file)
    else:
        _sources_exist(read(file), str(file))


def _configs(folder: Path) -> list[Path]:
    """The configs below a folder; hidden files are passed over."""
    files = sorted(folder.rglob("*.y*ml"))
    shown = [path for path in files if not re.search(r"(^|/)\.", str(path.relative_to(folder)))]
    return [path for path in shown if _is_config(path)]


def _is_config(file: Path) -> bool:
    try:
        return "flow" in load_yaml(file)
    except ConfigError:
        return True


def _sources_exist(config: IndexConfig, where: str) -> None:
    found = []
    for number, spec in enumerate(config.sources):
        try:
            spec.build(Source).at(config.folder).check()
        except UsageError as error:
            found.append(
                Mistake(error.message, where=f"{where}: sources[{number}]", hint=error.hint)
            )
    if found:
        raise ConfigError(found)
