"""What of a text tells whether another one says the same: runs of words, as hashes, and signatures
of sets of them.
"""

import unicodedata
from collections.abc import Mapping
from functools import cache, lru_cache
from hashlib import blake2b
from typing import Any

import numpy as np

WORDS = 5
HASHES = 128
KEPT = 1024
UNSPACED = (
    "CJK",
    "HIRAGANA",
    "KATAKANA",
    "HANGZHOU",
    "THAI",
    "LAO",
    "KHMER",
    "MYANMAR",
    "TIBETAN",
    "BOPOMOFO",
    "YI",
)
Numbers = np.ndarray[Any, np.dtype[np.uint64]]


class _Plain(dict[int, str]):
    """For str.translate: punctuation, symbols and blanks become blanks; letters of scripts that
    write no blanks stand alone.
    """

    def __missing__(self, code: int) -> str:
        character = chr(code)
        kind = unicodedata.category(character)
        if kind[0] in "PSZC":
            found = " "
        else:
            alone = (
                kind == "Lo"
                and code >= 0x0E00
                and unicodedata.name(character, "").split(" ")[0].split("-")[0] in UNSPACED
            )
            found = f" {character} " if alone else character
        self[code] = found
        return found


PLAIN: Mapping[int, str] = _Plain()


def words(text: str) -> list[str]:
    """The words of a text, without case, punctuation and forms of characters; for scripts without
    blanks, the characters.
    """
    return unicodedata.normalize("NFKC", text).casefold().translate(PLAIN).split()


@lru_cache(maxsize=200_000)
def _hashed(word: str) -> int:
    return int.from_bytes(
        blake2b(word.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little"
    )


def shingle_hashes(text: str, run: int = WORDS) -> Numbers:
    """Hashes of all runs of so many words, ascending, each once; one of all the words of a shorter
    text, none of no words.
    """
    found = np.array([_hashed(word) for word in words(text)], np.uint64)
    if not len(found):
        return found
    run = min(run, len(found))
    total = np.zeros(len(found) - run + 1, np.uint64)
    for offset in range(run):
        total = _mixed(total + found[offset : len(total) + offset])
    return np.unique(total)


def _mixed(values: Numbers) -> Numbers:
    """The finaliser of splitmix64 (Steele, Lea, Flood: Fast splittable pseudorandom number
    generators, 2014).
    """
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


@cache
def _seeds() -> Numbers:
    return _mixed(np.arange(1, HASHES + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15))


def signature(values: Numbers) -> np.ndarray[Any, np.dtype[np.uint32]]:
    """MinHash (Broder 1997): the smallest of the values under each of 128 hash functions, 32 bits
    each.
    """
    least = np.full(HASHES, np.iinfo(np.uint64).max, np.uint64)
    for start in range(0, len(values), 4096):
        least = np.minimum(least, _mixed(values[start : start + 4096, None] ^ _seeds()).min(axis=0))
    return (least >> np.uint64(32)).astype(np.uint32)


def similarity(one: Numbers, other: Numbers) -> float:
    """Jaccard similarity of two sets of shingles, of which each gives its `KEPT` smallest: exact
    where neither had more, else estimated on the smallest of their union (bottom-k; standard error
    at most 0.016)."""
    both = np.intersect1d(one, other, assume_unique=True)
    union = len(one) + len(other) - len(both)
    if max(len(one), len(other)) >= KEPT:
        smallest = np.union1d(one, other)[:KEPT]
        both, union = both[both <= smallest[-1]], len(smallest)
    return len(both) / union if union else 0.0


def bands(similar: float, wanted: float = 0.995) -> tuple[int, int]:
    """(bands, rows): the most rows with which two signatures of that similarity agree on a whole
    band with the wanted probability, 1 - (1 - s^rows)^bands (Leskovec, Rajaraman, Ullman: Mining of
    Massive Datasets, 3.4)."""
    fitting = [
        rows for rows in range(1, 33) if 1 - (1 - similar**rows) ** (HASHES // rows) >= wanted
    ]
    rows = max(fitting, default=1)
    return HASHES // rows, rows
