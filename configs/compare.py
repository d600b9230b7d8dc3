"""A grid: one index config with some of its keys varied, to be measured side by side."""

import itertools
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, ClassVar, Literal, NamedTuple

from pydantic import Field, field_validator

from llmops.configs.index import IndexConfig
from llmops.configs.reading import load_yaml, read
from llmops.configs.section import Files, FlowConfig, Slots
from llmops.tasks.errors import ConfigError, Mistake
from llmops.tasks.plugins import Spec, canonical, digest
from llmops.tasks.plugins.rerankers import Reranker
from llmops.tasks.retrieval.golden import read_golden

MOST_ARMS = 50
Key = Annotated[str, Field(pattern=r"^(chunk|embed|clean|store|parse|fields)(\.\w+)*$")]


Changes = dict[str, object]
"""Values by the keys of the base config that they replace."""


class CompareConfig(FlowConfig):
    """The config of `kb compare`: `grid` maps keys of the base config to the values that are tried,
    every combination once.
    """

    plugins: ClassVar[Slots] = {"rerank.*": Reranker}
    files: ClassVar[Files] = {"base": load_yaml, "golden": read_golden}
    flow: Literal["compare"]
    name: str = Field(pattern=r"^[a-z][a-z0-9-]{0,40}$")
    base: Path
    golden: Path
    k: int = Field(default=10, ge=1, le=1000)
    mode: Literal["hybrid", "vector", "text"] = "hybrid"
    grid: Mapping[Key, Annotated[list[object], Field(min_length=1)]] = Field(min_length=1)
    rerank: list[Spec] = Field(
        default=[], description="each combination is measured again with each of these rerankers"
    )
    keep: bool = False

    @field_validator("grid")
    @classmethod
    def _some_arms(cls, value: Mapping[str, list[object]]) -> Mapping[str, list[object]]:
        count = math.prod(len(tried) for tried in value.values())
        if not 2 <= count <= MOST_ARMS:
            raise ValueError(f"the grid has {count} combinations; allowed: 2 to {MOST_ARMS}")
        return value

    def conflicts(self, where: str) -> list[Mistake]:
        """The mistakes of every arm, where there is a base."""
        del where
        try:
            load_yaml(self.folder / self.base)
        except ConfigError:
            return []
        try:
            arms(self)
        except ConfigError as error:
            return error.found
        return []

    def combinations(self) -> list[Changes]:
        """What each arm changes, in the order of the file: the last key varies fastest."""
        return [
            dict(zip(self.grid, values, strict=True))
            for values in itertools.product(*self.grid.values())
        ]


class ArmConfig(NamedTuple):
    """One combination of a grid: its name, what it changes, and the config that it makes."""

    name: str
    changes: Changes
    config: IndexConfig


def arms(config: CompareConfig) -> list[ArmConfig]:
    """Each arm, with a knowledge base of its own, the same one in every run. Raises ConfigError
    with the mistakes of all.
    """
    made: list[ArmConfig] = []
    mistakes: list[Mistake] = []
    for changes in config.combinations():
        name, kb = label(changes), f"{config.name}-{digest(canonical(changes))[:8]}"
        overrides = [
            f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in changes.items()
        ]
        overrides += [f"knowledge_base={kb}", "gate=null"]
        try:
            index = read(config.folder / config.base, IndexConfig, overrides)
            made.append(ArmConfig(name, changes, index))
        except ConfigError as error:
            mistakes += [
                Mistake(one.message, f"arm {name}: {one.where}", one.hint, one.kind)
                for one in error.found
            ]
    if mistakes:
        raise ConfigError(mistakes)
    return made


def label(changes: Changes) -> str:
    """A short name: `sentence size=200, hash`."""
    return ", ".join(_short(key, value) for key, value in changes.items())


def _short(key: str, value: object) -> str:
    if isinstance(value, Mapping):
        options = " ".join(f"{name}={one}" for name, one in value.items() if name != "name")
        return f"{value.get('name', key)} {options}".strip()
    return str(value) if "." not in key else f"{key.rpartition('.')[2]}={value}"
