"""A small linear model of what instructions to a model sound like: hashed word sequences, learned
by `benchmarks.train_injection`.
"""

import base64
import json
import math
import re
import zlib
from array import array
from collections import Counter
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Final, NamedTuple

FILE: Final = Path(__file__).with_name("injection.json")
SIZE: Final = 2**14
LONGEST_RUN: Final = 3
WINDOW, LONGEST_SENTENCE = 300, 600  # characters
AT_CUT: Final = math.log(0.6 / 0.4)
"""The score is 0.6, the default threshold, where one in a thousand ordinary documents lies
above.
"""
WORD: Final = re.compile(r"\w{1,40}+")
BORDER: Final = re.compile(r"(?<=[.!?。！？])\s+|\s*\n\s*|(?<=[。！？])")


class Classifier(NamedTuple):
    """`weights` are whole numbers, to be multiplied by `scale`."""

    weights: "array[int]"
    scale: float
    bias: float
    cut: float


@cache
def model() -> Classifier:
    found = json.loads(FILE.read_text())
    return Classifier(
        array("b", base64.b64decode(found["weights"])), found["scale"], found["bias"], found["cut"]
    )


def windows(text: str) -> list[tuple[int, int]]:
    """Neighbouring sentences or lines of a paragraph, up to about 300 characters."""
    borders = [0, *(match.end() for match in BORDER.finditer(text)), len(text)]
    found: list[tuple[int, int]] = []
    start = end = 0
    for last, place in pairwise(borders):
        paragraph = text.count("\n", max(0, last - 8), last) > 1
        for stop in [*range(last + LONGEST_SENTENCE, place, LONGEST_SENTENCE), place]:
            if end > start and (paragraph or stop - start > WINDOW):
                found.append((start, end))
                start = end
            end, paragraph = stop, False
    return [*found, (start, end)] if end > start else found


def features(text: str) -> Counter[int]:
    """How often each word and each run of two or three words occurs, by hash."""
    words = WORD.findall(text.lower())
    runs = (
        " ".join(words[n : n + length])
        for length in range(1, LONGEST_RUN + 1)
        for n in range(len(words) - length + 1)
    )
    return Counter(zlib.crc32(run.encode("utf-8", "surrogatepass")) % SIZE for run in runs)


def learned_score(text: str) -> float:
    """From 0 to 1, how much a window sounds like an instruction to a model."""
    counts, known = features(text), model()
    length = math.sqrt(sum(count * count for count in counts.values())) or 1.0
    total = sum(known.weights[place] * count for place, count in counts.items())
    return 1 / (
        1 + math.exp(min(50.0, -(known.bias + known.scale * total / length - known.cut + AT_CUT)))
    )
