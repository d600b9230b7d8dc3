"""Trainers: what was judged or exported in, a model's files out. Whether a model is served is
decided elsewhere, by a gate.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal, NamedTuple, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field, field_validator

from llmops.tasks.plugins import Plugin
from llmops.tasks.schemas import Vectors

Kind = Literal["ranking", "embedder", "llm"]
Step = Callable[[int, Mapping[str, float]], None]
"""(number of the step, counted from 0; metric -> value): called while a training runs."""


class Payment(NamedTuple):
    """What a job at a service came to. `key`: of the job: told twice, it is counted once.
    `priced`: whether the price was known.
    """

    key: str
    tokens: int
    cost_usd: float
    priced: bool = True


def silent(number: int, metrics: Mapping[str, float]) -> None:
    """Tells nobody."""


def unpaid(payment: Payment) -> None:
    """Where nothing is paid."""


@dataclass(frozen=True)
class JudgedPairs:
    """Questions and the passages that answer them, as vectors of length 1.

    `queries` of shape (n, dimension), `passages` of shape (m, dimension). `relevant` of shape
    (pairs, 2): a row of `queries` and one of `passages` each; every question has at least one.
    """

    queries: Vectors
    passages: Vectors
    relevant: npt.NDArray[np.int64]


@dataclass(frozen=True)
class TrainingData:
    """What a trainer learns from. `files`: split (train, validation) -> exported file in a format
    of `Trainer.formats`; `pairs`: of those that learn from judged questions. `sha256`: of the
    version of the data set, which a model keeps. `name`: of data set and version, as in
    helpdesk-v3; `format`: of the files; `beside`: what lies beside them, by name; `tokens`: of each
    split, by the tokenizer of the data set; `longest`: record, in tokens, 0 where nobody counted.
    """

    sha256: str
    files: Mapping[str, Path] = field(default_factory=dict)
    pairs: JudgedPairs | None = None
    name: str = ""
    format: str = ""
    beside: Mapping[str, Path] = field(default_factory=dict)
    tokens: Mapping[str, int] = field(default_factory=dict)
    longest: int = 0


class TrainingCost(NamedTuple):
    """What a training has still to pay: tokens that are trained on, in all epochs, and US dollars;
    None where nobody knows the price.
    """

    tokens: int
    cost_usd: float | None


@dataclass(frozen=True)
class TrainingRun:
    """Where a training writes, and whom it tells how it goes. `folder`: of this training alone, the
    same when it is taken up again after a crash: checkpoints lie there. `paid` is told what a
    service took.
    """

    folder: Path
    step: Step
    paid: Callable[[Payment], None] = unpaid


@dataclass(frozen=True)
class TrainedModel:
    """`files`: in the run's folder, relative to it, the first one that which is loaded; they are
    recorded, so a model that is a folder is not among them. `figures`: what the trainer itself
    measured, such as the loss. `model`: its name where it is served, or its path; "" where only
    files were written, and `remark` says what is left to do. `llm`, `embed`: how configs name it as
    a language model, or as an embedder, with its path in the run's folder where it is a file;
    `base`: the model that it was made from, in the same form. `warnings`: what was left out, or
    done to rows.
    """

    files: tuple[str, ...]
    figures: Mapping[str, float] = field(default_factory=dict)
    model: str = ""
    remark: str = ""
    llm: Mapping[str, object] = field(default_factory=dict)
    embed: Mapping[str, object] = field(default_factory=dict)
    base: Mapping[str, object] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


class Trainer(Plugin, ABC):
    """`kind`: what it makes: the ranking of a knowledge base, an embedder, or a language model.
    `formats`: the exporters whose files it can learn from, the best first; none where it learns
    from judged questions.
    """

    family: ClassVar[str] = "trainers"
    kind: ClassVar[Kind]
    formats: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def train(self, data: TrainingData, run: TrainingRun) -> TrainedModel:
        """Train, and write the model into the run's folder. Equal data and options give equal
        files. Raises LlmopsError where the data give nothing to learn from.
        """


class DatasetTrainer(Trainer):
    """One that learns from exported files. `parts`: which of a format's files it reads, by what
    their names add to the split's; "" is the main one.
    """

    parts: ClassVar[tuple[str, ...]] = ("",)
    askable: ClassVar[bool] = True
    """Whether a plugin of the house can load or ask what it makes: the gate has to."""
    dataset: str | None = Field(default=None, pattern=r"^[a-z][a-z0-9-]{0,62}$")
    """The published data set to learn from; without it, the one of the config's name."""
    version: int | None = Field(default=None, ge=1)
    """Which version of the data set; without it, the newest."""
    format: str | None = None
    """Which of the data set's exports is read; without it, the first one that the trainer takes."""

    @field_validator("format")
    @classmethod
    def _is_read(cls, value: str | None) -> str | None:
        if value is not None and value not in cls.formats:
            raise ValueError(f"allowed: {', '.join(cls.formats)}")
        return value

    def at(self, folder: Path) -> Self:
        """The same, with relative paths that start in `folder`: that of the config."""
        del folder
        return self

    def identity(self) -> str:
        """What the model depends on: a training of equal data and identity is taken up again, not
        begun anew.
        """
        return self.fingerprint()

    def forecast(self, data: TrainingData, folder: Path) -> TrainingCost | None:
        """What it has still to pay; `folder`: that of its run. None where nothing is paid."""
        del data, folder
        return None

    def check(self, data: TrainingData) -> None:
        """Raises ConfigError where the files are not what the target takes."""
        del data
