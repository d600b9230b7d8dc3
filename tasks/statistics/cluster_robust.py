"""The cluster-robust t test of a mean, corrected for skewness.

All functions take arrays whose last axis is the clusters, so that many experiments are computed at
once.
"""

from typing import NamedTuple

import numpy as np

from llmops.tasks.statistics.arrays import Array


class Fit(NamedTuple):
    """Of the mean over all cases: its value, standard error, degrees of freedom and skewness; one
    number per experiment each.
    """

    mean: Array
    error: Array
    freedom: Array
    skewness: Array


def fit(sums: Array, sizes: Array) -> Fit:
    """From the sum and the size of each of at least two clusters; every case weighs alike.

    The variance is CR2, the degrees of freedom are Satterthwaite's: Bell & McCaffrey (2002), Bias
    reduction in standard errors for linear regression with multi-stage samples; Pustejovsky &
    Tipton (2018), Small-sample methods for cluster-robust variance estimation. With clusters of one
    case these are the paired t test's. Without spread the skewness is 0.
    """
    n = sizes.sum(axis=-1)
    mean = sums.sum(axis=-1) / n
    residuals = (sums - mean[..., None] * sizes) / np.sqrt(1 - sizes / n[..., None])
    squares = (residuals**2).sum(axis=-1)
    skewness = (residuals**3).sum(axis=-1) / np.where(squares > 0, squares, 1) ** 1.5
    return Fit(mean, np.sqrt(squares) / n, degrees_of_freedom(sizes), skewness)


def p_value(found: Fit, null: float | Array) -> Array:
    """Two-sided, of H0: the true mean is `null`. The standard error must not be 0.

    Hall (1992), On the removal of skewness by transformation: a monotone cubic of t. Without
    skewness it is the t test.
    """
    from scipy.special import stdtr

    t, skew = (found.mean - null) / found.error, found.skewness
    return np.asarray(
        2 * stdtr(found.freedom, -np.abs(t + skew * t**2 / 3 + skew**2 * t**3 / 27 + skew / 6))
    )


def interval(found: Fit, alpha: float) -> tuple[Array, Array]:
    """All means whose p is alpha or more: the cubic turned back."""
    from scipy.special import stdtrit

    critical = stdtrit(found.freedom, 1 - alpha / 2)
    return found.mean - found.error * _back(
        critical, found.skewness
    ), found.mean - found.error * _back(-critical, found.skewness)


def _back(value: Array, skew: Array) -> Array:
    straight = np.abs(skew) < 1e-6
    safe = np.where(straight, 1, skew)
    return np.where(
        straight, value - skew / 6, 3 / safe * (np.cbrt(1 + safe * (value - safe / 6)) - 1)
    )


def degrees_of_freedom(sizes: Array) -> Array:
    """Satterthwaite's: n² over the sum of squares of the residuals' covariance, where the working
    model is independent cases.

    With clusters of one size, the number of clusters less one.
    """
    n = sizes.sum(axis=-1)
    cross = sizes**2 / (n[..., None] - sizes)
    squares = (sizes**2).sum(axis=-1) + cross.sum(axis=-1) ** 2 - (cross**2).sum(axis=-1)
    return np.asarray(n**2 / squares)
