"""Runs of words of many texts at once, as hashes: characters in scripts without blanks."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from llmops.tasks.plugins.cleaners.near_duplicates import hashed, words
from llmops.tasks.texts.hashing import mixed

FIRST_DENSE = "\u0e00"
"""The first letter of a script without blanks: Thai."""
Numbers = np.ndarray[Any, np.dtype[np.uint64]]
Flags = np.ndarray[Any, np.dtype[np.bool_]]
Places = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True)
class Tokens:
    """The words of texts, one after the other, as hashes. The words of text n begin at `starts[n]`
    and end before `starts[n + 1]`; `length` is how many each has. `dense`: whether most of them are
    characters of scripts without blanks.
    """

    hashes: Numbers
    starts: Places
    dense: Flags

    @property
    def length(self) -> Places:
        return np.diff(self.starts)


@dataclass(frozen=True)
class Runs:
    """All runs of `size` words within one text each: their hashes, and the numbers of their texts,
    ascending.
    """

    size: int
    hashes: Numbers
    texts: Places


def tokens(texts: Sequence[str]) -> Tokens:
    """Words as the cleaner `near_duplicates` has them: without case, punctuation, width; of
    scripts without blanks single characters.
    """
    counts, hashes, dense = [0], list[int](), list[bool]()
    for text in texts:
        said = words(text)
        hashes += map(hashed, said)
        counts.append(len(hashes))
        dense.append(not text.isascii() and 2 * sum(map(_single, said)) > len(said))
    return Tokens(
        np.array(hashes, np.uint64), np.array(counts, np.int64), np.array(dense, np.bool_)
    )


def _single(word: str) -> bool:
    return len(word) == 1 and word >= FIRST_DENSE


def runs(given: Tokens, sizes: Sequence[int]) -> Iterator[Runs]:
    """For each of the sizes, ascending, all runs of so many words. Texts with fewer have none.
    The hash of a run says its words and their order; runs of two sizes never share one.
    """
    owners = np.repeat(np.arange(len(given.length)), given.length)
    left = np.repeat(given.starts[1:], given.length) - np.arange(len(given.hashes))
    total = np.zeros(len(given.hashes), np.uint64)
    wanted = set(sizes)
    for offset in range(max(wanted, default=0)):
        total = total[: max(0, len(given.hashes) - offset)]
        total = mixed(total + given.hashes[offset:])
        if offset + 1 in wanted:
            inside = left[: len(total)] > offset
            yield Runs(offset + 1, total[inside], owners[: len(total)][inside])


def shingles(given: Tokens, size: int) -> Tokens:
    """The runs of `size` words of each text, in the shape of tokens: of a shorter text one of all
    its words, of none none. Repetitions stay.
    """
    length = given.length
    parts = [
        (each.hashes, each.texts)
        if each.size == size
        else (
            each.hashes[length[each.texts] == each.size],
            each.texts[length[each.texts] == each.size],
        )
        for each in runs(given, range(1, size + 1))
    ]
    owners = np.concatenate([np.zeros(0, np.int64), *(texts for _, texts in parts)])
    order = np.argsort(owners, kind="stable")
    counts = np.bincount(owners, minlength=len(length))
    hashes = np.concatenate([np.zeros(0, np.uint64), *(values for values, _ in parts)])
    starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return Tokens(hashes[order], starts, given.dense)


def wholes(given: Tokens) -> Numbers:
    """A hash of all the words of each text and their order, 0 for a text without words."""
    place = np.arange(len(given.hashes)) - np.repeat(given.starts[:-1], given.length)
    said = mixed(given.hashes + mixed(place.astype(np.uint64) + np.uint64(1)))
    sums = np.concatenate([np.zeros(1, np.uint64), np.cumsum(said)])
    wholes: Numbers = sums[given.starts[1:]] - sums[given.starts[:-1]]
    return wholes
