"""One metric of one candidate against the baseline: the effect, and whether it clears the bar of
the rule.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from llmops.tasks.decisions.decision import Figures
from llmops.tasks.decisions.evidence import Cluster, Evidence, Metric, Selected
from llmops.tasks.statistics.arrays import Array
from llmops.tasks.statistics.comparison import Comparison, compare
from llmops.tasks.statistics.multiple import holm
from llmops.tasks.statistics.power import cases_needed, minimum_detectable_effect
from llmops.tasks.statistics.sequential import confidence_sequence


@dataclass(frozen=True)
class Effect:
    """`difference` and its interval are candidate - baseline in the metric's own unit and
    direction; None where they are not known.

    `gain`: how far the difference lies beyond the bar, turned so that above 0 is good. `p_value`:
    two-sided, that it is 0. `side`: 1 or -1 where an interval that may be looked at again and again
    lies wholly on the good or the bad side; else 0. `same`: no case differs; `free`: both arms are
    0 everywhere. `share`: the difference as a share of the baseline's mean, for relative metrics.
    `reach`: the bar as a share of how far a case could differ: the metric's whole range, else the
    largest value seen. `apart`: cases that are left out, since the arms were asked at different
    times.
    """

    metric: str
    n: int
    clusters: int
    difference: float | None = None
    interval: tuple[float, float] | None = None
    gain: float = 0.0
    p_value: float | None = None
    test: str = "none"
    side: int = 0
    same: bool = False
    free: bool = False
    share: float | None = None
    minimum_detectable_effect: float | None = None
    cases_needed: int | None = None
    note: str = ""
    bar: float = field(default=0.0, kw_only=True)
    reach: float = field(default=0.0, kw_only=True)
    apart: int = field(default=0, kw_only=True)

    def figures(self, **more: float | bool | None) -> Figures:
        """As the record has it. What both arms are known to have for nothing has no interval."""
        note = "neither arm costs anything" if self.free else self.note
        known = {
            "difference": self.difference,
            "interval": list(self.interval) if self.interval and not self.free else None,
            "p_value": self.p_value,
            "test": self.test,
            "n": self.n,
            "clusters": self.clusters,
        }
        return Figures.model_validate(known | ({"note": note} if note else {}) | more)


def effect(
    evidence: Evidence,
    candidate: str,
    metric: str,
    *,
    bar: float = 0.0,
    chosen: Array | None = None,
    alpha: float | None = None,
) -> Effect:
    """The effect by the test for a number of cases fixed beforehand. `chosen`: a mask of cases, as
    for a tag.
    """
    kind, pairs = (
        evidence.metrics.get(metric, Metric()),
        evidence.selected(candidate, metric, chosen),
    )
    if len(pairs.candidate) < 2:
        return _too_few(metric, pairs, kind, bar)
    level = evidence.rule.alpha if alpha is None else alpha
    shifted = kind.relative and bar != 0
    test = _compared(pairs, kind, bar, level, shifted)
    shown = _compared(pairs, kind, 0.0, level, False) if shifted else test
    needed = test.cases_needed
    return Effect(
        metric,
        test.n,
        test.clusters,
        kind.sign * shown.difference + 0.0,
        _turned((shown.low, shown.high), kind),
        test.difference - (0.0 if shifted else bar),
        test.p_value,
        test.test,
        same=_same(pairs),
        free=_free(pairs, kind),
        share=_share(pairs, kind),
        minimum_detectable_effect=test.minimum_detectable_effect,
        cases_needed=needed,
        note=_noted(test.note, pairs),
        bar=bar,
        reach=_reach(pairs, kind, bar),
        apart=pairs.apart,
    )


def watched(evidence: Evidence, candidate: str, metric: str, *, bar: float, alpha: float) -> Effect:
    """The effect by an interval that is valid however often one looks: of the mean over clusters of
    their means. It has no p value.

    A relative bar moves the baseline's values, so that the interval is of candidate - (1 + bar) ·
    baseline on its good side.
    """
    kind, pairs = evidence.metrics.get(metric, Metric()), evidence.selected(candidate, metric)
    if len(pairs.candidate) < 2:
        return _too_few(metric, pairs, kind, bar)
    differences = kind.sign * (pairs.candidate - pairs.baseline)
    moved = differences - bar * np.abs(pairs.baseline) if kind.relative else differences - bar
    bound = 1.0 if kind.bounded or kind.pairwise else None
    low, high = confidence_sequence(differences, pairs.clusters, alpha=alpha, bound=bound)
    beyond = (
        confidence_sequence(moved, pairs.clusters, alpha=alpha, bound=None)
        if kind.relative
        else (low - bar, high - bar)
    )
    side = 1 if beyond[0] > 0 else -1 if beyond[1] < 0 else 0
    known = math.isfinite(low) and math.isfinite(high)
    seen, needed = _power(moved, pairs.clusters, evidence.rule.alpha)
    note = (
        ""
        if known
        else "too few cases, or no spread, for an interval that may be looked at again and again"
    )
    return Effect(
        metric,
        len(differences),
        pairs.independent,
        kind.sign * _cluster_mean(differences, pairs) + 0.0,
        _turned((low, high), kind) if known else None,
        _cluster_mean(moved, pairs),
        None,
        f"confidence sequence ({'betting' if bound else 'asymptotic'})",
        0 if _same(pairs) else side,
        _same(pairs),
        _free(pairs, kind),
        _share(pairs, kind),
        seen,
        needed,
        _noted(note, pairs),
        bar=bar,
        reach=_reach(pairs, kind, bar),
        apart=pairs.apart,
    )


def _power(
    moved: Array, clusters: Sequence[Cluster] | None, alpha: float
) -> tuple[float | None, int | None]:
    """The effect that these cases show in 4 of 5 runs, and the cases that the one seen needs, both
    for a number of cases fixed beforehand: at least so many are needed where one may stop early.
    None where nothing spreads, or where the difference seen is the bar."""
    try:
        seen, mean = minimum_detectable_effect(moved, clusters, alpha), float(moved.mean())
        return seen, cases_needed(moved, mean, clusters, alpha) if mean else None
    except ValueError:
        return None, None


@dataclass(frozen=True)
class Guard:
    """A further metric that must not suffer: `effect` against -margin. `holds` and `violated` are
    never both; neither: not shown. `p_value`: one-sided, that it is worse by the margin or more;
    `adjusted_p`: after Holm over the guards."""

    metric: str
    margin: float
    effect: Effect
    p_value: float | None
    adjusted_p: float | None
    holds: bool
    violated: bool

    def figures(self) -> Figures:
        """As the record has it."""
        found = self.effect.figures(
            margin=self.margin,
            p_value=self.p_value,
            adjusted_p=self.adjusted_p,
            holds=self.holds,
            violated=self.violated,
        )
        return found.model_copy(update={"test": f"not worse: {self.effect.test}"})


def guards(evidence: Evidence, candidate: str) -> list[Guard]:
    """All guards of the rule on one candidate."""
    wanted = evidence.rule.not_worse
    if evidence.rule.stop_early:
        alpha = evidence.rule.alpha / max(1, len(wanted) * len(evidence.candidates))
        found = [
            watched(evidence, candidate, metric, bar=-margin, alpha=alpha)
            for metric, margin in wanted.items()
        ]
        return [
            Guard(
                one.metric,
                margin,
                one,
                None,
                None,
                one.side > 0 or _p_unseen(one) < alpha / 2,
                one.side < 0,
            )
            for one, margin in zip(found, wanted.values(), strict=True)
        ]
    found = [effect(evidence, candidate, metric, bar=-margin) for metric, margin in wanted.items()]
    worse = [_p_worse(one) for one in found]
    holds = holm(worse)
    fails = holm([_p_not_worse(one) for one in found])
    level = evidence.rule.alpha / 2
    return [
        Guard(one.metric, margin, one, p, good, good < level, bad < level)
        for one, margin, p, good, bad in zip(
            found, wanted.values(), worse, holds, fails, strict=True
        )
    ]


def _p_worse(found: Effect) -> float:
    """One-sided, that it is worse by the margin or more."""
    if found.same:
        return min(_p_unseen(found), 1.0 if found.p_value is None else found.p_value / 2)
    if found.p_value is None:
        return 1.0
    return found.p_value / 2 if found.gain > 0 else 1 - found.p_value / 2


def _p_unseen(found: Effect) -> float:
    """Where no case differs there is no spread to test with. To be worse by the margin on average,
    at least a share `reach` of all clusters would have to suffer as much as one can; those seen are
    then all alike with the probability (1 - reach) ** clusters at most.

    That is the p, and it is one at any number of looks: the longer all are alike, the less likely.
    """
    return (
        1.0
        if not found.same
        else 0.0
        if found.free
        else (1 - min(1.0, found.reach)) ** found.clusters
    )


def _p_not_worse(found: Effect) -> float:
    if found.p_value is None or found.free:
        return 1.0
    return found.p_value / 2 if found.gain < 0 else 1 - found.p_value / 2


def _compared(pairs: Selected, kind: Metric, bar: float, alpha: float, shifted: bool) -> Comparison:
    """More is better in what is compared. Shifted: the baseline moves by the share `bar` of its own
    values, and the null is 0.
    """
    new, old = kind.sign * pairs.candidate, kind.sign * pairs.baseline
    if shifted:
        return compare(new, old + bar * np.abs(old), pairs.clusters, alpha=alpha)
    return compare(new, old, pairs.clusters, alpha=alpha, null=bar)


def _too_few(metric: str, pairs: Selected, kind: Metric, bar: float) -> Effect:
    count = len(pairs.candidate)
    difference = float(pairs.candidate[0] - pairs.baseline[0]) if count else None
    note = (
        "one case alone says nothing about others"
        if count
        else ""
        if pairs.apart
        else "no case has a value for both arms"
    )
    return Effect(
        metric,
        count,
        count,
        difference,
        note=_noted(note, pairs),
        bar=bar,
        gain=kind.sign * (difference or 0.0) - bar,
        apart=pairs.apart,
    )


def _noted(note: str, pairs: Selected) -> str:
    """With what is to be said of cases that a timed metric leaves out."""
    every = len(pairs.candidate) + pairs.apart
    left = (
        f"{pairs.apart:,} of {every:,} cases are left out: their arms were asked at different "
        f"times (remembered replies)"
    )
    return "; ".join(filter(None, (note, left if pairs.apart else "")))


def _turned(interval: tuple[float, float], kind: Metric) -> tuple[float, float]:
    low, high = interval
    return (
        (float(low) + 0.0, float(high) + 0.0)
        if kind.higher_is_better
        else (0.0 - float(high), 0.0 - float(low))
    )  # never -0.0


def _same(pairs: Selected) -> bool:
    return bool((pairs.candidate == pairs.baseline).all())


def _free(pairs: Selected, kind: Metric) -> bool:
    """Whether both arms are 0 on every case of something that may only grow from there: neither
    costs anything.
    """
    return kind.relative and not pairs.candidate.any() and not pairs.baseline.any()


def _reach(pairs: Selected, kind: Metric, bar: float) -> float:
    largest = float(np.abs(np.concatenate([pairs.candidate, pairs.baseline])).max())
    span = 1.0 if kind.bounded or kind.pairwise else largest
    margin = abs(bar) * (float(np.abs(pairs.baseline).mean()) if kind.relative else 1.0)
    return margin / span if span else 0.0


def _share(pairs: Selected, kind: Metric) -> float | None:
    mean = float(np.abs(pairs.baseline).mean())
    return (
        float((pairs.candidate - pairs.baseline).mean()) / mean if kind.relative and mean else None
    )


def _cluster_mean(values: Array, pairs: Selected) -> float:
    if pairs.clusters is None:
        return float(values.mean())
    by_cluster: dict[Cluster, list[float]] = {}
    for label, value in zip(pairs.clusters, values.tolist(), strict=True):
        by_cluster.setdefault(label, []).append(value)
    return float(np.mean([sum(members) / len(members) for members in by_cluster.values()]))
