"""Answers written by hand (`refusals.txt`): refusals in many languages, and answers that only look
like one.
"""

import re
from pathlib import Path

LINES = Path(__file__).with_name("refusals.txt").read_text("utf-8").splitlines()


def section(name: str) -> list[str]:
    """The lines below a heading."""
    first = LINES.index(f"[{name}]") + 1
    last = next(
        (place for place in range(first, len(LINES)) if re.fullmatch(r"\[[a-z]+\]", LINES[place])),
        len(LINES),
    )
    return [line for line in LINES[first:last] if line]


REFUSALS, FURTHER, OVERLOOKED, ANSWERS = map(
    section, ("refusals", "further", "overlooked", "answers")
)
