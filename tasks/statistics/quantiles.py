"""A quantile with its confidence interval, for values that come in clusters."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from llmops.tasks.statistics.arrays import Array, Interval
from llmops.tasks.statistics.intervals import share_interval


def quantile(values: Sequence[float] | Array, share: float) -> float:
    """The smallest value that so large a share of all values do not exceed. Raises ValueError
    without values.
    """
    ordered = np.sort(np.asarray(values, dtype=np.float64))
    if not ordered.size:
        raise ValueError("no values")
    return float(ordered[_place(share, ordered.size)])


def quantile_interval(
    values: Sequence[float] | Array,
    share: float,
    clusters: Sequence[Any] | None = None,
    level: float = 0.95,
) -> Interval | None:
    """The interval of a quantile: the quantiles at the ends of the interval of the share of values
    that do not exceed it, which is `share_interval`'s, clusters being the units.

    Woodruff (1952), Confidence Intervals for Medians and Other Position Measures. Its ends are
    values that were observed; None where there are so few clusters that all of them may lie on one
    side of it: fewer than 72 for the 95th percentile, 6 for the median. Raises ValueError without
    values, or where one is not finite.
    """
    data = np.asarray(values, dtype=np.float64)
    if not np.isfinite(data).all():
        raise ValueError("a value is not finite; leave unknown ones out")
    ordered = np.sort(data)
    count = len(data) if clusters is None else len(set(clusters))
    if max(share, 1 - share) ** count > (1 - level) / 2:
        return None
    point = quantile(ordered, share)
    low, high = share_interval((data <= point).astype(np.float64), clusters, level)
    # values that are equal make the observed share larger than the wanted one
    above = float(np.mean(data <= point)) - share
    ends = [max(0.0, low - above), min(1.0, high - above)]
    first, last = (float(ordered[_place(end, ordered.size)]) for end in ends)
    return min(first, point), max(last, point)


def _place(share: float, count: int) -> int:
    return min(count - 1, max(0, int(np.ceil(share * count - 1e-9)) - 1))
