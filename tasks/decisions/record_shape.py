"""What of a record is shown to people: whoever is handed a file from elsewhere learns what it
lacks, before half of it is printed.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError, model_validator

from llmops.tasks.decisions.record_check import evidence_of, first
from llmops.tasks.decisions.verdict import Word
from llmops.tasks.errors import Damaged

SHOWN = 5
Ends = Annotated[list[FiniteFloat], Field(min_length=2, max_length=2)]


class Strict(BaseModel):
    model_config = ConfigDict(strict=True)


class Prompt(Strict):
    uri: str


class Measure(Strict):
    value: FiniteFloat
    interval: Ends


class Latency(Strict):
    p50: FiniteFloat | None
    p95: FiniteFloat | None


class Shown(Strict):
    """An arm."""

    prompt: Prompt
    attempted: int
    answered: int
    errored: int
    calls: int
    cached: int
    cost_usd: FiniteFloat
    latency_ms: Latency
    metrics: dict[str, Measure]


class Effect(Strict):
    difference: FiniteFloat | None
    interval: Ends | None
    p_value: FiniteFloat | None
    adjusted_p: FiniteFloat | None = None
    n: int
    margin: FiniteFloat = 0.0


class Compared(Strict):
    metrics: dict[str, Effect]
    tags: dict[str, Effect]


class Bar(Strict):
    """Of the rule."""

    alpha: FiniteFloat
    not_worse: dict[str, FiniteFloat]


class Cases(Strict):
    used: int
    total: int


class Spent(Strict):
    calls: int
    cached: int
    cost_usd: FiniteFloat


class Alias(Strict):
    prompt: str
    alias: str


class Promoted(Strict):
    version: int


class Shape(Strict):
    """The keys that are printed, beside what the evidence is made of."""

    id: str
    name: str
    sha256: str
    verdict: Word
    status: Literal["decided", "failed"]
    reason: str
    hint: str | None = None
    metric: str
    candidate: str
    baseline: str
    rule: Bar
    arms: dict[str, Shown] = Field(min_length=2)
    comparisons: dict[str, Compared]
    cases: Cases
    spent: Spent
    stopped: str | None = None
    promote: Alias | None
    promoted: Promoted | None = None
    warnings: list[str]
    remarks: list[str] = Field(default_factory=list)
    record: str | None
    links: dict[str, str]

    @model_validator(mode="after")
    def _of_its_arms(self) -> "Shape":
        if unknown := [
            name
            for name in (self.candidate, self.baseline, *self.comparisons)
            if name not in self.arms
        ]:
            raise ValueError(f"there is no arm {unknown[0]!r}")
        if self.promoted and not self.promote:
            raise ValueError("promoted, but nothing was to be")
        return self


def showable(record: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The record, if everything that is printed is there. Raises Damaged naming what is missing or
    wrong.
    """
    try:
        Shape.model_validate(record)
        evidence_of(record)
    except ValidationError as error:
        wrong = error.errors(include_url=False)
        missing = [".".join(map(str, one["loc"])) for one in wrong if one["type"] == "missing"]
        said = (
            f"it lacks {', '.join(missing[:SHOWN])}{' and more' if len(missing) > SHOWN else ''}"
            if missing
            else first(error)
        )
    except (
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
    ) as error:  # whatever somebody wrote into it
        said = first(error)
    else:
        return dict(record)
    raise Damaged(
        f"this decision record cannot be shown: {said}",
        where=where,
        hint="`llmops decision verify FILE` tells what does not stand",
    )
