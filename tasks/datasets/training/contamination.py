"""Rows that give away what models are judged by.

By n-grams of 13 words (Brown et al. 2020, arXiv:2005.14165, appendix C), and what is shorter by
equality and containment. Everything is compared without case, punctuation and width; hashes of 64
bits stand for runs of words.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from math import ceil
from typing import Literal, NamedTuple

import numpy as np

from llmops.tasks.datasets.training.contents import messages, text
from llmops.tasks.datasets.training.held_out import Held
from llmops.tasks.datasets.training.row import Row
from llmops.tasks.datasets.training.runs import (
    Numbers,
    Places,
    Tokens,
    runs,
    tokens,
    wholes,
)

NGRAM = 13
SHORTEST = 5
"""Words from which a text that stands within another gives it away: "the capital of France" stands
in many. A question gives itself away at any length, to whoever asks the same."""
CHARACTERS = 1.5
"""Characters of scripts without blanks that count as one word."""
BATCH = 2048
BITS = 20
ASKED_OF = ("user",)
NOT_SAID = ("system", "developer", "tool")
"""Roles in whose texts a held-out answer may stand: they are told, not learnt."""

How = Literal["equal", "contained", "ngram"]


class Contamination(NamedTuple):
    """A row that holds a text of an evaluation. `number`: its place among the rows given; `id`: the
    row's; `how`: the texts are equal, one stands within the other, or they share a run of n words.
    """

    number: int
    id: str
    held: Held
    how: How

    def __str__(self) -> str:
        said = {"equal": "equals", "contained": "holds, or is part of,", "ngram": "overlaps with"}
        held = self.held
        return f"a text {said[self.how]} the {held.part} of {held.id!r} in {held.file}"


def contaminated(
    rows: Iterable[Row], held: Sequence[Held], ngram: int = NGRAM
) -> Iterator[Contamination]:
    """The rows to leave out, in their order, each with the first reason.

    Every text of a row is compared with every held-out question; held-out answers with all but the
    texts of system, developer and tool. `ngram`: a shared run of so many words is an overlap (of
    1.5 times as many characters in scripts without blanks); texts that are shorter must stand
    within the other wholly, and have five words or more. Equal questions count at any length.
    """
    if ngram < 1:
        raise ValueError(f"ngram is a number of words from 1, got {ngram}")
    index = _Index(held, ngram)
    every, start = iter(rows), 0
    while batch := list(islice(every, BATCH)):
        for place, number, how in index.hits(batch):
            yield Contamination(start + place, batch[place].id, index.held[number], how)
        start += len(batch)


class _Hits(NamedTuple):
    """Which texts (by number) hold what of the held-out texts (by number)."""

    texts: Places
    held: Places
    how: How


class _Shelf:
    """Hashes with the number of the held-out text that each is from; a table of bits tells most
    others apart at once.
    """

    def __init__(self, hashes: Numbers, held: Places) -> None:
        self._hashes, first = np.unique(hashes, return_index=True)
        self._held = held[first]
        self._bits = np.zeros(1 << BITS, np.bool_)
        self._bits[self._hashes >> np.uint64(64 - BITS)] = True

    def hits(self, hashes: Numbers, texts: Places, how: How) -> _Hits:
        maybe = np.flatnonzero(self._bits[hashes >> np.uint64(64 - BITS)])
        places = np.searchsorted(self._hashes, hashes[maybe])
        places[places == len(self._hashes)] = 0
        sure = self._hashes[places] == hashes[maybe]
        return _Hits(texts[maybe[sure]], self._held[places[sure]], how)


class _Index:
    """The held-out texts, by what is looked for of them."""

    def __init__(self, held: Sequence[Held], ngram: int) -> None:
        self.held = sorted(held, key=lambda one: one.part == "answer")  # a question counts for more
        given = tokens([one.text for one in self.held])
        self._ngrams = (ngram, ceil(CHARACTERS * ngram))
        least_words = min(SHORTEST, ngram)
        self._shortest = (least_words, ceil(CHARACTERS * least_words))
        kinds = given.dense.astype(np.int64)
        least, most = np.array(self._shortest)[kinds], np.array(self._ngrams)[kinds]
        length = given.length
        self._short = length < least
        asked = np.array([one.part == "question" for one in self.held], np.bool_)
        equal = np.flatnonzero((length > 0) & (asked | ~self._short))
        self._equal = _Shelf(wholes(given)[equal], equal)
        self._shared, self._within = dict[int, _Shelf](), dict[int, _Shelf]()
        for each in runs(given, range(min(self._shortest), max(self._ngrams) + 1)):
            size, of = each.size, each.texts
            inner = (least[of] <= size) & (size < most[of])
            shared = (size == most[of]) | (inner & (size == length[of]))
            if shared.any():
                self._shared[size] = _Shelf(each.hashes[shared], of[shared])
            if inner.any():
                self._within[size] = _Shelf(each.hashes[inner], of[inner])

    def hits(self, rows: Sequence[Row]) -> Iterator[tuple[int, int, How]]:
        """(place of the row, number of the held-out text, how), at most one for each row."""
        texts, owners, roles = list[str](), list[int](), list[str]()
        for place, row in enumerate(rows):
            for message in messages(row):
                texts.append(text(message))
                owners.append(place)
                roles.append(message.role)
        found: dict[int, tuple[int, How]] = {}
        for hits in self._looked_up(tokens(texts)):
            for number, held in zip(hits.texts.tolist(), hits.held.tolist(), strict=True):
                if owners[number] not in found and self._counts(held, roles[number], hits.how):
                    found[owners[number]] = (held, hits.how)
        yield from ((place, *found[place]) for place in sorted(found))

    def _looked_up(self, given: Tokens) -> Iterator[_Hits]:
        length = given.length
        there = np.flatnonzero(length > 0)
        yield self._equal.hits(wholes(given)[there], there, "equal")
        least = np.array(self._shortest)[given.dense.astype(np.int64)]
        for each in runs(given, sorted({*self._shared, *self._within})):
            if each.size in self._shared:
                how: How = "ngram" if each.size in self._ngrams else "contained"
                yield self._shared[each.size].hits(each.hashes, each.texts, how)
            if each.size in self._within:
                whole = (length[each.texts] == each.size) & (each.size >= least[each.texts])
                hashes, texts = each.hashes[whole], each.texts[whole]
                yield self._within[each.size].hits(hashes, texts, "contained")

    def _counts(self, held: int, role: str, how: How) -> bool:
        if self.held[held].part == "answer":
            return role not in NOT_SAID
        return how != "equal" or not self._short[held] or role in ASKED_OF
