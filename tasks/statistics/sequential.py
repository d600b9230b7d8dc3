"""Intervals that hold at every look at once: one may look after each case, and stop when the answer
is there.

The units are independent: cases, or clusters in the order in which their first case came. The order
must not depend on the results: draw it at random beforehand. Look when clusters are complete.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from llmops.tasks.statistics.arrays import Array, Interval

FIRST_LOOK = 30
TUNED_FOR = 200
CAP = 0.75


def confidence_sequence(
    differences: Sequence[float] | Array,
    clusters: Sequence[Any] | None = None,
    *,
    alpha: float = 0.05,
    bound: float | None = None,
) -> Interval:
    """The interval after what has come so far. With probability 1 - alpha all intervals, of all
    looks, hold the mean at once.

    What is estimated is the mean over clusters of each cluster's mean: every cluster weighs alike,
    however many cases it has. With clusters of one size that is the mean over cases. `bound`: no
    difference can be beyond ±bound. Then nothing else is assumed: two bets, one on each side,
    against every mean (Waudby-Smith & Ramdas 2023, Estimating means of bounded random variables by
    betting), and ends once reached stay. Without one the interval is asymptotic (Waudby-Smith,
    Arbour, Sinha, Kennedy & Ramdas 2024, Time-uniform central limit theory and asymptotic
    confidence sequences): it is infinite before 30 units, and where there is no spread. Raises
    ValueError for a difference beyond the bound, or not finite. No differences: what is known
    beforehand.
    """
    if not 0 < alpha < 1 or (bound is not None and not bound > 0):
        raise ValueError(
            f"alpha lies in (0, 1) and the bound is above 0, got alpha {alpha} and bound {bound}"
        )
    units = _units(differences, clusters)
    if bound is None:
        return _asymptotic(units, alpha)
    if len(units) and np.abs(np.asarray(differences)).max() > bound * (1 + 1e-9):
        raise ValueError(
            f"a difference of {np.abs(np.asarray(differences)).max():g} is beyond the "
            f"bound of {bound:g}"
        )
    low, high = _betting(np.clip(units / bound / 2 + 0.5, 0, 1), alpha)
    return (2 * low - 1) * bound, (2 * high - 1) * bound


def bets(units: Array, alpha: float) -> Array:
    """What is staked on each unit, known before it comes: the predictable plug-in. `units`: in [0,
    1], the last axis is time.
    """
    time = np.arange(1, units.shape[-1] + 1)
    means = (0.5 + np.cumsum(units, axis=-1)) / (time + 1)
    variances = (0.25 + np.cumsum((units - means) ** 2, axis=-1)) / (time + 1)
    before = np.concatenate([np.full((*units.shape[:-1], 1), 0.25), variances[..., :-1]], axis=-1)
    return np.asarray(np.sqrt(2 * math.log(2 / alpha) / (before * time * np.log(time + 1))))


def log_wealth(units: Array, stakes: Array, mean: Array | float, side: int) -> Array:
    """After each unit: the logarithm of the wealth of who bets that the true mean is above `mean`
    (side 1) or below it (side -1).

    While `mean` is the true one, wealth that starts at 1 ever reaches 2 / alpha with probability
    alpha / 2 at most (Ville 1939).
    """
    room = np.maximum(mean if side > 0 else 1 - mean, 1e-300)
    return np.asarray(
        np.cumsum(np.log1p(side * np.minimum(stakes, CAP / room) * (units - mean)), axis=-1)
    )


def asymptotic_half_width(spread: Array, time: Array, alpha: float) -> Array:
    """Half the width after `time` units of standard deviation `spread`; tightest near 200 units."""
    often = -2 * math.log(alpha)
    rho = (often + math.log(often + 1)) / TUNED_FOR
    inner = time * rho + 1
    return np.asarray(
        spread * np.sqrt(2 * inner / (time**2 * rho) * np.log(np.sqrt(inner) / alpha))
    )


def _units(differences: Sequence[float] | Array, clusters: Sequence[Any] | None) -> Array:
    data = np.asarray(differences, dtype=np.float64)
    if not np.isfinite(data).all():
        raise ValueError("a value is not finite; leave unscored cases out")
    if clusters is None:
        return data
    if len(clusters) != len(data):
        raise ValueError(f"{len(data)} values, but {len(clusters)} cluster labels")
    codes: dict[Any, int] = {}
    index = np.array([codes.setdefault(label, len(codes)) for label in clusters], dtype=np.intp)
    return np.asarray(np.bincount(index, weights=data) / np.bincount(index), dtype=np.float64)


def _asymptotic(units: Array, alpha: float) -> Interval:
    spread = float(units.std()) if len(units) else 0.0
    if len(units) < FIRST_LOOK or spread <= 1e-12 * float(np.abs(units).max()):
        return -math.inf, math.inf
    mean, half = (
        float(units.mean()),
        float(asymptotic_half_width(np.array(spread), np.array(float(len(units))), alpha)),
    )
    return mean - half, mean + half


def _betting(units: Array, alpha: float) -> Interval:
    """The means that neither bettor has ruined so far; between 0 and 1."""
    stakes, enough = bets(units, alpha), math.log(2 / alpha)

    def refuted(mean: float, side: int) -> bool:
        return bool(len(units)) and bool(log_wealth(units, stakes, mean, side).max() >= enough)

    low = _last(lambda mean: refuted(mean, 1), 0.0, 1.0)
    high = _last(lambda mean: refuted(mean, -1), 1.0, 0.0)
    return min(low, high), max(low, high)


def _last(refuted: Callable[[float], bool], start: float, end: float) -> float:
    """The last refuted mean on the way from `start` to `end`, by halving (all before it are refuted
    too); `start` if none is.
    """
    if not refuted(start):
        return start
    while abs(end - start) > 1e-9:
        middle = (start + end) / 2
        start, end = (middle, end) if refuted(middle) else (start, middle)
    return start
