"""Two arms on the same cases: is the one better, by how much, and what could these cases have
shown?
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from llmops.tasks.statistics import cluster_robust, mcnemar
from llmops.tasks.statistics.arrays import Array, Interval
from llmops.tasks.statistics.intervals import totals
from llmops.tasks.statistics.power import cases_for, detectable_effect, least_clusters
from llmops.tasks.statistics.sign_flips import SignFlips

SAME = 1e-12
POWER = 0.8
ROBUST = "cluster-robust t (CR2) and sign flips"


@dataclass(frozen=True)
class Comparison:
    """The mean of candidate - baseline with its two-sided interval, and the p of H0: it is `null`.

    The interval leaves `null` out exactly where `p_value` is below alpha. `n` cases lie in
    `clusters` independent groups. `minimum_detectable_effect`: the least distance from `null` that
    so many cases show in 4 of 5 experiments; `cases_needed`: cases in all, with which the
    difference seen, were it the true one, would be told from `null` in 4 of 5. Both are the t
    test's; None where nothing spreads, where the clusters are too few for anything to show, or
    where the difference seen is `null`. `note` is empty, or a sentence on why the numbers mean less
    than they seem to.
    """

    difference: float
    low: float
    high: float
    p_value: float
    test: str
    n: int
    clusters: int
    standard_error: float
    minimum_detectable_effect: float | None
    cases_needed: int | None
    note: str = ""


@dataclass(frozen=True)
class PairedArms:
    """Differences as sums and sizes of clusters; `binary`: both arms hold 0 and 1 alone; `span`:
    how far apart values can lie.
    """

    sums: Array
    sizes: Array
    binary: bool
    span: float

    @property
    def difference(self) -> float:
        return float(self.sums.sum() / self.sizes.sum())

    @property
    def shared(self) -> bool:
        return bool(self.sizes.max() > 1)

    @property
    def constant(self) -> bool:
        """Whether all clusters differ by the same amount, but for rounding."""
        return bool(np.ptp(self.sums / self.sizes) <= SAME * max(self.span, SAME))


def compare(
    candidate: Sequence[float] | Array,
    baseline: Sequence[float] | Array,
    clusters: Sequence[Any] | None = None,
    *,
    alpha: float = 0.05,
    null: float = 0.0,
) -> Comparison:
    """Compares the arms on the same cases in the same order; `clusters`: one label per case, None:
    every case its own.

    Deterministic; neither the order of cases nor the names of clusters matter. Raises ValueError
    for fewer than two cases, a value that is not finite, lengths that differ, or an alpha outside
    (0, 1).
    """
    pairs = _pairs(candidate, baseline, clusters, alpha)
    if pairs.binary and not pairs.shared:
        return _exact(pairs, alpha, null)
    if pairs.constant and pairs.binary and pairs.difference != 0 and len(pairs.sums) > 1:
        return _agreed(pairs, alpha, null)
    return _without_spread(pairs, alpha, null) if pairs.constant else _robust(pairs, alpha, null)


def _pairs(
    candidate: Sequence[float] | Array,
    baseline: Sequence[float] | Array,
    clusters: Sequence[Any] | None,
    alpha: float,
) -> PairedArms:
    new, old = np.asarray(candidate, dtype=np.float64), np.asarray(baseline, dtype=np.float64)
    if new.shape != old.shape or new.ndim != 1:
        raise ValueError(f"pairs need equal lengths, got {len(new)} and {len(old)}")
    if len(new) == 1:
        raise ValueError("one case alone says nothing about others; at least two are needed")
    if not (np.isfinite(new).all() and np.isfinite(old).all()):
        raise ValueError("a value is not finite; leave unscored cases out")
    if not 0 < alpha < 1:
        raise ValueError(f"alpha lies in (0, 1), got {alpha}")
    sums, sizes = totals(new - old, clusters)
    both = np.concatenate([new, old])
    shares = both.min() >= 0 and both.max() <= 1
    return PairedArms(
        sums, sizes, bool(np.isin(both, (0, 1)).all()), 1.0 if shares else float(np.ptp(both))
    )


def _exact(pairs: PairedArms, alpha: float, null: float) -> Comparison:
    """McNemar's exact p for `null` 0, Tango's for others; the interval is Tango's, widened to 0
    where the exact test keeps 0.

    The exact test rejects less often than Tango's at 0. What lies between 0 and the difference
    cannot be rejected while 0 is not.
    """
    wins, losses, n = int((pairs.sums > 0).sum()), int((pairs.sums < 0).sum()), len(pairs.sums)
    exact = mcnemar.exact_p(wins, losses)
    p = max(
        mcnemar.score_p(wins, losses, n, null),
        exact if null * pairs.difference >= 0 and abs(null) <= abs(pairs.difference) else 0,
    )
    low, high = mcnemar.score_interval(wins, losses, n, alpha)
    if exact >= alpha:
        low, high = min(low, 0.0), max(high, 0.0)
    note = "" if wins + losses else "no case differs"
    return _result(
        pairs,
        (low, high),
        p,
        "exact McNemar" if null == 0 else "score test (Tango)",
        alpha,
        null,
        note,
    )


def _robust(pairs: PairedArms, alpha: float, null: float) -> Comparison:
    """The wider of two tests that each do what the other cannot. Sign flips keep their level
    exactly where the arms do not differ, however few, tied or unequal the clusters are; the t test
    corrected for skewness sees rare great losses behind frequent small gains."""
    side = -1 if pairs.difference < 0 else 1
    order = np.lexsort((side * pairs.sums, pairs.sizes))
    flips = SignFlips(side * pairs.sums[order], pairs.sizes[order])
    found = cluster_robust.fit(pairs.sums, pairs.sizes)
    p = max(float(cluster_robust.p_value(found, null)), flips.p_value(side * null))
    ends = [float(end) for end in cluster_robust.interval(found, alpha)] + [
        side * end for end in flips.interval(alpha)
    ]
    few = not np.isfinite(ends).all()
    low, high = (min(null, *ends[:2]), max(null, *ends[:2])) if few else (min(ends), max(ends))
    note = (
        f"{len(pairs.sums)} clusters are too few for any difference to be significant at {alpha:g}"
        if few
        else ""
    )
    return _result(
        pairs,
        (min(low, pairs.difference), max(high, pairs.difference)),
        p,
        ROBUST,
        alpha,
        null,
        note,
    )


def _agreed(pairs: PairedArms, alpha: float, null: float) -> Comparison:
    """Yes-no answers where all clusters went the same way by the same amount: the sign test,
    inverted.

    At least a share of all clusters does as those seen (Clopper & Pearson 1934). The rest may do
    the opposite, or, where some cases of each cluster are alike in both arms, may differ in all
    cases.
    """
    d, count = pairs.difference, len(pairs.sums)
    alike = (alpha / 2) ** (1 / count)
    opposite, more = d * (2 * alike - 1), d + (1 - alike) * (np.sign(d) - d)
    towards = null / d <= 1
    share = (null / d + 1) / 2 if towards else (1 - abs(null)) / (1 - abs(d)) if abs(d) < 1 else 0.0
    p = min(1.0, 2 * max(0.0, share) ** count)
    return _result(
        pairs,
        (float(min(opposite, more)), float(max(opposite, more))),
        p,
        "sign test over clusters",
        alpha,
        null,
    )


def _without_spread(pairs: PairedArms, alpha: float, null: float) -> Comparison:
    """Nothing is known of the spread: p is 1, and the share of clusters that may differ unseen may
    differ by anything up to `span`.
    """
    d, unseen = pairs.difference, 1 - (alpha / 2) ** (1 / len(pairs.sums))
    low, high = d - unseen * (d + pairs.span), d + unseen * (pairs.span - d)
    why = (
        "no case differs"
        if d == 0
        else "all clusters differ by the same amount: without spread there is no test"
    )
    note = "one cluster alone says nothing about others" if len(pairs.sums) == 1 else why
    return _result(
        pairs, (min(low, null, d), max(high, null, d)), 1.0, "none (no spread)", alpha, null, note
    )


def _result(
    pairs: PairedArms,
    interval: Interval,
    p: float,
    test: str,
    alpha: float,
    null: float,
    note: str = "",
) -> Comparison:
    difference, n = pairs.difference, float(pairs.sizes.sum())
    plain = Comparison(
        difference,
        interval[0],
        interval[1],
        p,
        test,
        int(n),
        len(pairs.sums),
        0.0,
        None,
        None,
        note,
    )
    if pairs.constant or len(pairs.sums) == 1:
        return plain
    found = cluster_robust.fit(pairs.sums, pairs.sizes)
    error, freedom = float(found.error), float(found.freedom)
    away = difference - null
    far = alpha < POWER and abs(away) > SAME * pairs.span
    needed = cases_for(away, error, freedom, len(pairs.sums), n, alpha, POWER) if far else None
    enough = alpha < POWER and len(pairs.sums) >= least_clusters(alpha)
    return replace(
        plain,
        standard_error=error,
        cases_needed=needed,
        minimum_detectable_effect=detectable_effect(error, freedom, alpha, POWER)
        if enough
        else None,
    )
