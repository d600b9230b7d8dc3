"""Text that a document holds and does not show: kept apart, in small amounts, for whoever judges
it.
"""

from collections.abc import Iterable
from typing import Any, Final

MOST, LONGEST, SHORTEST = 20, 500, 3


def metadata(texts: Iterable[str]) -> dict[str, Any]:
    """`hidden_text` for a document's metadata: up to 20 different texts of up to 500 characters; {}
    where there is none.
    """
    found: dict[str, None] = {}
    for text in texts:
        squeezed = " ".join(text.split())[:LONGEST]
        if len(squeezed) >= SHORTEST and any(c.isalpha() for c in squeezed):
            found[squeezed] = None
        if len(found) == MOST:
            break
    return {"hidden_text": list(found)} if found else {}


WHITE: Final = 250
"""From this value on, each of red, green and blue looks like white (0 to 255)."""


def white(colour: tuple[int, int, int]) -> bool:
    return min(colour) >= WHITE
