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
