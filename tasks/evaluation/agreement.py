"""How far a judge agrees with people, from their grades of the same answers."""

from collections.abc import Sequence
from statistics import fmean
from typing import NamedTuple, NotRequired, TypedDict

from llmops.tasks.evaluation.labels import Labelled, consensus
from llmops.tasks.plugins.scorers import Judge, Score
from llmops.tasks.statistics.agreement import Agreement, agreement, reliability
from llmops.tasks.statistics.coefficients import Level, Weights
from llmops.tasks.statistics.scales import Grade, nearest

MOST_FAILED = 0.05
"""The share of labelled answers for which a judge may give no usable reply and still be trusted."""


class PeopleAgreement(TypedDict):
    """Of the raters among each other, which is what a judge can be expected to reach."""

    alpha: float | None
    interval: list[float] | None
    agreement: float
    n: int


class JudgeAgreement(TypedDict):
    """`kappa`: Cohen's, of the judge and what people say together, weighted by squared distance
    where there are more than two grades; `interval` its 95 %, `low` the lower end. `alpha`:
    Krippendorff's, of the judge and all raters, where there are several. `bias`: mean of judge
    minus people, on [0, 1]: above 0 the judge is lenient. `parts`: means of further parts, as a
    judge of pairs gives for the place of an answer.

    `confusion`: rows people, columns judge. `n`: answers that both have graded; `failed`: those for
    which the judge gave no usable reply.
    """

    n: int
    failed: int
    people: PeopleAgreement | None
    grades: list[Grade]
    confusion: list[list[int]]
    agreement: float
    kappa: float | None
    alpha: float | None
    interval: list[float] | None
    low: float | None
    bias: float | None
    note: str
    parts: NotRequired[dict[str, float]]


class GradedPair(NamedTuple):
    """An answer that the judge and people have graded: the places of their grades on the scale."""

    judge: int
    people: int
    row: Labelled
    score: Score


def judge_agreement(
    judge: Judge, rows: Sequence[Labelled], scores: Sequence[Score]
) -> JudgeAgreement:
    """`scores`: what the judge gave to the rows, in order."""
    place = judge.grades.index
    pairs = [
        GradedPair(place(nearest(score.value, judge.grades)), place(said), row, score)
        for row, score in zip(rows, scores, strict=True)
        if score.value is not None and (said := consensus(row, judge)) is not None
    ]
    graded = sum(consensus(row, judge) is not None for row in rows)
    size = range(len(judge.grades))
    found = JudgeAgreement(
        n=len(pairs),
        failed=graded - len(pairs),
        people=_people(rows, judge),
        grades=list(judge.grades),
        confusion=[
            [sum((pair.people, pair.judge) == (row, column) for pair in pairs) for column in size]
            for row in size
        ],
        agreement=0.0,
        kappa=None,
        alpha=None,
        interval=None,
        low=None,
        bias=None,
        note="",
    )
    if pairs:
        _measure(found, judge, pairs)
    return found


def _measure(found: JudgeAgreement, judge: Judge, pairs: Sequence[GradedPair]) -> None:
    weights: Weights | None = "quadratic" if len(judge.grades) > 2 else None
    kappa = agreement(
        [pair.judge for pair in pairs],
        [pair.people for pair in pairs],
        list(range(len(judge.grades))),
        weights,
    )
    alpha = _alpha([(pair.judge, *_places(pair.row, judge)) for pair in pairs], judge, least=3)
    found["agreement"], found["kappa"], found["low"] = kappa.agreement, kappa.value, kappa.low
    found["alpha"] = alpha.value if alpha else None
    found["interval"] = _interval(kappa) or (_interval(alpha) if alpha else None)
    found["bias"] = fmean(pair.judge - pair.people for pair in pairs) / (len(judge.grades) - 1)
    found["note"] = kappa.note
    parts: dict[str, list[float]] = {}
    for pair in pairs:
        for name, value in pair.score.parts.items():
            parts.setdefault(name, []).append(value)
    if parts:
        found["parts"] = {name: fmean(parts[name]) for name in sorted(parts)}


def shortfall(found: JudgeAgreement, floor: float) -> str | None:
    """Why a judge with this agreement may inform but not decide: it is not shown to reach the
    floor. The low end of kappa's 95 % interval counts, not the estimate: a few labels that happen
    to agree are no proof."""
    asked = found["n"] + found["failed"]
    if found["failed"] > MOST_FAILED * asked:
        return f"it gave no usable reply for {found['failed']} of {asked} labelled answers"
    if found["low"] is None:
        return (
            f"its agreement with people cannot be computed on {found['n']} labels: "
            f"{found['note'] or 'there are none'}"
        )
    if found["low"] < floor:
        return (
            f"its agreement with people (kappa {found['kappa']:.2f}, at least "
            f"{found['low']:.2f} with 95 % confidence, on {found['n']} "
            f"labels) does not reach its floor of {floor:g}"
        )
    return None


def _places(row: Labelled, judge: Judge) -> tuple[int | None, ...]:
    return tuple(None if grade is None else judge.grades.index(grade) for grade in row.ratings)


def _people(rows: Sequence[Labelled], judge: Judge) -> PeopleAgreement | None:
    alpha = _alpha([_places(row, judge) for row in rows], judge, least=2)
    if alpha is None:
        return None
    return PeopleAgreement(
        alpha=alpha.value, interval=_interval(alpha), agreement=alpha.agreement, n=alpha.n
    )


def _alpha(items: Sequence[tuple[int | None, ...]], judge: Judge, least: int) -> Agreement | None:
    """Krippendorff's, of items with their ratings; None with fewer than `least` raters, and where
    no item has two ratings.
    """
    width = max(map(len, items), default=0)
    if width < least or all(sum(rating is not None for rating in item) < 2 for item in items):
        return None
    level: Level = "ordinal" if len(judge.grades) > 2 else "nominal"
    return reliability(
        [[item[place] if place < len(item) else None for item in items] for place in range(width)],
        level,
    )


def _interval(found: Agreement) -> list[float] | None:
    return None if found.low is None or found.high is None else [found.low, found.high]
