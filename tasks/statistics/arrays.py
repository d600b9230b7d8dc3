"""The names of shapes that statistics speak of."""

from typing import Any

import numpy as np

from llmops.tasks.postponed import postponed

Array = np.ndarray[Any, np.dtype[np.float64]]
Interval = tuple[float, float]

postponed("numpy.f2py")  # a compiler, which SciPy imports with all that NumPy has
