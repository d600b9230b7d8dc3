"""How strong a border is: its kind, and among equal kinds the hash of the words before it.

A hash is computed when it is asked for: of most borders nobody asks, since a better kind is near.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from llmops.tasks.plugins.chunkers._cutting.traits import Trait
from llmops.tasks.texts.characters import Array
from llmops.tasks.texts.hashing import mixed

HASH_CHARACTERS = 6
MULTIPLIER = 0x9E3779B97F4A7C15
POWERS = np.array([MULTIPLIER ** (n + 1) % 2**64 for n in range(HASH_CHARACTERS)][::-1], np.uint64)
NEAR, FAR, FOUR, WIDE = (
    np.uint64(mask) for mask in (0xFFFFFFF000000000, 0xFF0000000, 0xFFE0000, 0x1FFFF)
)
KIND, KNOWN = np.uint64(61), np.uint64(1)
NO_WORD = Trait.SPACE | Trait.CLOSING | Trait.OPENING | Trait.ENDER | Trait.CLAUSE


class BorderKind:
    """How good a border is, worst first. Plain numbers, as those of Trait."""

    CHARACTER = 0
    WORD = 1
    CLAUSE = 2
    SENTENCE = 3
    PARAGRAPH = 4
    SECTION = 5


class WordHashes:
    """For each border uint64: 28 bits of the word before it; to tell equals apart 8 of the one
    before that, then of the last 4, of 64.

    Nothing that follows the border counts, so a word inserted between two others changes no border
    that was there. For a paragraph it is the last word that ends a sentence: a word added at its
    end changes nothing either.
    """

    def __init__(self, codes: Array, traits: Array, stops: Array, kinds: Array) -> None:
        self._codes, self._traits = codes, traits
        self._ends, self._kinds = np.maximum(stops - 1, 0), kinds

    def near(self, borders: Array) -> Array:
        """The first 28 bits for some borders."""
        near: Array = self._hashed(self._word_ends(borders)) & NEAR
        return near

    @cached_property
    def far(self) -> Array:
        """The next 8, for all."""
        before = np.maximum(self._first(self._word_ends(self._every)) - 1, 0)
        far: Array = self._hashed(self._last[before]) & FAR
        return far

    @cached_property
    def whole(self) -> Array:
        """All bits, for all."""
        bits: Array = self.near(self._every) | self.far | self.wide
        return bits

    @cached_property
    def wide(self) -> Array:
        """The last 28, for all."""
        four, wide = _wide(self._hashed(self._last[self._ends]))
        bits: Array = four & FOUR | wide & WIDE
        return bits

    def _word_ends(self, borders: Array) -> Array:
        ends = self._ends[borders]
        paragraphs = self._kinds[borders] >= BorderKind.PARAGRAPH
        if paragraphs.any():
            ends = np.where(paragraphs, self._closed[ends], ends)
        last: Array = self._last[ends]
        return last

    def _hashed(self, ends: Array) -> Array:
        """The hash of at most HASH_CHARACTERS of a word that end at `ends` (-1: none)."""
        first = np.where(ends < 0, 0, self._first(ends))
        sums = np.zeros(len(ends), np.uint64)
        for back, power in enumerate(POWERS):
            places = ends - np.int32(back)
            sums += self._codes.take(places, mode="clip") * power * (places >= first)
        return mixed(sums)

    def _first(self, ends: Array) -> Array:
        """Where these characters begin."""
        first: Array = np.maximum(self._before[np.maximum(ends, 0)] + 1, ends - HASH_CHARACTERS + 1)
        return first

    @property
    def _every(self) -> Array:
        return np.arange(len(self._ends))

    @cached_property
    def _lettered(self) -> Array:
        lettered: Array = self._traits & NO_WORD == 0
        return lettered

    @cached_property
    def _place(self) -> Array:
        return np.arange(len(self._codes), dtype=np.int32)

    @cached_property
    def _last(self) -> Array:
        """For each character the last one of a word, up to itself; -1: none."""
        return np.maximum.accumulate(np.where(self._lettered, self._place, -1))

    @cached_property
    def _before(self) -> Array:
        """For each character the last one of no word."""
        return np.maximum.accumulate(np.where(self._lettered, -1, self._place))

    @cached_property
    def _closed(self) -> Array:
        """For each character the last one that ends a sentence, else the first of the text."""
        after = np.append(self._traits[1:] & (Trait.SPACE | Trait.CLOSING) != 0, True)
        ended = after & (self._traits & Trait.ENDER != 0)
        return np.maximum.accumulate(np.where(ended, self._place, 0))


def _wide(hashes: Array) -> tuple[Array, Array]:
    """The hash of up to 4 hashes that end at each place, and of up to 64."""
    four = hashes
    for reach in (1, 2, 4, 8, 16, 32):
        earlier = np.append(np.zeros(reach, np.uint64), hashes[:-reach])[: len(hashes)]
        hashes = mixed(hashes + earlier * np.uint64(MULTIPLIER))
        four = hashes if reach < 4 else four
    return four, hashes


class Strengths:
    """`kinds`: of some borders, as a chunker grades them; `hashes`: of all; `borders`: the numbers
    of those some.
    """

    def __init__(self, kinds: Array, hashes: WordHashes, borders: Array) -> None:
        self._hashes, self._borders = hashes, borders
        self._values = kinds.astype(np.uint64) << KIND
        """Kind, and 28 bits of hash as soon as two of that kind were compared."""

    def __len__(self) -> int:
        return len(self._values)

    def __getitem__(self, which: slice | Array) -> "Strengths":
        part = Strengths(self._values[which] >> KIND, self._hashes, self._borders[which])
        part._values[:] = self._values[which]
        return part

    def strongest(self, low: int, high: int) -> Array:
        """The places, ascending, of the strongest from `low` up to `high`: several that are equal
        in everything.
        """
        values = self._values[low:high]
        best: Array = (values == np.maximum.reduce(values)).nonzero()[0]
        if len(best) > 1 and not values[best[0]] & KNOWN:
            self._hash(values[best[0]])
            best = (values == values.max()).nonzero()[0]
        best += low
        if len(best) > 1:
            best = self._best(best, self._hashes.far)
        if len(best) > 1:
            best = self._best(best, self._hashes.wide >> np.uint64(3))
        return best

    def _best(self, places: Array, bits: Array) -> Array:
        bits = bits[self._borders[places]]
        best: Array = places[bits == bits.max()]
        return best

    def _hash(self, kind: np.uint64) -> None:
        """Of all borders of a kind: one by one takes longer."""
        same = (self._values == kind).nonzero()[0]
        self._values[same] |= self._hashes.near(self._borders[same]) >> np.uint64(3) | KNOWN


@dataclass(frozen=True)
class Grades:
    """Strengths that a chunker has computed itself, one number per border."""

    values: Array

    def __len__(self) -> int:
        return len(self.values)

    def strongest(self, low: int, high: int) -> Array:
        """As that of Strengths."""
        values = self.values[low:high]
        return low + np.flatnonzero(values == values.max())
