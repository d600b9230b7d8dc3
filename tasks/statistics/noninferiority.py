"""Is the candidate not worse than the baseline by more than a margin?"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from llmops.tasks.statistics.arrays import Array
from llmops.tasks.statistics.comparison import Comparison, compare


@dataclass(frozen=True)
class NonInferiority:
    """`holds`: the one-sided p of H0 "worse by `margin` or more" is below alpha / 2.

    `bound`: the end of the two-sided interval of candidate - baseline on the bad side: the low one
    where higher is better, else the high one. `holds` exactly where it lies within the margin.
    `comparison` is of candidate - baseline against the margin.
    """

    holds: bool
    p_value: float
    bound: float
    margin: float
    comparison: Comparison


def noninferior(
    candidate: Sequence[float] | Array,
    baseline: Sequence[float] | Array,
    margin: float,
    clusters: Sequence[Any] | None = None,
    *,
    alpha: float = 0.05,
    higher_is_better: bool = True,
) -> NonInferiority:
    """The one-sided test at level alpha / 2, by inverting the two-sided interval; `margin` ≥ 0 is
    in the metric's own unit.

    Committee for Medicinal Products for Human Use (2005), Guideline on the choice of the
    non-inferiority margin. Raises ValueError as `compare` does, and for a margin below 0.
    """
    if not margin >= 0:
        raise ValueError(f"the margin is what may be lost and must not be below 0, got {margin}")
    null = -margin if higher_is_better else margin
    found = compare(candidate, baseline, clusters, alpha=alpha, null=null)
    better = found.difference > null if higher_is_better else found.difference < null
    one_sided = found.p_value / 2 if better else 1 - found.p_value / 2
    return NonInferiority(
        one_sided < alpha / 2,
        one_sided,
        found.low if higher_is_better else found.high,
        margin,
        found,
    )
