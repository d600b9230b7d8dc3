"""Several tests at once."""

from collections.abc import Sequence

import numpy as np


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p values in the order given: those below alpha are rejected, and one false rejection
    among all has at most the rate alpha.

    No assumption on how the tests depend on each other. Empty gives empty. Raises ValueError
    outside [0, 1]. Holm (1979), A simple sequentially rejective multiple test procedure.
    """
    p = np.asarray(p_values, dtype=np.float64)
    if not ((p >= 0) & (p <= 1)).all():
        raise ValueError(
            f"p values lie in [0, 1], got {[value for value in p.tolist() if not 0 <= value <= 1]}"
        )
    order = np.argsort(p, kind="stable")
    adjusted = np.empty_like(p)
    adjusted[order] = np.maximum.accumulate(np.minimum(1, p[order] * np.arange(len(p), 0, -1)))
    return [float(value) for value in adjusted]


def tarone(p_values: Sequence[float], least: Sequence[float], alpha: float) -> list[float]:
    """Adjusted p values of discrete tests, in the order given: one false rejection among all has at
    most the rate alpha. `least`: the smallest p value that each test could have given.

    A test that can never reject at alpha/k takes no part in a correction for k tests, so k is the
    smallest number with at most k tests that can; the others have the value 1. No assumption on how
    the tests depend on each other. Adjusted values are compared with this alpha alone. Raises
    ValueError outside [0, 1]. Tarone (1990), A modified Bonferroni method for discrete data.
    """
    p, lowest = np.asarray(p_values, np.float64), np.asarray(least, np.float64)
    if p.shape != lowest.shape:
        raise ValueError(f"{len(p_values)} p values, but {len(least)} least ones")
    if not (((p >= 0) & (p <= 1)).all() and ((lowest >= 0) & (lowest <= 1)).all()):
        raise ValueError("p values lie in [0, 1]")
    count = next(k for k in range(1, len(p) + 2) if (lowest <= alpha / k).sum() <= k)
    possible = lowest <= alpha / count
    return [float(value) for value in np.where(possible, np.minimum(1, p * count), 1.0)]
