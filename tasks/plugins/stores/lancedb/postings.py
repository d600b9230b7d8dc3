"""The full-text index of a table at one version, in memory: the rows of each term, and what the
term adds to their scores.

BM25 with k1 = 1.2 and b = 0.75 in 32-bit floats, as Lance counts it: the scores are Lance's but for
the last bit, which depends on the order of a sum.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

K1, B, ONE, HALF = np.float32(1.2), np.float32(0.75), np.float32(1), np.float32(0.5)
ENTRY_BYTES = 8
REMEMBERED = 10_000  # words of questions
PARTS_OF = 64  # scores, for the k-th best of them
SPREAD = 4
"""A term of more than one row in so many has a number for every row: that is added quicker."""

Floats = NDArray[np.float32]
Places = NDArray[np.intp]
Mask = NDArray[np.bool_]


class TermsBatch(NamedTuple):
    """Some rows: their places, and their terms separated by spaces."""

    places: Places
    terms: pa.StringArray


class HeldTerms:
    """Entries in the order of the vocabulary, which is sorted; those of its n-th term are
    `starts[n]:starts[n + 1]`: the places of the rows, and the term's share of each row's score.
    """

    def __init__(
        self,
        vocabulary: pa.StringArray,
        starts: NDArray[np.int64],
        places: NDArray[np.int32],
        shares: Floats,
        rows: int,
    ) -> None:
        self._vocabulary, self._starts = vocabulary, starts
        self._places, self._shares, self._rows = places, shares, rows
        self._numbers: dict[str, int | None] = {}
        self._spread: dict[int, Floats] = {}
        for number in np.flatnonzero(np.diff(starts) * SPREAD > rows).tolist():
            some, their_shares = self._entries(number)
            self._spread[number] = np.zeros(rows, np.float32)
            self._spread[number][some] = their_shares

    @classmethod
    def load(cls, batches: Iterable[TermsBatch], rows: int, most: int) -> "HeldTerms | None":
        """None where they may take more than `most` bytes, and where there is nothing."""
        codes: list[pa.DictionaryArray] = []
        places: list[NDArray[np.int32]] = []
        size = 0
        for batch in batches:
            lists = pc.split_pattern(batch.terms.fill_null(""), " ")
            counts = np.diff(lists.offsets.to_numpy())
            codes.append(lists.flatten().dictionary_encode())
            places.append(np.repeat(batch.places.astype(np.int32), counts))
            size += len(codes[-1]) * ENTRY_BYTES
            if size > most:
                return None
        if not size:
            return None
        encoded = pa.chunked_array(codes).unify_dictionaries()
        known = encoded.chunk(0).dictionary
        order = pc.array_sort_indices(known).to_numpy()
        rank = np.empty(len(order), np.int32)
        rank[order] = np.arange(len(order))
        words = np.concatenate([rank[chunk.indices.to_numpy()] for chunk in encoded.chunks])
        rows_of, vocabulary = np.concatenate(places), known.take(pa.array(order))
        if vocabulary[0].as_py() == "":  # what an empty text is split into
            there = words > 0
            vocabulary, words, rows_of = vocabulary.slice(1), words[there] - 1, rows_of[there]
        return cls.of(vocabulary, words, rows_of, rows) if len(words) else None

    @classmethod
    def of(
        cls,
        vocabulary: pa.StringArray,
        words: NDArray[np.int32],
        places: NDArray[np.int32],
        rows: int,
    ) -> "HeldTerms":
        """`words`: the number of the term of each word of the table, at least one; `places`: its
        row.
        """
        entries, often = np.unique(words * np.int64(rows) + places, return_counts=True)
        terms, rows_of = np.divmod(entries, rows)
        counts = np.bincount(terms, minlength=len(vocabulary))
        lengths = np.bincount(places, minlength=rows).astype(np.float32)
        norms = K1 * (ONE - B + B * lengths / (np.float32(len(places)) / np.float32(rows)))
        within = often.astype(np.float32)
        shares = _rarity(counts, rows)[terms] * ((K1 + ONE) * within / (within + norms[rows_of]))
        starts = np.concatenate([[0], np.cumsum(counts)])
        return cls(vocabulary, starts, rows_of.astype(np.int32), shares, rows)

    @property
    def nbytes(self) -> int:
        parts = (self._vocabulary, self._starts, self._places, self._shares)
        spread = len(self._spread) * self._rows * 4
        return sum(int(part.nbytes) for part in parts) + spread

    def scores(self, words: Iterable[str]) -> Floats:
        """The score of every row; 0: it has none of the words. One that comes twice counts
        twice.
        """
        total = np.zeros(self._rows, np.float32)
        for word in words:
            number = self._number(word)
            if number in self._spread:
                total += self._spread[number]
            elif number is not None:
                places, shares = self._entries(number)
                total[places] += shares
        return total

    def best(self, words: Iterable[str], k: int, mask: Mask | None) -> tuple[Places, Floats]:
        """Places and scores of the k best rows, and of all that score as the last of them, in no
        order.
        """
        scores = self.scores(words)
        if mask is not None:
            scores *= mask
        least = kth_best(scores, k) if k < len(scores) else 0
        places = np.flatnonzero(scores >= least if least > 0 else scores > 0)
        return places, scores[places]

    def samples(self) -> Sequence[str]:
        """A term of the most rows, one of the fewest, and one between them."""
        order = np.argsort(np.diff(self._starts), kind="stable")
        places = sorted({0, len(order) // 2, len(order) - 1}) if len(order) else []
        return [self._vocabulary[int(order[place])].as_py() for place in places]

    def _number(self, word: str) -> int | None:
        """Its place in the vocabulary. Questions have many words in common."""
        number = self._numbers.get(word, -1)
        if number == -1:
            number = self._searched(word)
            if len(self._numbers) >= REMEMBERED:
                self._numbers.clear()
            self._numbers[word] = number
        return number

    def _searched(self, word: str) -> int | None:
        vocabulary = self._vocabulary
        numbers = range(len(vocabulary))
        number = bisect_left(numbers, word, key=lambda each: vocabulary[each].as_py())
        there = number < len(numbers) and vocabulary[number].as_py() == word
        return number if there else None

    def _entries(self, number: int) -> tuple[NDArray[np.int32], Floats]:
        part = slice(int(self._starts[number]), int(self._starts[number + 1]))
        return self._places[part], self._shares[part]


def kth_best(scores: Floats, k: int) -> np.float32:
    """The k-th largest of at least k scores.

    A partition of all of them is slow, above all where most are equal. The largest of each of many
    parts are few, and the k-th largest among those is at most what is sought, so that only what
    reaches it is looked at.
    """
    width = len(scores) // PARTS_OF
    if width > 2 * k:
        heads = scores[: width * PARTS_OF].reshape(PARTS_OF, width).max(axis=0)
        scores = scores[scores >= np.partition(heads, width - k)[width - k]]
    return np.partition(scores, len(scores) - k)[len(scores) - k]  # type: ignore[no-any-return]


def _rarity(counts: NDArray[np.intp], rows: int) -> Floats:
    """The inverse document frequency of terms that stand in so many rows."""
    there, total = counts.astype(np.float32), np.float32(rows)
    odds = (total - there + HALF) / (there + HALF) + ONE
    return np.log(odds.astype(np.float64)).astype(np.float32)
