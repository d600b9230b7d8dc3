"""Characters that nobody sees and that teach nothing good: controls, zero-width marks, tags."""

import re
import unicodedata

from llmops.tasks.datasets.training.contents import messages, text
from llmops.tasks.datasets.training.row import Row
from llmops.tasks.plugins.cleaners.unicode import CONTROLS, INVISIBLE, LOOSE_JOINER, SURROGATES

DIRECTIONS = re.compile("[\u061c\u200e\u200f\u202a-\u202c\u2066-\u2069]")
RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")
BREAK = "\u200b"
UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff]")
FLAG = re.compile("\U0001f3f4[\U000e0020-\U000e007e]{1,8}\U000e007f")
"""Flags of regions (England, Texas): tags that are seen."""
QUICK = re.compile("[^\t\n\r\x20-\x7e]")


def hidden(row: Row) -> list[str]:
    """The names of the characters in a row that nobody sees, each once, sorted.

    Marks of direction may stand in texts with letters from right to left, zero-width spaces in
    Thai, Lao, Burmese and Khmer, joiners where they join, tags in flags.
    """
    return sorted({name for one in messages(row) for name in _hidden(text(one))})


def _hidden(said: str) -> set[str]:
    if not QUICK.search(said):
        return set()
    said = FLAG.sub("", said)
    if RIGHT_TO_LEFT.search(said):
        said = DIRECTIONS.sub("", said)
    if UNSPACED.search(said):
        said = said.replace(BREAK, "")
    patterns = (CONTROLS, SURROGATES, INVISIBLE, LOOSE_JOINER)
    return {_name(one) for pattern in patterns for one in pattern.findall(said)}


def _name(character: str) -> str:
    name = unicodedata.name(character, "")
    return f"U+{ord(character):04X}" + (f" {name}" if name else "")
