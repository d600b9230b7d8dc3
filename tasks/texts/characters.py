"""Numbers for the characters of a text, all at once."""

from collections.abc import Callable
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
KNOWN = 1 << 15


def codes_of(text: str) -> Array:
    """The code points of a text, uint32."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)


class CharacterTable:
    """What a function says of a code point, below 2^15. It is asked once per distinct one."""

    def __init__(self, number: Callable[[int], int]) -> None:
        self._number = number
        self._table = np.zeros(0x110000, np.uint16)
        """Beside KNOWN; 0 for those that nobody has asked for yet."""

    def of(self, codes: Array) -> Array:
        """The numbers of code points, uint16 of the same shape."""
        numbers: Array = self._table.take(codes)
        if len(numbers) and numbers.min() < KNOWN:
            for code in np.unique(codes[numbers < KNOWN]).tolist():
                self._table[code] = KNOWN | self._number(code)
            numbers = self._table.take(codes)
        return numbers ^ KNOWN
