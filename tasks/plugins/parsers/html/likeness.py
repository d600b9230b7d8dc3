"""Blocks of a page whose words another reader of it wrote otherwise: it joins powers and parts of
words, and leaves out what it does not know, a date in `time`, the reading beside a character.
"""

import re
from collections.abc import Sequence, Set
from difflib import SequenceMatcher
from typing import Final

from llmops.tasks.plugins.parsers.html.page_blocks import PageBlock

NO_LETTER: Final = re.compile(r"[\W_]+")
SHORTEST: Final = 8
"""Letters; fewer are alike by chance."""
LONGEST: Final = 2_000
ALIKE: Final = 0.6
MOST_PAIRS: Final = 20_000


def alike(said: str, blocks: Sequence[PageBlock], known: Set[int]) -> set[int]:
    """The places of blocks that a line of a text says in much the same letters, `known`: those
    that it consists of. Each line stands for one block.
    """
    seen = "".join(_letters(blocks[at].text) for at in sorted(known))
    lines = [line for line in map(_letters, said.split("\n")) if _counts(line) and line not in seen]
    others = {at: _letters(block.text) for at, block in enumerate(blocks) if at not in known}
    left = {at: letters for at, letters in others.items() if _counts(letters)}
    found = set[int]()
    if len(lines) * len(left) > MOST_PAIRS:
        return found
    for line in lines:
        best = max(left, key=lambda at: _likeness(line, left[at]), default=None)
        if best is not None and _likeness(line, left[best]) >= ALIKE:
            found.add(best)
            del left[best]
    return found


def _letters(text: str) -> str:
    return NO_LETTER.sub("", text.lower())


def _counts(letters: str) -> bool:
    return SHORTEST <= len(letters) <= LONGEST


def _likeness(line: str, letters: str) -> float:
    """From 0 to 1."""
    if line in letters or letters in line:
        return min(len(line), len(letters)) / max(len(line), len(letters))
    pair = SequenceMatcher(None, line, letters, autojunk=False)
    quick = min(pair.real_quick_ratio(), pair.quick_ratio())
    return pair.ratio() if quick >= ALIKE else 0.0
