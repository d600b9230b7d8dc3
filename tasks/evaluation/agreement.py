"""How far a judge agrees with people, from their grades of the same answers."""

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any, NamedTuple

from llmops.tasks.evaluation.labels import Labelled, consensus
from llmops.tasks.plugins.scorers import Judge, Score
from llmops.tasks.statistics.agreement import Agreement, agreement, reliability
from llmops.tasks.statistics.coefficients import Level, Weights
from llmops.tasks.statistics.scales import Grade, nearest

MOST_FAILED = 0.05
"""The share of labelled answers for which a judge may give no usable reply and still be trusted."""

NOTHING: dict[str, Any] = {
    "agreement": 0.0,
    "kappa": None,
    "alpha": None,
    "interval": None,
    "low": None,
    "bias": None,
    "note": "",
}


class _Pair(NamedTuple):
    """An answer that the judge and people have graded: the places of their grades on the scale."""

    judge: int
    people: int
    row: Labelled
    score: Score


def concordance(judge: Judge, rows: Sequence[Labelled], scores: Sequence[Score]) -> dict[str, Any]:
    """`kappa`: Cohen's, of the judge and what people say together, weighted by squared distance
    where there are more than two grades; `interval` its 95 %. `alpha`: Krippendorff's, of the judge
    and all raters, where there are several; `people`: of the raters alone, which is what a judge
    can be expected to reach. `bias`: mean of judge minus people, on [0, 1]: above 0 the judge is
    lenient.

    `confusion`: rows people, columns judge. `n`: answers that both have graded; `failed`: those for
    which the judge gave no usable reply.
    """
    both = [
        _Pair(_place(nearest(score.value, judge.grades), judge), _place(said, judge), row, score)
        for row, score in zip(rows, scores, strict=True)
        if score.value is not None and (said := consensus(row, judge)) is not None
    ]
    graded = sum(consensus(row, judge) is not None for row in rows)
    size = range(len(judge.grades))
    found: dict[str, Any] = {
        "n": len(both),
        "failed": graded - len(both),
        "people": _people(rows, judge),
        "grades": list(judge.grades),
        "confusion": [
            [sum((one.people, one.judge) == (row, column) for one in both) for column in size]
            for row in size
        ],
    }
    return found | (_agreement(judge, both) if both else NOTHING)


def _agreement(judge: Judge, both: Sequence[_Pair]) -> dict[str, Any]:
    weights: Weights | None = "quadratic" if len(judge.grades) > 2 else None
    kappa = agreement(
        [one.judge for one in both],
        [one.people for one in both],
        list(range(len(judge.grades))),
        weights,
    )
    everybody = _alpha([(one.judge, *_places(one.row, judge)) for one in both], judge, least=3)
    bias = fmean(one.judge - one.people for one in both) / (len(judge.grades) - 1)
    return {
        "agreement": kappa.agreement,
        "kappa": kappa.value,
        "alpha": everybody.value if everybody else None,
        "interval": _interval(kappa) or (_interval(everybody) if everybody else None),
        "low": kappa.low,
        "bias": bias,
        "note": kappa.note,
        **_parts([one.score for one in both]),
    }


def shortfall(found: Mapping[str, Any], floor: float) -> str | None:
    """Why a judge with this concordance may inform but not decide: its agreement is not shown to
    reach the floor. The low end of kappa's 95 % interval counts, not the estimate: a few labels
    that happen to agree are no proof."""
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


def _place(grade: Grade, judge: Judge) -> int:
    return judge.grades.index(grade)


def _places(row: Labelled, judge: Judge) -> tuple[int | None, ...]:
    return tuple(None if one is None else _place(one, judge) for one in row.ratings)


def _people(rows: Sequence[Labelled], judge: Judge) -> dict[str, Any] | None:
    found = _alpha([_places(row, judge) for row in rows], judge, least=2)
    return (
        None
        if found is None
        else {
            "alpha": found.value,
            "interval": _interval(found),
            "agreement": found.agreement,
            "n": found.n,
        }
    )


def _alpha(items: Sequence[tuple[int | None, ...]], judge: Judge, least: int) -> Agreement | None:
    """Krippendorff's, of items with their ratings; None with fewer than `least` raters, and where
    no item has two ratings.
    """
    width = max(map(len, items), default=0)
    if width < least or all(sum(one is not None for one in item) < 2 for item in items):
        return None
    level: Level = "ordinal" if len(judge.grades) > 2 else "nominal"
    return reliability(
        [[item[place] if place < len(item) else None for item in items] for place in range(width)],
        level,
    )


def _interval(found: Agreement) -> list[float] | None:
    return None if found.low is None or found.high is None else [found.low, found.high]


def _parts(scores: Sequence[Score]) -> dict[str, Any]:
    """The means of further parts, as a judge of pairs gives for the place of an answer."""
    names = sorted({name for score in scores for name in score.parts})
    means = {
        name: fmean(score.parts[name] for score in scores if name in score.parts) for name in names
    }
    return {"parts": means} if means else {}
