"""A small sweep: which options of a trainer are tried, and how the best of them is chosen, on the
validation split alone.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean

from pydantic import BaseModel, ConfigDict, Field, model_validator

from llmops.tasks.errors import LlmopsError
from llmops.tasks.plugins import Spec, canonical

MOST = 12
JUDGED_BY = ("eval_loss", "validation_loss", "full_valid_loss", "valid_loss")
"""Figures of trainers on the validation split; the first one that a model has decides."""
LESS_IS_BETTER = ("loss", "perplexity", "error")


class SweepPoint(BaseModel):
    """One training of a sweep. `options`: what it tries; `seed` None: the trainer's own."""

    model_config = ConfigDict(frozen=True)
    options: dict[str, object]
    seed: int | None = None
    spec: Spec

    @property
    def title(self) -> str:
        seed = {} if self.seed is None else {"seed": self.seed}
        return ", ".join(f"{name}={value}" for name, value in {**self.options, **seed}.items())


class SweepRow(BaseModel):
    """What a point came to. `value`: on the validation split."""

    model_config = ConfigDict(frozen=True)
    options: dict[str, object]
    seed: int | None
    value: float
    figures: dict[str, float] = Field(default_factory=dict)
    model: str | None = None
    folder: str = ""
    cost_usd: float = 0.0
    seconds: float = 0.0
    mlflow_run_id: str | None = None
    chosen: bool = False


class SweepTable(BaseModel):
    """A sweep in the outcome. `metric`: by which was chosen, and whether more of it is better;
    `trained`: in this run, the others were there already.
    """

    model_config = ConfigDict(frozen=True)
    metric: str
    higher_is_better: bool
    trained: int
    points: tuple[SweepRow, ...]


class Sweep(BaseModel):
    """`over`: lists of values by the trainer's options; every combination is trained, with each of
    `seeds`, and at most `most` trainings in all. `metric`: a figure of the trainer on the
    validation split, its loss there where none is named.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    over: dict[str, list[object]] = Field(default_factory=dict)
    seeds: list[int] = Field(default_factory=list)
    most: int = Field(default=MOST, ge=1, le=1_000)
    metric: str | None = None

    @model_validator(mode="after")
    def _small(self) -> "Sweep":
        if empty := [name for name, values in self.over.items() if not values]:
            raise ValueError(f"over.{empty[0]} has no values: give a list such as [1, 3]")
        if twice := [name for name, values in self.over.items() if _twice(values)]:
            raise ValueError(f"a value of over.{twice[0]} stands there twice")
        if _twice(self.seeds):
            raise ValueError("one of seeds stands there twice")
        if "seed" in self.over:
            raise ValueError("over.seed: chance is no parameter; list seeds under `seeds`")
        if wrong := sorted({"name", "dataset", "version"} & set(self.over)):
            raise ValueError(f"over.{wrong[0]} cannot vary: all points learn from one data set")
        if self.count < 2:
            raise ValueError("a sweep tries at least 2: give lists under `over`, or `seeds`")
        if self.count > self.most:
            raise ValueError(
                f"{self.count} trainings are more than {self.most}: try less, or raise `most`"
            )
        return self

    @property
    def count(self) -> int:
        """How many trainings."""
        found = max(1, len(self.seeds))
        for values in self.over.values():
            found *= len(values)
        return found

    def points(self, trainer: Spec) -> Iterator[SweepPoint]:
        """In the order of the file, the last option varying fastest, then the seed."""
        for values in itertools.product(*self.over.values()):
            options = dict(zip(self.over, values, strict=True))
            seeds: Sequence[int | None] = self.seeds or [None]
            for seed in seeds:
                given = {**trainer.options, **options, **({} if seed is None else {"seed": seed})}
                spec = Spec(name=trainer.name, options=given)
                yield SweepPoint(options=options, seed=seed, spec=spec)

    def judged_by(self, figures: Mapping[str, float]) -> str:
        """The figure that decides. Raises LlmopsError where a model has none."""
        wanted = (self.metric,) if self.metric else JUDGED_BY
        found = next((name for name in wanted if name in figures), None)
        if found is None:
            there = ", ".join(sorted(figures)) or "none"
            raise LlmopsError(
                f"the trainer gives no figure {' or '.join(wanted)} by which a sweep could choose",
                hint=f"name one in train.sweep.metric; it gives {there}. It must be measured on "
                "the validation split, which the data set must have",
            )
        return found


def higher_is_better(metric: str) -> bool:
    return not any(word in metric.lower() for word in LESS_IS_BETTER)


def best(rows: Sequence[SweepRow], metric: str) -> int:
    """The place of the row that is chosen: of the options that are best on average over seeds, the
    best seed. What comes first stays where two are equal.
    """
    sign = 1.0 if higher_is_better(metric) else -1.0
    by_options: dict[str, list[float]] = {}
    for row in rows:
        by_options.setdefault(canonical(row.options), []).append(sign * row.value)
    means = {key: fmean(values) for key, values in by_options.items()}
    return max(
        range(len(rows)),
        key=lambda n: (means[canonical(rows[n].options)], sign * rows[n].value, -n),
    )


def _twice(values: Sequence[object]) -> bool:
    return len({canonical(value) for value in values}) < len(values)
