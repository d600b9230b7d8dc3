"""Confidence intervals for a mean and for a share, with or without clusters.

Observations that share a cluster (questions on one document) are not independent: clusters are the
units.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from llmops.tasks.statistics.arrays import Array, Interval

RESAMPLES = 10_000
BLOCK = 2_000_000


def mean_interval(
    values: Sequence[float] | Array, clusters: Sequence[Any] | None = None, level: float = 0.95
) -> Interval:
    """The interval of a mean by the expanded percentile bootstrap over clusters, 10,000 resamples.

    `clusters`: one label per value; None: every value its own. Deterministic, and no order matters:
    the resamples depend on the number of clusters alone. So raising a value lowers neither end,
    where clusters are of one size. The ends stay within the data; without spread both are the mean.
    Raises ValueError for none, or one not finite. Hesterberg (2015), What Teachers Should Know
    About the Bootstrap: the percentiles are moved outwards so that normal data get the width of
    Student's t.
    """
    sums, sizes = totals(values, clusters)
    mean = float(sums.sum() / sizes.sum())
    if len(sums) == 1 or np.ptp(sums / sizes) < 1e-12:
        return mean, mean
    tail = expanded_tail(len(sums), level)
    low, high = np.quantile(_resampled_means(sums, sizes), [tail, 1 - tail])
    return min(float(low), mean), max(float(high), mean)


def share_interval(
    values: Sequence[float] | Array, clusters: Sequence[Any] | None = None, level: float = 0.95
) -> Interval:
    """The interval of a mean of values in [0, 1]: Wilson's, at the effective sample size, with
    Student's t (Satterthwaite's degrees).

    It has a width even where all values are 0 or all are 1, and stays within [0, 1]. The effective
    size is the number of independent yes-no answers with the same cluster-robust variance (CR2);
    without spread, the number of clusters. Dean & Pagano (2015), Evaluating Confidence Interval
    Methods for Binomial Proportions in Clustered Surveys. Raises ValueError without values, or
    outside [0, 1].
    """
    from scipy.special import stdtrit

    from llmops.tasks.statistics.cluster_robust import degrees_of_freedom

    sums, sizes = totals(values, clusters)
    if np.min(values) < 0 or np.max(values) > 1:
        raise ValueError(f"shares lie in [0, 1], got {np.min(values)} to {np.max(values)}")
    n, count = float(sizes.sum()), len(sums)
    share = float(sums.sum()) / n
    if count == 1:
        return 0.0, 1.0
    variance = float(((sums - share * sizes) ** 2 / (1 - sizes / n)).sum()) / n**2
    effective = share * (1 - share) / variance if variance > 1e-12 else float(count)
    return _score(share, effective, float(stdtrit(degrees_of_freedom(sizes), (1 + level) / 2)))


def wilson_interval(successes: int, trials: int, level: float = 0.95) -> Interval:
    """Wilson's score interval of a proportion from independent trials. Raises ValueError without
    trials.

    Wilson (1927), Probable inference, the law of succession, and statistical inference.
    """
    from scipy.special import ndtri

    if not 0 <= successes <= trials or trials == 0:
        raise ValueError(
            f"successes must lie between 0 and trials, and trials above 0; got {successes} "
            f"of {trials}"
        )
    return _score(successes / trials, trials, float(ndtri((1 + level) / 2)))


def totals(values: Sequence[float] | Array, clusters: Sequence[Any] | None) -> tuple[Array, Array]:
    """Sum and size per cluster, in an order that depends on these alone. Raises ValueError for
    none, or not finite.
    """
    data = np.asarray(values, dtype=np.float64)
    if data.size == 0 or not np.isfinite(data).all():
        raise ValueError(
            "no values" if data.size == 0 else "a value is not finite; leave unscored cases out"
        )
    if clusters is None:
        return np.sort(data), np.ones_like(data)
    if len(clusters) != len(data):
        raise ValueError(f"{len(data)} values, but {len(clusters)} cluster labels")
    codes: dict[Any, int] = {}
    index = [codes.setdefault(label, len(codes)) for label in clusters]
    sums = np.bincount(index, weights=data).astype(np.float64)
    sizes = np.bincount(index).astype(np.float64)
    order = np.lexsort((sums, sizes))
    return sums[order], sizes[order]


def expanded_tail(count: int, level: float) -> float:
    """The share of resamples below the interval, so that normal data of `count` units get the width
    of Student's t (Hesterberg 2015).
    """
    from scipy.special import ndtr, stdtrit

    return float(ndtr(-np.sqrt(count / (count - 1)) * stdtrit(count - 1, (1 + level) / 2)))


def _resampled_means(sums: Array, sizes: Array) -> Array:
    count = len(sums)
    random = np.random.default_rng(count)
    means = []
    for start in range(0, RESAMPLES, rows := max(1, BLOCK // count)):
        drawn = random.integers(0, count, (min(rows, RESAMPLES - start), count), dtype=np.int32)
        means.append(sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1))
    return np.concatenate(means)


def _score(share: float, n: float, critical: float) -> Interval:
    square = critical**2
    centre = (share + square / (2 * n)) / (1 + square / n)
    half = critical / (1 + square / n) * np.sqrt(share * (1 - share) / n + square / (4 * n**2))
    return max(0.0, float(centre - half)), min(1.0, float(centre + half))
