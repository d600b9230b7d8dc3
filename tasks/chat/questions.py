"""When two questions are the same, and how alike they are."""

import re
import unicodedata
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from llmops.tasks.retrieval.hybrid import Vector

ENDS: Final = " .!?…。！？؟"


def plain(question: str) -> str:
    """The words of a question: without case, spacing, and the signs at its end. Equal ones are the
    same question; signs within (C++, C#) tell them apart.
    """
    text = unicodedata.normalize("NFKC", question).casefold()
    return " ".join(text.split()).strip(ENDS)


def numbers(question: str) -> tuple[str, ...]:
    """The numbers in a question, in order. Questions that differ in them are never alike, whatever
    their vectors say: `in 2024` and `in 2025`, `from 3 to 4` and `from 4 to 3`.
    """
    return tuple(re.findall(r"\d+", unicodedata.normalize("NFKC", question)))


def best(
    vector: Vector, others: NDArray[np.float32], thresholds: float | Sequence[float]
) -> tuple[int, float] | None:
    """The row that is most alike, by cosine, of those that reach their threshold, and how much;
    None for none. All vectors have the length 1; shapes (dimension,) and (rows, dimension).
    """
    if not len(others):
        return None
    scores = others @ vector
    reached = np.where(scores >= np.asarray(thresholds, np.float32), scores, -2.0)
    row = int(reached.argmax())
    return None if reached[row] < -1.5 else (row, float(scores[row]))
