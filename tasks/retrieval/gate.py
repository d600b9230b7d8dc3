"""The gate: may a candidate version replace the live one? Floors are absolute, margins compare on
the same questions.

How a margin decides, with d = candidate - live, paired by question, and its 95 % interval over
clusters of questions:

- passed: the interval's lower end is not below -margin (non-inferiority, one-sided at 2.5 %), or no
question got worse.
  The second rule covers the interval's one oddity: a gain on few questions must not look like a
  risk.
- rejected: d is below -margin and the interval lies below 0: a real loss, by the best estimate more
than is accepted.
  With fewer than six clusters no interval can exclude 0, so there the loss itself rejects.
- inconclusive: everything else. It must not publish: one question lost out of 40 is -0.025 [-0.075,
0], which neither
  shows a loss nor rules out one beyond 0.02. The reason then says how many more questions would
  tell.

All metrics must pass, so no correction for several of them is due (intersection-union test, Berger
1982). Equal results pass: nothing on the golden set speaks against the candidate, though n
questions cannot see what harms fewer than 3/n.
"""

from collections.abc import Collection, Mapping, Sequence
from statistics import fmean
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from llmops.tasks.errors import Blocked, ConfigError, Mistake, did_you_mean
from llmops.tasks.retrieval.measure import (
    METRICS,
    MeasuredValue,
    Measurement,
    QuestionReport,
    metric_name,
)
from llmops.tasks.schemas import OneOrMore
from llmops.tasks.statistics.paired import PairedEffect, paired_difference

Verdict = Literal["passed", "rejected", "inconclusive", "skipped"]
FEWEST = 6  # the sign test's p is 2 · 0.5⁵ > 0.05 with five
TINY = 1e-9


class MetricRule(BaseModel):
    """`min`: the least value accepted. `margin`: how much worse than live is still accepted; None:
    not compared.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    min: float | None = Field(default=None, ge=0, le=1)
    margin: float | None = Field(default=None, ge=0, le=1)


class Compared(BaseModel):
    """One metric: `live`, `difference` and `interval` are None where nothing is live."""

    model_config = ConfigDict(frozen=True)
    candidate: float
    live: float | None = None
    difference: float | None = None
    interval: tuple[float, float] | None = None


class GateSpec(BaseModel):
    """What a config asks of a candidate; `golden` is relative to the config."""

    model_config = ConfigDict(frozen=True, from_attributes=True)
    golden: OneOrMore
    k: int
    metrics: Mapping[str, MetricRule]


class GateResult(BaseModel):
    """The decision. `worst`: the questions that lost most against live, else those that the
    candidate answers worst. `measured`: every metric of the candidate, also those that decide
    nothing, on `questions` of the golden set of that hash. `left_out`: questions from feedback
    whose sentence has left the documents.
    """

    model_config = ConfigDict(frozen=True)
    verdict: Verdict
    reason: str
    metrics: dict[str, Compared] = Field(default_factory=dict)
    worst: list[QuestionReport] = Field(default_factory=list)
    measured: dict[str, MeasuredValue] = Field(default_factory=dict)
    questions: int | None = None
    golden_sha256: str | None = None
    left_out: tuple[str, ...] | None = None

    @property
    def opens(self) -> bool:
        """Whether the candidate may be published: passed, or skipped because there was nothing to
        decide by.
        """
        return self.verdict in ("passed", "skipped")

    def must_open(self) -> None:
        """Raise Blocked where the candidate may not be published."""
        if not self.opens:
            raise Blocked(
                f"the gate says {self.verdict}: {self.reason}",
                hint="the live version stays; see the worst questions of this run: where a "
                "document rightly no longer says what one of them quotes, change that question",
            )

    def to_json(self) -> dict[str, Any]:
        """The `gate` object of `index --json`."""
        return self.model_dump(mode="json", exclude_none=True)


def check_rules(rules: Mapping[str, MetricRule]) -> None:
    """Raise ConfigError naming every metric that is not known."""
    mistakes = []
    for name in rules:
        if name not in METRICS:
            close = did_you_mean(name.partition("@")[0].lower(), METRICS)
            hint = close or "k is set by gate.k"
            mistakes.append(
                Mistake(
                    f"unknown metric {name!r}; allowed: {', '.join(METRICS)}", "gate.metrics", hint
                )
            )
    if mistakes:
        raise ConfigError(mistakes)


def skipped(reason: str) -> GateResult:
    """The result where there is no golden set, or nothing to decide by."""
    return GateResult(verdict="skipped", reason=reason)


def decide(
    candidate: Measurement, live: Measurement | None, rules: Mapping[str, MetricRule]
) -> GateResult:
    """Decide by the first mode of both measurements. Without `live` (a first version) only floors
    count.

    Raises ConfigError for an unknown metric, ValueError when the two do not hold the same questions
    at the same k.
    """
    check_rules(rules)
    if live and (live.k, live.questions) != (candidate.k, candidate.questions):
        raise ValueError(
            "candidate and live must be measured on the same questions in the same order, "
            "at the same k"
        )
    findings = [
        _finding(candidate, live, metric_name(metric, candidate.k), rule)
        for metric, rule in rules.items()
    ]
    metrics = {name: compared for name, compared, _, _ in findings}
    verdict: Verdict = next(
        (
            worst_first
            for worst_first in ("rejected", "inconclusive", "passed")
            if worst_first in [said for _, _, said, _ in findings]
        ),
        "skipped",
    )
    reasons = [reason for _, _, said, reason in findings if said == verdict] or [
        "no metric has a floor or a margin"
    ]
    worst = _worst(candidate, live, metrics)
    if verdict in ("rejected", "inconclusive") and worst:
        reasons.append(
            "worst: " + ", ".join(f"{entry['id']} ({entry['question']})" for entry in worst[:3])
        )
    return GateResult(
        verdict=verdict,
        reason="; ".join(reasons),
        metrics=metrics,
        worst=worst,
        measured=candidate.summarised(),
        questions=len(candidate.questions),
    )


Finding = tuple[str, Compared, Verdict, str]


def _finding(
    candidate: Measurement, live: Measurement | None, name: str, rule: MetricRule
) -> Finding:
    """What one metric says: its full name, the figures, a verdict and why."""
    new = candidate.first.values[name]
    value = fmean(new)
    if live is None:
        return name, Compared(candidate=value), *_floor(name, value, rule, first=True)
    old = live.first.values[name]
    effect = paired_difference(new, old, [asked.cluster for asked in candidate.questions])
    interval = (effect.low, effect.high)
    compared = Compared(
        candidate=value, live=fmean(old), difference=effect.difference, interval=interval
    )
    verdict, reason = _floor(name, value, rule)
    if verdict != "rejected" and rule.margin is not None:
        verdict, reason = margin_finding(effect, new, old, rule.margin)
        reason = f"{name} went from {fmean(old):.3f} to {value:.3f}, {reason}"
    return name, compared, verdict, reason


def _floor(
    name: str, value: float, rule: MetricRule, *, first: bool = False
) -> tuple[Verdict, str]:
    if rule.min is not None and value < rule.min - TINY:
        return "rejected", f"{name} is {value:.3f}, below the floor {rule.min:g}"
    if rule.min is not None:
        return "passed", f"{name} is {value:.3f}, floor {rule.min:g}"
    return "skipped", f"{name} is {value:.3f}, with no floor" + (
        " and nothing live to compare with" if first else ""
    )


def margin_finding(
    effect: PairedEffect, new: Sequence[float], old: Sequence[float], margin: float
) -> tuple[Verdict, str]:
    """What a margin says of a difference, as the head of this file has it, and the facts."""
    worse = sum(a < b - TINY for a, b in zip(new, old, strict=True))
    better = sum(a > b + TINY for a, b in zip(new, old, strict=True))
    facts = (
        f"{effect.difference:+.3f} [{effect.low:+.3f}, {effect.high:+.3f}], margin {margin:g}: "
        f"{worse} of {effect.n} questions got worse, {better} better"
    )
    if worse == 0 or effect.low >= -margin - TINY:
        return "passed", facts
    beyond = effect.difference < -margin - TINY
    if beyond and effect.high < -TINY:
        return "rejected", facts
    if beyond and effect.clusters < FEWEST:
        return "rejected", f"{facts}; too few for an interval, so the loss itself decides"
    why = "the loss may be chance" if beyond else "a loss beyond the margin cannot be ruled out"
    return "inconclusive", f"{facts}; {why}, {_more(effect, margin)} would tell"


def _more(effect: PairedEffect, margin: float) -> str:
    """How many more questions, if they are like these: an interval's width falls with the root of
    their number.
    """
    half = (effect.high - effect.low) / 2
    room = effect.difference + margin
    if room <= TINY:  # more questions can then only confirm the loss
        room = -effect.difference
    if room <= TINY:
        return "many more questions"
    return f"about {max(1, round(effect.n * ((half / room) ** 2 - 1)))} more questions"


def _worst(
    candidate: Measurement, live: Measurement | None, names: Collection[str], count: int = 10
) -> list[QuestionReport]:
    """`names`: of the metrics that decide. Where one of them fell, the questions that it fell on;
    else those whose nDCG did: a document that is found further down is no loss of recall.
    """
    if live is None:
        return candidate.worst(count)
    ndcg = _fallen(candidate, live, metric_name("ndcg", candidate.k))
    deciding = {i for name in names for i in _fallen(candidate, live, name)}
    ordered = sorted((ndcg.get(i, 0.0), candidate.questions[i].id, i) for i in deciding or ndcg)
    lost: list[QuestionReport] = [
        {**candidate.report(i), "live_got": list(live.first.got[i])} for _, _, i in ordered[:count]
    ]
    return lost or candidate.worst(count)


def _fallen(candidate: Measurement, live: Measurement, name: str) -> dict[int, float]:
    """Place of a question -> what a metric lost on it."""
    pairs = zip(candidate.first.values[name], live.first.values[name], strict=True)
    return {i: new - old for i, (new, old) in enumerate(pairs) if new < old - TINY}
