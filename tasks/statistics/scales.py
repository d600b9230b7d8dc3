"""Scales of judges: from `binary`, `1-5` or a list of words to grades, and from a grade to a value
between 0 and 1.
"""

import re
from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import AfterValidator

RANGE = re.compile(r"(\d{1,3})\s*-\s*(\d{1,3})")
BINARY = "binary"
MOST_GRADES = 101
Grade = int | str


def _known(scale: "str | tuple[str, ...]") -> "str | tuple[str, ...]":
    grades_of(scale)
    return scale


Scale = Annotated[str | tuple[str, ...], AfterValidator(_known)]
"""`binary` (0 or 1), whole numbers such as `1-5`, or words, the worst first."""


def grades_of(scale: str | Sequence[str]) -> tuple[Grade, ...]:
    """The grades of a scale, the worst first. Raises ValueError for what is no scale."""
    if not isinstance(scale, str):
        return _words(scale)
    if scale == BINARY:
        return (0, 1)
    found = RANGE.fullmatch(scale.strip())
    if not found:
        raise ValueError(
            f"no scale: {scale!r}; allowed: binary, whole numbers such as 1-5, or a list "
            f"of words, the worst first"
        )
    low, high = int(found[1]), int(found[2])
    if not low < high < low + MOST_GRADES:
        raise ValueError(
            f"the scale {scale!r} goes from the worst to the best grade, and has at most "
            f"{MOST_GRADES} of them"
        )
    return tuple(range(low, high + 1))


def _words(words: Sequence[str]) -> tuple[Grade, ...]:
    folded = [word.strip().casefold() for word in words]
    if len(folded) < 2 or len({*folded}) < len(folded) or not all(folded):
        raise ValueError(
            f"a scale of words has two or more that differ, the worst first; got {list(words)}"
        )
    return tuple(word.strip() for word in words)


def read_grade(raw: Any, grades: Sequence[Grade]) -> Grade:
    """The grade that a JSON value names: 4, 4.0 and "4" are the same, on a binary scale true and 1
    are.

    Raises ValueError for every other.
    """
    plain = (isinstance(raw, bool) and tuple(grades) == (0, 1)) or (
        isinstance(raw, float) and raw.is_integer()
    )
    said = str(int(raw)) if plain else str(raw)
    for grade in grades:
        if str(grade).casefold() == said.strip().casefold():
            return grade
    raise ValueError(
        f"the grade must be one of {', '.join(map(str, grades))}; got {str(raw)[:40]!r}"
    )


def value_of(grade: Grade, grades: Sequence[Grade]) -> float:
    """0 for the worst, 1 for the best, the others evenly between."""
    return grades.index(grade) / (len(grades) - 1)


def nearest(value: float, grades: Sequence[Grade]) -> Grade:
    """The grade of a value; halfway between two it is the worse one."""
    place = value * (len(grades) - 1)
    return grades[int(place + 0.5 - 1e-9)]
