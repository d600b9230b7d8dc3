"""The sign-flip test of a mean over clusters, and its interval.

If the arms do not differ, the difference of a cluster is as likely to be positive as negative:
turning the signs of clusters round gives data as likely as those seen. So the test keeps its level
exactly, whatever the spread, ties and sizes of clusters. Fisher (1935), The Design of Experiments,
section 21; Canay, Romano & Shaikh (2017), Randomization tests under an approximate symmetry
assumption (for clusters).
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from llmops.tasks.statistics.arrays import Array, Interval

ALL_UP_TO = 13
DRAWS = 10_000
BLOCK = 2_000_000


def draws(count: int) -> int:
    """How many ways to turn signs round are looked at, the one that turns none included: all up to
    13 clusters.
    """
    return 2**count if count <= ALL_UP_TO else min(DRAWS, max(1_000, DRAWS * 2_000 // count))


def turned(count: int) -> Iterator[Array]:
    """Which of `count` clusters are turned round: 0 and 1, draws x clusters in blocks, without the
    draw that turns none.
    """
    number = draws(count) - 1
    if count <= ALL_UP_TO:
        yield ((np.arange(1, number + 1)[:, None] >> np.arange(count)) & 1).astype(np.float64)
        return
    random, rows = np.random.default_rng(count), max(1, BLOCK // count)
    for start in range(0, number, rows):
        drawn = min(rows, number - start)
        bits = np.unpackbits(
            random.integers(0, 256, (drawn, -(-count // 8)), dtype=np.uint8), axis=1, count=count
        )
        bits[~bits.any(axis=1), 0] = 1
        yield bits.astype(np.float64)


@dataclass(frozen=True)
class SignFlips:
    """The test of one set of clusters. Turning a subset round changes the sum to the other side
    exactly where the mean of the subset lies on the other side of the null, so the means of the
    subsets hold all answers (Hartigan 1969, Using subsample values as typical values).

    Deterministic; the draws depend on the number of clusters alone, so the order of clusters should
    not depend on the caller.
    """

    sums: Array
    sizes: Array

    @cached_property
    def means(self) -> Array:
        """Of the subsets, ascending."""
        both = np.stack([self.sums, self.sizes], axis=1)
        parts = [block @ both for block in turned(len(self.sums))]
        return np.sort(np.concatenate([part[:, 0] / part[:, 1] for part in parts]))

    @cached_property
    def _rounding(self) -> float:
        return 1e-12 * float(np.abs(self.means).max())

    def p_value(self, null: float) -> float:
        """Two-sided. 0 where no random draw is as extreme: below what the draws can tell."""
        below = int(np.searchsorted(self.means, null + self._rounding, "right"))
        above = len(self.means) - int(np.searchsorted(self.means, null - self._rounding, "left"))
        return p_of(min(below, above), len(self.sums))

    def interval(self, alpha: float) -> Interval:
        """All nulls whose p is alpha or more; infinite where so few clusters can reject none."""
        kept = _kept(len(self.sums), alpha)
        if kept == 0 or kept > len(self.means):
            return -math.inf, math.inf
        return float(self.means[kept - 1]) - self._rounding, float(
            self.means[-kept]
        ) + self._rounding


def p_of(as_extreme: int, count: int) -> float:
    """The two-sided p of `count` clusters where `as_extreme` draws are at least as far on the rarer
    side.
    """
    return (
        0.0
        if as_extreme == 0 and count > ALL_UP_TO
        else min(1.0, 2 * (1 + as_extreme) / draws(count))
    )


def _kept(count: int, alpha: float) -> int:
    """The least number of draws as extreme that keeps the null."""
    number = max(0, math.ceil(alpha * draws(count) / 2) - 2)
    while p_of(number, count) < alpha:
        number += 1
    return number
