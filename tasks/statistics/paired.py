"""Paired comparison: two arms on the same cases."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from llmops.tasks.statistics.arrays import Array
from llmops.tasks.statistics.intervals import mean_interval, totals


@dataclass(frozen=True)
class PairedEffect:
    """The mean of `a - b` with its interval; `n` cases in `clusters` independent groups."""

    difference: float
    low: float
    high: float
    n: int
    clusters: int


def paired_difference(
    a: Sequence[float] | Array,
    b: Sequence[float] | Array,
    clusters: Sequence[Any] | None = None,
    level: float = 0.95,
) -> PairedEffect:
    """The mean difference a - b over the same cases in the same order, with the interval of
    `mean_interval`.

    Equal results give exactly [0, 0]: no difference. Where all clusters differ by one and the same
    amount, a bootstrap sees no spread; the interval is then that of the sign test, so that fewer
    than six such clusters never exclude 0 at 95 % (Dixon & Mood 1946, The Statistical Sign Test).
    Raises ValueError without cases, or for unequal lengths.
    """
    if len(a) != len(b):
        raise ValueError(f"pairs need equal lengths, got {len(a)} and {len(b)}")
    differences = np.asarray(a, dtype=np.float64) - np.asarray(b, dtype=np.float64)
    sums, sizes = totals(differences, clusters)
    difference = float(sums.sum() / sizes.sum())
    low, high = mean_interval(differences, clusters, level)
    if np.ptp(sums / sizes) < 1e-12:
        # all agree: at least this share of the population does (Clopper & Pearson 1934), and the
        # rest may be the opposite
        agreeing = ((1 - level) / 2) ** (1 / len(sums))
        low, high = sorted((difference, difference * (2 * agreeing - 1)))
    return PairedEffect(difference, low, high, len(differences), len(sums))
