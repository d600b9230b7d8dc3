"""A grid: one index config with some of its keys varied, to be measured side by side."""

import itertools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from llmops.configs import read
from llmops.configs.mistakes import explain
from llmops.configs.models import IndexConfig, Section
from llmops.configs.reading import load_yaml
from llmops.tasks.errors import ConfigError, Mistake
from llmops.tasks.plugins import canonical, digest

MOST_ARMS = 50
Key = Annotated[str, Field(pattern=r"^(chunk|embed|clean|store|parse|fields)(\.\w+)*$")]


class CompareConfig(Section):
    """The config of `kb compare`: `grid` maps keys of the base config to the values that are tried,
    every combination once.
    """

    flow: Literal["compare"]
    name: str = Field(pattern=r"^[a-z][a-z0-9-]{0,40}$")
    base: Path
    golden: Path
    k: int = Field(default=10, ge=1, le=1000)
    mode: Literal["hybrid", "vector", "text"] = "hybrid"
    grid: Mapping[Key, Annotated[list[Any], Field(min_length=1)]] = Field(min_length=1)
    keep: bool = False
    folder: Path = Path()

    def combinations(self) -> list[dict[str, Any]]:
        """What each arm changes, in the order of the file: the last key varies fastest."""
        return [
            dict(zip(self.grid, values, strict=True))
            for values in itertools.product(*self.grid.values())
        ]


def read_grid(path: Path) -> CompareConfig:
    """The grid in a YAML file. Raises ConfigError with every mistake, also of every arm."""
    content = load_yaml(path)
    try:
        config = CompareConfig.model_validate({**content, "folder": path.absolute().parent})
    except ValidationError as error:
        raise ConfigError(explain(error, CompareConfig, str(path), raw=content)) from error
    found = [
        Mistake(f"no such file: {config.folder / file}", where=f"{path}: {key}")
        for key, file in (("base", config.base), ("golden", config.golden))
        if not (config.folder / file).is_file()
    ]
    count = len(config.combinations())
    if not 2 <= count <= MOST_ARMS:
        found.append(
            Mistake(
                f"the grid has {count} combinations; allowed: 2 to {MOST_ARMS}",
                where=f"{path}: grid",
            )
        )
    if found:
        raise ConfigError(found)
    arms(config)
    return config


def arms(config: CompareConfig) -> list[tuple[str, dict[str, Any], IndexConfig]]:
    """(name, what it changes, config) of each arm. Each has a knowledge base of its own, the same
    one in every run.
    """
    found = []
    mistakes: list[Mistake] = []
    for changes in config.combinations():
        kb = f"{config.name}-{digest(canonical(changes))[:8]}"
        overrides = [
            f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in changes.items()
        ]
        try:
            found.append(
                (
                    label(changes),
                    changes,
                    read(
                        config.folder / config.base,
                        [*overrides, f"knowledge_base={kb}", "gate=null"],
                    ),
                )
            )
        except ConfigError as error:
            mistakes += [
                Mistake(one.message, f"arm {label(changes)}: {one.where}", one.hint, one.kind)
                for one in error.found
            ]
    if mistakes:
        raise ConfigError(mistakes)
    return found


def label(changes: Mapping[str, Any]) -> str:
    """A short name: `sentence size=200, hash`."""
    return ", ".join(_short(key, value) for key, value in changes.items())


def _short(key: str, value: Any) -> str:
    if isinstance(value, Mapping):
        options = " ".join(f"{name}={one}" for name, one in value.items() if name != "name")
        return f"{value.get('name', key)} {options}".strip()
    return str(value) if "." not in key else f"{key.rpartition('.')[2]}={value}"
