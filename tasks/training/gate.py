"""May a trained ranking be served? By what it gains on documents that it was not trained on."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from llmops.tasks.retrieval.golden import Question
from llmops.tasks.retrieval.weight import LEAST
from llmops.tasks.statistics.arrays import Array
from llmops.tasks.statistics.comparison import compare
from llmops.tasks.statistics.paired import paired_difference
from llmops.tasks.training.crossfit import CrossFit, HeldOut, RankingProblem
from llmops.tasks.training.outcome import Gain, LostQuestion, RankingFigures, Status

WORST = 10
TINY = 1e-9


class Decided(NamedTuple):
    """`weight`: of the ranking that is served where it passes, None where it stays as it was;
    `adapts`: whether the adapter passes.
    """

    status: Status
    reason: str
    weight: float | None
    adapts: bool
    figures: RankingFigures


def decide(problem: RankingProblem, fitted: CrossFit) -> Decided:
    """The weight passes where the lower end of its gain's 95 % interval (a paired bootstrap over
    groups of questions) is above 0; then the adapter, by what it gains on top.
    """
    groups = list(map(int, problem.groups))
    weight = gain(fitted.weighted.ndcg, fitted.base.ndcg, groups)
    weighs = weight.shown
    reference = fitted.weighted if weighs else fitted.base
    tried = fitted.adapted
    adapter = None if tried is None else gain(tried.ndcg, reference.ndcg, groups)
    adapts = adapter is not None and adapter.shown
    served = fitted.adapted if adapts and fitted.adapted else reference
    last = fitted.adapted or fitted.weighted
    shown = served if weighs or adapts else last
    figures = _figures(problem, fitted, shown, weight, adapter)
    if weighs or adapts:
        learnt = " and ".join(["the weight"] * weighs + ["the adapter"] * adapts)
        reason = f"{learnt} gained on documents not trained on: {_whole(figures).told()}"
        return Decided("promoted", reason, served.weight, adapts, figures)
    return Decided(*_why_not(problem, fitted, adapter or weight, groups), None, False, figures)


def _why_not(
    problem: RankingProblem, fitted: CrossFit, tried: Gain, groups: Sequence[int]
) -> tuple[Status, str]:
    if tried.difference <= TINY:
        return "rejected", f"nothing is gained on documents not trained on: {tried.told()}"
    last = fitted.adapted or fitted.weighted
    needed = compare(last.ndcg, fitted.base.ndcg, groups).cases_needed
    more = max(1, (needed or 0) - len(problem.questions))
    told = f"; about {more} more questions would tell" if needed else ""
    return "inconclusive", f"the gain may be chance: {tried.told()}{told}"


def too_few(count: int, other_language: int) -> str:
    """Why nothing can be learnt from so few questions; empty where something can."""
    if count >= LEAST:
        return ""
    if not count and other_language:
        return (
            "all questions are in languages that the embedder does not know: there full text "
            "decides alone, and nothing is to be learnt"
        )
    return (
        f"{count} judged questions can be learnt from, and {LEAST} are the least: with fewer, what "
        "is learnt loses as often as it gains"
    )


def gain(after: Array, before: Array, groups: Sequence[int]) -> Gain:
    effect = paired_difference(after, before, groups)
    return Gain(
        before=float(before.mean()),
        after=float(after.mean()),
        difference=effect.difference,
        interval=(effect.low, effect.high),
        questions=effect.n,
        groups=effect.clusters,
    )


def _whole(figures: RankingFigures) -> Gain:
    assert figures.served is not None
    return figures.served


def _figures(
    problem: RankingProblem, fitted: CrossFit, shown: HeldOut, weight: Gain, adapter: Gain | None
) -> RankingFigures:
    groups, base = list(map(int, problem.groups)), fitted.base
    change = shown.ndcg - base.ndcg
    seen = None
    if fitted.known is not None and fitted.seen.any():
        mine = [group for group, kept in zip(groups, fitted.seen, strict=True) if kept]
        seen = gain(fitted.known.ndcg[fitted.seen], base.ndcg[fitted.seen], mine)
    return RankingFigures(
        weight=weight,
        adapter=adapter,
        served=gain(shown.ndcg, base.ndcg, groups),
        seen=seen,
        whitening=fitted.whitened and gain(fitted.whitened.ndcg, base.ndcg, groups),
        first=(float(base.first.mean()), float(shown.first.mean())),
        better=int((change > TINY).sum()),
        worse=int((change < -TINY).sum()),
        same=int((abs(change) <= TINY).sum()),
        tags=_by_tag(problem.questions, change),
        worst=_worst(problem, change),
    )


def _by_tag(questions: Sequence[Question], change: Array) -> dict[str, float]:
    """The mean change of the questions of each tag."""
    tags = sorted({tag for question in questions for tag in question.tags})
    return {
        tag: float(np.mean([change[n] for n, each in enumerate(questions) if tag in each.tags]))
        for tag in tags
    }


def _worst(problem: RankingProblem, change: Array) -> tuple[LostQuestion, ...]:
    order = sorted(range(len(change)), key=lambda n: (change[n], problem.questions[n].id))
    return tuple(
        LostQuestion(
            id=problem.questions[n].id,
            question=problem.questions[n].question,
            expected=sorted({item.uri for item in problem.questions[n].relevant}),
            got=[hit.uri for hit in problem.lists[n].candidates.near[:1]],
            lost=round(-float(change[n]), 4),
        )
        for n in order[:WORST]
        if change[n] < -TINY
    )
