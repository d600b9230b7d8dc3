"""What was measured, as numbers alone: all that a verdict is computed from, in the form in which a
record keeps it.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Annotated, Any, NamedTuple

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, NonNegativeInt, model_validator

from llmops.tasks.decisions.rules import Rule
from llmops.tasks.statistics.arrays import Array

STRICT = ConfigDict(frozen=True, strict=True)
TOGETHER = 15 * 60.0
"""Seconds within which both arms were asked where their times are compared: later an endpoint may
be as quick or slow as it likes.
"""


class Metric(BaseModel):
    """`pairwise`: values are of the candidate against the baseline, 1 won, 0 lost, 0.5 a tie.
    `bounded`: they lie in [0, 1]. `relative`: margins are shares of the baseline's mean (0.2 is 20
    %), not of the metric's unit, which is `unit`. `timed`: it depends on when it was measured, so
    that cases count only where both arms were asked at about the same time."""

    model_config = STRICT
    higher_is_better: bool = True
    pairwise: bool = False
    relative: bool = False
    bounded: bool = False
    timed: bool = False
    unit: str = ""

    @property
    def sign(self) -> int:
        """1 where more is better, else -1."""
        return 1 if self.higher_is_better else -1


class Calls(BaseModel):
    """The calls of one arm, a number or a list per case. `latency_ms` has one entry per answer, so
    it counts them; `scored`: answers that have a value in the deciding metric; `cached`: answers
    that the ledger remembered; `asked_at`: when the arm was asked, in seconds since the epoch, the
    mean over repeats; 0: not known."""

    model_config = STRICT
    latency_ms: list[list[FiniteFloat]]
    scored: list[NonNegativeInt]
    tokens: list[NonNegativeInt]
    cost_usd: list[FiniteFloat]
    cached: list[NonNegativeInt]
    asked_at: list[Annotated[FiniteFloat, Field(ge=0)]]

    @model_validator(mode="before")
    @classmethod
    def _perhaps_unknown(cls, raw: object) -> object:
        if not isinstance(raw, dict) or "asked_at" in raw:
            return raw
        latencies = raw.get("latency_ms")
        return raw | {"asked_at": [0.0] * len(latencies)} if isinstance(latencies, list) else raw


class Pairs(BaseModel):
    """One entry per case everywhere, in one order. `values`: by arm and metric, the mean over
    repeats; None: nothing to score.

    `errors`: calls of the arm that failed; `judge_failures`: by arm and metric, how often the
    scorer itself broke.
    """

    model_config = STRICT
    cases: list[str]
    sha256: list[str]
    groups: list[str | None]
    tags: list[list[str]]
    values: dict[str, dict[str, list[FiniteFloat | None]]]
    errors: dict[str, list[NonNegativeInt]]
    judge_failures: dict[str, dict[str, list[NonNegativeInt]]] = Field(default_factory=dict)
    calls: dict[str, Calls]

    @model_validator(mode="after")
    def _one_entry_per_case(self) -> "Pairs":
        columns: dict[str, Sequence[Any]] = {
            "sha256": self.sha256,
            "groups": self.groups,
            "tags": self.tags,
        }
        columns |= {f"errors.{arm}": column for arm, column in self.errors.items()}
        for name, nested in (("values", self.values), ("judge_failures", self.judge_failures)):
            columns |= {
                f"{name}.{arm}.{metric}": column
                for arm, one in nested.items()
                for metric, column in one.items()
            }
        columns |= {
            f"calls.{arm}.{field}": getattr(calls, field)
            for arm, calls in self.calls.items()
            for field in Calls.model_fields
        }
        wrong = [
            f"{name} has {len(column)}"
            for name, column in columns.items()
            if len(column) != len(self.cases)
        ]
        if wrong:
            raise ValueError(
                f"one entry per case is wanted, for {len(self.cases)} cases: {'; '.join(wrong[:5])}"
            )
        if len(set(self.cases)) < len(self.cases):
            raise ValueError("a case stands there twice")
        return self


Cluster = str | tuple[str, int]
"""The group of a case, or the place of one that has none."""


class Selected(NamedTuple):
    """Two arms on the cases for which both have a value; `clusters` None: every case its own.
    `apart`: how many cases are left out of a timed metric, since the arms were asked at different
    times."""

    candidate: Array
    baseline: Array
    clusters: list[Cluster] | None
    apart: int = 0

    @property
    def independent(self) -> int:
        return len(set(self.clusters)) if self.clusters is not None else len(self.candidate)


class Evidence(BaseModel):
    """`untrusted`: metrics that may inform but not decide, and why. `looks`: after how many cases
    it was looked. `total`: the cases that there are (None: those of the pairs); `stopped`: why not
    all of them were used."""

    model_config = ConfigDict(frozen=True)
    rule: Rule
    baseline: str
    arms: tuple[str, ...]
    metrics: dict[str, Metric]
    pairs: Pairs
    untrusted: dict[str, str] = Field(default_factory=dict)
    looks: tuple[NonNegativeInt, ...] = ()
    total: NonNegativeInt | None = None
    stopped: str = ""

    @model_validator(mode="after")
    def _all_arms_everywhere(self) -> "Evidence":
        for name, found in (
            ("values", self.pairs.values),
            ("errors", self.pairs.errors),
            ("calls", self.pairs.calls),
        ):
            if set(found) != set(self.arms):
                raise ValueError(
                    f"pairs.{name} has the arms {', '.join(sorted(found))}; wanted: "
                    f"{', '.join(sorted(self.arms))}"
                )
        unknown = sorted(
            {metric for values in self.pairs.values.values() for metric in values}
            - set(self.metrics)
        )
        if unknown:
            raise ValueError(f"nothing is said of the metrics {', '.join(unknown)}")
        if self.baseline not in self.arms or len(self.arms) < 2:
            raise ValueError(
                f"a baseline and a candidate are wanted, got the baseline "
                f"{self.baseline!r} among {', '.join(self.arms)}"
            )
        return self

    @property
    def candidates(self) -> tuple[str, ...]:
        return tuple(arm for arm in self.arms if arm != self.baseline)

    @property
    def cut(self) -> bool:
        """Whether cases, or their scores, are missing, which only a rule that may stop early
        allows: its cases come in a drawn order.
        """
        return not self.rule.stop_early and (
            bool(self.stopped) or len(self.pairs.cases) < (self.total or 0)
        )

    @cached_property
    def _columns(self) -> dict[tuple[str, str], Array]:
        return {
            (arm, metric): np.array(column, dtype=np.float64)
            for arm, found in self.pairs.values.items()
            for metric, column in found.items()
        }

    @cached_property
    def labels(self) -> list[Cluster] | None:
        """The cluster of each case; None where the rule takes all cases as independent, or no case
        has a group.
        """
        groups = self.pairs.groups
        if self.rule.cluster == "none" or not any(group is not None for group in groups):
            return None
        return [("case", number) if group is None else group for number, group in enumerate(groups)]

    def column(self, arm: str, metric: str) -> Array:
        """A value per case, NaN where there is none."""
        return self._columns.get((arm, metric), np.full(len(self.pairs.cases), np.nan))

    def selected(self, candidate: str, metric: str, chosen: Array | None = None) -> Selected:
        """The cases for which both arms have a value, among those that `chosen` (a mask) names; of
        a timed metric those asked together.
        """
        kind = self.metrics.get(metric, Metric())
        new, old = self.column(candidate, metric), self.column(self.baseline, metric)
        if kind.pairwise:
            new, old = (
                np.maximum(2 * new - 1, 0),
                np.maximum(1 - 2 * new, 0),
            )  # won and lost; a tie is neither
        both = (
            np.isfinite(new) & np.isfinite(old) & (True if chosen is None else chosen.astype(bool))
        )
        used = both & self._together(candidate) if kind.timed else both
        clusters = (
            None
            if self.labels is None
            else [self.labels[number] for number in np.flatnonzero(used)]
        )
        return Selected(new[used], old[used], clusters, int(both.sum() - used.sum()))

    def _together(self, candidate: str) -> Array:
        """For each case whether candidate and baseline were asked at about the same time. What is
        not known is not so.
        """
        new, old = (
            np.array(self.pairs.calls[arm].asked_at, dtype=np.float64)
            for arm in (candidate, self.baseline)
        )
        return np.array((new > 0) & (old > 0) & (np.abs(new - old) <= TOGETHER))

    def first(self, count: int) -> "Evidence":
        """What was there after the first `count` cases."""
        plain: Mapping[str, Any] = self.pairs.model_dump()
        return Evidence(
            rule=self.rule,
            baseline=self.baseline,
            arms=self.arms,
            metrics=self.metrics,
            untrusted=self.untrusted,
            pairs=Pairs.model_validate(_cut(plain, count)),
            looks=tuple(look for look in self.looks if look <= count),
        )


def _cut(value: Any, count: int) -> Any:
    return (
        {name: _cut(one, count) for name, one in value.items()}
        if isinstance(value, Mapping)
        else value[:count]
    )
