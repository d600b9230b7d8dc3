"""Blocks of a page whose words another reader of it wrote otherwise: it joins powers and parts of
words, and leaves out what it does not know, a date in `time`, the reading beside a character.
"""

import re
from collections.abc import Sequence, Set
from typing import Final

from llmops.tasks.plugins.parsers.html.page_blocks import PageBlock

NO_LETTER: Final = re.compile(r"[\W_]+")
SHORTEST, LONGEST = 8, 400
"""Letters. Fewer are alike by chance; of more, most runs of words are the same."""
TOGETHER: Final = 3
ALIKE: Final = 0.55
"""The share of runs of three letters that two texts have in common (Dice 1945). Sentences on one
matter have a quarter.
"""
MOST_PAIRS: Final = 20_000


def alike(said: str, blocks: Sequence[PageBlock], known: Set[int]) -> set[int]:
    """The places of blocks that a line of a text says in much the same letters, `known`: those
    that it consists of. Each line stands for one block.
    """
    texts = [blocks[at].text for at in known]
    seen = {_letters(line) for text in texts for line in (text, *text.split("\n"))}
    lines = [line for line in map(_letters, said.split("\n")) if _counts(line) and line not in seen]
    others = {at: _letters(block.text) for at, block in enumerate(blocks) if at not in known}
    left = {at: _runs(letters) for at, letters in others.items() if _counts(letters)}
    found = set[int]()
    if len(lines) * len(left) > MOST_PAIRS:
        return found
    for line in map(_runs, lines):
        best = max(left, key=lambda at: _likeness(line, left[at]), default=None)
        if best is not None and _likeness(line, left[best]) >= ALIKE:
            found.add(best)
            del left[best]
    return found


def _letters(text: str) -> str:
    return NO_LETTER.sub("", text.lower())


def _counts(letters: str) -> bool:
    return SHORTEST <= len(letters) <= LONGEST


def _runs(letters: str) -> set[str]:
    return {letters[at : at + TOGETHER] for at in range(len(letters) - TOGETHER + 1)}


def _likeness(one: Set[str], other: Set[str]) -> float:
    """From 0 to 1."""
    return 2 * len(one & other) / (len(one) + len(other))
