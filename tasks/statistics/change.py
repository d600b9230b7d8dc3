"""Whether the mean of a metric is another one than before, and how often a watcher that asks so
again and again is wrong.
"""

from collections.abc import Hashable, Sequence
from typing import Literal

import numpy as np

from llmops.tasks.statistics.arrays import Array
from llmops.tasks.statistics.exchanges import Labels, dealt, draws_for, exchange_p

Direction = Literal["rises", "falls", "either"]
LARGEST_SHARE = 0.95
"""Of all units are at most as large as what the largest ones count for."""
LEAST_UNITS = 10
"""Of each window: with fewer, its spread is not known."""
USUAL_LEVEL = 0.002
"""About a tenth of a false alarm in a year of weekly looks."""


def level_per_look(false_alarms_per_year: float, looks_per_year: float) -> float:
    """The level of each look, so that at most that many false alarms are expected in a year.

    The expected number of false alarms is the sum of the levels, however the looks depend on each
    other: windows that overlap, metrics that move together (Boole's inequality; Spjøtvoll 1972, On
    the optimality of some multiple comparison procedures: the expected number of false rejections).
    Several tests at one look are so many looks. Raises ValueError for what is not above 0.
    """
    if not (false_alarms_per_year > 0 and looks_per_year > 0):
        raise ValueError(
            f"false alarms and looks per year are above 0, got {false_alarms_per_year:g} and "
            f"{looks_per_year:g}"
        )
    return min(1.0, false_alarms_per_year / looks_per_year)


def change_p(
    before: Sequence[float] | Array,
    before_units: Sequence[Hashable],
    now: Sequence[float] | Array,
    now_units: Sequence[Hashable],
    direction: Direction,
    seed: int = 0,
    *,
    level: float = USUAL_LEVEL,
) -> float | None:
    """The p of the test that the mean over the values of this window is that of the window before.

    `before_units`, `now_units`: a label for each value. Values of one unit (a conversation) are not
    independent, and are exchanged whole; a label that both windows have is a unit of each. The mean
    difference is divided by its cluster-robust standard error in each exchange: so p is exact where
    windows differ by chance alone, and right in large samples where only the means are the same,
    whatever the sizes and spreads (Chung & Romano 2013, Exact and asymptotically robust permutation
    tests). No flood is a change: a unit counts at most for as many values as 95 of 100 units have.
    The bound is that of both windows together, so the exchanges know it too.

    `level`: that the p will be compared with; exchanges are as many as it wants, and fewer where p
    is clearly larger. Deterministic for a seed. None where there is too little: fewer than 10 units
    with a finite value in either window. 1 where all values are the same. Raises ValueError where
    there are not as many labels as values.
    """
    past, present = unit_sums(before, before_units), unit_sums(now, now_units)
    if min(len(past), len(present)) < LEAST_UNITS:
        return None
    pooled = bounded(np.concatenate([present, past]))
    past, present = pooled[len(present) :], pooled[: len(present)]
    pooled = pooled.copy()
    pooled[:, 0] -= pooled[:, 0].sum() / pooled[:, 1].sum() * pooled[:, 1]
    spread = float(np.abs(pooled[:, 0]).max())
    scale = max(float(np.abs(past[:, 0]).max()), float(np.abs(present[:, 0]).max()))
    if spread <= 1e-9 * scale or spread == 0:
        return 1.0
    pooled[:, 0] /= spread
    test = _MeanTest(pooled, len(present), direction)
    seen = np.zeros(len(pooled), np.uint8)
    seen[: len(present)] = 1
    blocks = dealt(seen, draws_for(level), seed)
    return exchange_p(float(test(seen[None])[0]), test, blocks).p


def unit_sums(values: Sequence[float] | Array, units: Sequence[Hashable]) -> Array:
    """Sum and count of the finite values of each unit, units x 2, in the order of their first."""
    data = np.asarray(values, dtype=np.float64)
    if len(units) != len(data):
        raise ValueError(f"{len(data)} values, but {len(units)} labels of units")
    codes: dict[Hashable, int] = {}
    finite = np.flatnonzero(np.isfinite(data))
    index = np.array([codes.setdefault(units[int(row)], len(codes)) for row in finite], np.intp)
    sums = np.bincount(index, weights=data[finite], minlength=len(codes))
    return np.stack([sums, np.bincount(index, minlength=len(codes)).astype(np.float64)], axis=1)


def bounded(units: Array) -> Array:
    """Sums and counts with those of the largest units scaled down to what most have."""
    largest = float(np.quantile(units[:, 1], LARGEST_SHARE, method="higher"))
    return units * np.minimum(1.0, largest / units[:, 1])[:, None]


class _MeanTest:
    """The studentised difference of two means of ratios, of many exchanges at once."""

    def __init__(self, units: Array, now: int, direction: Direction) -> None:
        sums, sizes = units[:, 0], units[:, 1] / units[:, 1].max()
        self.moments = np.stack([sums, sizes, sums**2, sums * sizes, sizes**2], axis=1)
        self.total = self.moments.sum(axis=0)
        self.counts = (now, len(units) - now)
        self.direction = direction

    def __call__(self, labels: Labels) -> Array:
        """A number for each draw: the larger, the more it speaks for a change. Labels: 1 for this
        window.
        """
        present = labels.astype(np.float64) @ self.moments
        sides = present, self.total - present
        (mean, variance), (mean_before, variance_before) = (
            _mean_and_variance(side, count) for side, count in zip(sides, self.counts, strict=True)
        )
        difference = mean - mean_before
        error = np.sqrt(variance + variance_before)
        scale = np.where(error > 1e-12, error, 1e-12)
        studentised = np.where(np.abs(difference) > 1e-12, difference / scale, 0.0)
        if self.direction == "either":
            return np.abs(studentised)
        return studentised if self.direction == "rises" else -studentised


def _mean_and_variance(moments: Array, units: int) -> tuple[Array, Array]:
    """Of a ratio of sums over units, with the cluster-robust variance of the mean."""
    sums, sizes, squares, mixed, square_sizes = moments.T
    mean = sums / sizes
    around = squares - 2 * mean * mixed + mean**2 * square_sizes
    return mean, np.maximum(around, 0) / sizes**2 * units / (units - 1)
