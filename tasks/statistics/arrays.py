"""The names of shapes that statistics speak of."""

from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[np.float64]]
Interval = tuple[float, float]
