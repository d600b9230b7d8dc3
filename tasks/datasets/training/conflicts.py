"""What is wrong with rows beside each other: an id twice, people who contradict each other; and how
far preferences follow length.
"""

from array import array
from collections.abc import Iterable, Iterator
from statistics import median
from typing import NamedTuple

import numpy as np
from pydantic import BaseModel, ConfigDict

from llmops.tasks.datasets.training.checks import Fault
from llmops.tasks.datasets.training.contents import answers, prompt_hash, said
from llmops.tasks.datasets.training.row import Row
from llmops.tasks.schemas import sha256
from llmops.tasks.statistics.intervals import wilson_interval
from llmops.tasks.texts.comparable import folded

GOOD = 0.5
"""Scores from here on say that an answer is good."""


class Conflict(NamedTuple):
    """`number`: the row's place among those given, from 0; `id`: its id."""

    number: int
    id: str
    fault: Fault


class _Statements:
    """Hashes of what rows say, and of what the contrary would be."""

    def __init__(self) -> None:
        self.numbers, self.said, self.contrary = array("L"), array("Q"), array("Q")

    def add(self, number: int, said: str, contrary: str) -> None:
        self.numbers.append(number)
        self.said.append(int(sha256(said)[:16], 16))
        self.contrary.append(int(sha256(contrary)[:16], 16))

    def opposed(self) -> Iterator[tuple[int, int]]:
        """Each row that another one contradicts, and the first of those, by their numbers."""
        said = np.array(self.said, np.uint64)
        hashes, first = np.unique(said, return_index=True)
        contrary = np.array(self.contrary, np.uint64)
        places = np.minimum(np.searchsorted(hashes, contrary), max(len(hashes) - 1, 0))
        for one in np.flatnonzero(hashes[places] == contrary).tolist() if len(hashes) else ():
            yield self.numbers[one], self.numbers[int(first[places[one]])]


def conflicts(rows: Iterable[Row]) -> list[Conflict]:
    """What is wrong with rows beside each other, in their order: all but the first row of an id;
    all rows of which others say the contrary (of two answers to one prompt the other one is better;
    one answer to one prompt is good, a score from .5, and bad). Texts are compared as
    `texts.comparable.folded` makes them. Rows are read once; ids and 24 bytes of each stay.
    """
    ids, first, said_of = list[str](), dict[str, int](), _Statements()
    found = list[Conflict]()
    for number, row in enumerate(rows):
        ids.append(row.id)
        if (before := first.setdefault(row.id, number)) != number:
            repeated = f"the id {row.id!r} is that of row {before + 1} too"
            found.append(Conflict(number, row.id, Fault(kind="repeated_id", message=repeated)))
        _note(row, number, said_of)
    for number, other in said_of.opposed():
        opposite = f"the row {ids[other]!r} says the contrary of the same answers"
        fault = Fault(kind="contradiction", message=opposite)
        found.append(Conflict(number, ids[number], fault))
    return sorted(found, key=lambda one: one.number)


def _note(row: Row, number: int, said_of: _Statements) -> None:
    texts = [folded(said(one)) for one in answers(row)]
    asked = prompt_hash(row).hex()
    if len(texts) == 2 and texts[0] != texts[1]:
        better, worse = texts
        said_of.add(
            number,
            "\x1f".join((asked, better, worse)),
            "\x1f".join((asked, worse, better)),
        )
    elif len(texts) == 1 and row.score is not None:
        good = row.score >= GOOD
        said_of.add(
            number,
            "\x1f".join((asked, texts[0], f"{good}")),
            "\x1f".join((asked, texts[0], f"{not good}")),
        )


class LengthBias(BaseModel):
    """How far the better answers are the longer ones. `longer`: the share of pairs whose better
    answer has more characters (an even one counts half), `low` and `high` its 95 % interval
    (Wilson); `ratio`: the median of the better answer's length over the other's. Without bias: .5
    and 1. A model that learns from biased pairs learns to be long (Singhal et al. 2023,
    arXiv:2310.03716).
    """

    model_config = ConfigDict(frozen=True)
    pairs: int
    longer: float | None = None
    low: float | None = None
    high: float | None = None
    ratio: float | None = None

    @property
    def biased(self) -> bool:
        """Whether the interval leaves out an even share."""
        return self.low is not None and self.high is not None and not self.low <= 0.5 <= self.high


def length_bias(rows: Iterable[Row]) -> LengthBias:
    """The length bias of the pairs among the rows; without pairs, no figures."""
    better, worse = array("L"), array("L")
    for row in rows:
        if row.chosen is not None and row.rejected is not None:
            better.append(len(said(row.chosen)))
            worse.append(len(said(row.rejected)))
    if not better:
        return LengthBias(pairs=0)
    lengths = list(zip(better, worse, strict=True))
    longer = sum(0.5 if one == other else one > other for one, other in lengths)
    low, high = wilson_interval(round(longer), len(lengths))
    ratio = median(one / max(other, 1) for one, other in lengths)
    return LengthBias(
        pairs=len(lengths), longer=longer / len(lengths), low=low, high=high, ratio=ratio
    )
