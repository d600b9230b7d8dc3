"""One model per flow (`index.py`, …), one `read` for all of them, and the files that are shipped.

A flow more is one model in a file of its own, and one line in `reading.FLOWS`.
"""

import re
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from llmops.tasks.errors import ConfigError, Mistake

if TYPE_CHECKING:
    from llmops.configs.reading import read, read_mapping
    from llmops.configs.section import FlowConfig

__all__ = ["FOLDER", "check_all", "read", "read_mapping"]
FOLDER = Path(__file__).parent


def __getattr__(name: str) -> object:
    """What reads configs is imported when it is used: most commands want the settings alone."""
    if name not in ("read", "read_mapping"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from llmops.configs import reading

    return getattr(reading, name)


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
        raise ConfigError(list(dict.fromkeys(found)))
    return checked


def _check(file: Path) -> None:
    from llmops.configs.reading import FLOWS, load_yaml, read

    flow = load_yaml(file).get("flow")
    name = flow if isinstance(flow, str) and flow in FLOWS else "index"
    model: type[FlowConfig] = getattr(import_module(f"{__name__}.{name}"), FLOWS[name].model)
    read(file, model, outside=True)


def _configs(folder: Path) -> list[Path]:
    """The configs below a folder; hidden files are passed over."""
    files = sorted(folder.rglob("*.y*ml"))
    shown = [path for path in files if not re.search(r"(^|/)\.", str(path.relative_to(folder)))]
    return [path for path in shown if _is_config(path)]


def _is_config(file: Path) -> bool:
    from llmops.configs.reading import load_yaml

    try:
        return "flow" in load_yaml(file)
    except ConfigError:
        return True
