"""What a comparison can see: the least effect with the cases there are, and the cases that an
effect needs.

Both are of the two-sided t test over independent units (clusters); Cohen (1988), Statistical Power
Analysis for the Behavioral Sciences.
"""

import math
from collections.abc import Sequence
from functools import cache, lru_cache
from typing import Any

import numpy as np

from llmops.tasks.statistics.arrays import Array
from llmops.tasks.statistics.cluster_robust import Fit, fit
from llmops.tasks.statistics.intervals import totals

MOST = 10**9
NODES = 400


def power_of(effect: float, standard_error: float, freedom: float, alpha: float = 0.05) -> float:
    """How often the two-sided t test finds a true difference `effect` when its standard error is
    `standard_error` (above 0).

    The noncentral t as a mean over the chi distribution, by Gauss-Legendre quadrature: that has a
    value wherever it is asked.
    """
    from scipy.special import gammaincinv, ndtr, stdtrit

    nodes, weights = _nodes()
    spread = np.sqrt(2 / freedom * gammaincinv(freedom / 2, (nodes + 1) / 2))
    critical, shift = float(stdtrit(freedom, 1 - alpha / 2)), abs(effect) / standard_error
    found = ndtr(shift - critical * spread) + ndtr(-shift - critical * spread)
    return float(weights @ found / 2)


def least_clusters(alpha: float) -> int:
    """The fewest clusters that can be significant: all on one side, if each is as likely on either,
    is of probability 2^(1 - clusters).
    """
    return math.floor(-math.log2(alpha)) + 2


def minimum_detectable_effect(
    differences: Sequence[float] | Array,
    clusters: Sequence[Any] | None = None,
    alpha: float = 0.05,
    power: float = 0.8,
) -> float:
    """The least true difference that cases like these, and as many, show with probability `power`.

    Raises ValueError without spread between clusters, with one cluster, or with `alpha` and `power`
    out of their ranges.
    """
    found, _, _ = _spread(differences, clusters)
    return detectable_effect(float(found.error), float(found.freedom), alpha, power)


def detectable_effect(
    standard_error: float, freedom: float, alpha: float = 0.05, power: float = 0.8
) -> float:
    """The same from a standard error and its degrees of freedom (clusters - 1, where they are of
    one size), both above 0.
    """
    _check(alpha, power)
    if not standard_error > 0 or not freedom > 0:
        raise ValueError(
            f"standard error and degrees of freedom must be above 0, got {standard_error} "
            f"and {freedom}"
        )
    return _standard_errors(freedom, alpha, power) * standard_error


@lru_cache(maxsize=256)
def _standard_errors(freedom: float, alpha: float, power: float) -> float:
    """The least effect in standard errors. One decision asks for the same ones again and again."""
    from scipy.optimize import brentq

    high = 1.0
    while power_of(high, 1.0, freedom, alpha) < power:
        high *= 2
    return float(
        brentq(lambda effect: power_of(effect, 1.0, freedom, alpha) - power, 0, high, xtol=1e-10)
    )


def cases_needed(
    differences: Sequence[float] | Array,
    effect: float,
    clusters: Sequence[Any] | None = None,
    alpha: float = 0.05,
    power: float = 0.8,
) -> int:
    """Cases in all that find a true difference `effect` with probability `power`, where more cases
    come as these did.

    That is in clusters as large and as much alike as those seen: the spread is the cluster-robust
    one, so the design effect (Kish 1965, Survey Sampling) is in it. Never fewer than
    `least_clusters`. Raises ValueError for an effect of 0, without spread, or with one cluster.
    """
    _check(alpha, power)
    if effect == 0 or not math.isfinite(effect):
        raise ValueError(f"the effect must be a number other than 0, got {effect}")
    found, groups, n = _spread(differences, clusters)
    return cases_for(effect, float(found.error), float(found.freedom), groups, n, alpha, power)


def cases_for(
    effect: float, error: float, freedom: float, clusters: int, n: float, alpha: float, power: float
) -> int:
    """`n` cases in `clusters` had the standard error `error`; both shrink and grow with the number
    of clusters. At most a billion.
    """

    def enough(times: float) -> bool:
        degrees = max(freedom * (clusters * times - 1) / (clusters - 1), 1e-3)
        return power_of(effect, error / math.sqrt(times), degrees, alpha) >= power

    low = high = least_clusters(alpha) / clusters
    while not enough(high):
        low, high = high, high * 2
        if high * n > MOST:
            return MOST
    while (high - low) * n > 1e-6:
        middle = (low + high) / 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return math.ceil(high * n - 1e-6)


def _spread(
    differences: Sequence[float] | Array, clusters: Sequence[Any] | None
) -> tuple[Fit, int, float]:
    sums, sizes = totals(differences, clusters)
    if len(sums) < 2:
        raise ValueError("one cluster shows no spread between clusters; at least two are needed")
    found, largest = fit(sums, sizes), float(np.abs(sums / sizes).max())
    if found.error <= 1e-12 * largest:
        raise ValueError(
            "all clusters differ by the same amount: no spread, nothing to compute from"
        )
    return found, len(sums), float(sizes.sum())


@cache
def _nodes() -> tuple[Array, Array]:
    return np.polynomial.legendre.leggauss(NODES)


def _check(alpha: float, power: float) -> None:
    if not 0 < alpha < 1 or not alpha < power < 1:
        raise ValueError(
            f"alpha lies in (0, 1) and power in (alpha, 1); got alpha {alpha}, power {power}"
        )
