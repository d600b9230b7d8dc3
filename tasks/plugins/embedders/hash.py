"""An embedder without a model: signed feature hashing of words, pairs of words and pairs of CJK
characters.

Weinberger et al. 2009, "Feature hashing for large scale multitask learning": a feature adds its
weight, with a sign, to one dimension, both chosen by its hash. Sums are damped by a signed square
root (Perronnin et al. 2010), and long words weigh more than short ones, as a stand-in for their
rarity. Texts that share words are near each other, in any language.
"""

import re
import unicodedata
import zlib
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from llmops.tasks import processes
from llmops.tasks.plugins.embedders import Embedder, normalised
from llmops.tasks.schemas import Starts, Vectors
from llmops.tasks.texts.characters import CharacterTable, codes_of
from llmops.tasks.texts.hashing import mixed

SINGLE = (
    r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff"
    r"\U00020000-\U0003ffff"
)
"""Scripts written without spaces (and Hangul): each character is a token, pairs of them carry the
meaning.
"""

SIGNS = (
    r"!-/:-@\[-^`{-\x84\x86-\x9f\u00a1-\u00a9\u00ab-\u00b4\u00b6-\u00b9\u00bb-\u00bf\u060c\u061b\u061f\u066a-\u066d\u06d4\u0964\u0965"
    r"\u200b-\u2027\u202a-\u202e\u2030-\u205e\u2060-\u206f\u2e00-\u2e7f\u3001-\u303f\uff00-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65"
)
"""Punctuation and symbols: tokens that are counted, but not embedded."""

WORD = re.compile(rf"[{SINGLE}]|[^\s{SIGNS}{SINGLE}]{{1,32}}")
TOKEN = re.compile(rf"{WORD.pattern}|[{SIGNS}]{{1,8}}")
SLAB = 1024
FEW = 32
"""Texts that are done before another process has them."""
PAIR = 0.25
Array = np.ndarray[Any, Any]


class HashEmbedder(Embedder):
    """The same on every machine, without network, key or model: for tests, the quickstart, a
    lexical baseline.
    """

    alone: ClassVar[bool] = True
    texts_per_call: ClassVar[int] = 512
    dimension: ClassVar[int] = 384
    max_tokens: ClassVar[int] = 8192

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Float32 of shape (texts, 384), rows of length 1, in order. Texts without a word get the
        first unit vector.
        """
        if len(texts) < FEW:
            return _embedded(texts)
        return processes.run(_embedded, list(texts))

    def token_offsets(self, text: str) -> list[tuple[int, int]]:
        """Words (at most 32 characters), single characters of CJK scripts, and runs of at most 8
        signs.
        """
        return [match.span() for match in TOKEN.finditer(text)]

    def token_starts(self, text: str) -> Starts:
        """Where characters of one kind in a row begin, and each piece as long as a token of it."""
        kinds = CHARACTERS.of(codes_of(text))
        begins = kinds == 1
        begins[:1] = True
        begins[1:] |= kinds[1:] != kinds[:-1]
        starts: Starts = begins.nonzero()[0]
        lengths, longest = np.diff(np.append(starts, len(kinds))), LONGEST[kinds[starts]]
        seen = longest > 0
        starts, lengths, longest = starts[seen], lengths[seen], longest[seen]
        if (lengths > longest).any():
            pieces = -(-lengths // longest)
            inside = np.arange(pieces.sum()) - np.repeat(np.cumsum(pieces) - pieces, pieces)
            starts = np.repeat(starts, pieces) + inside * np.repeat(longest, pieces)
        return starts


def _kind(code: int) -> int:
    return next(kind for kind, pattern in enumerate(KINDS) if pattern.match(chr(code)))


KINDS = tuple(map(re.compile, (r"\s", f"[{SINGLE}]", f"[{SIGNS}]", ".")))
LONGEST = np.array([0, 1, 8, 32])
"""Characters of a token, by kind."""
CHARACTERS = CharacterTable(_kind)


def _hashed(words: list[str]) -> tuple[Array, Array]:
    """A 64-bit hash and a weight per word; every distinct word is hashed once."""
    known = {word: number for number, word in enumerate(dict.fromkeys(words))}
    raw = [zlib.crc32(word.encode("utf-8", "surrogatepass")) | len(word) << 32 for word in known]
    hashes, lengths = (
        mixed(np.array(raw, np.uint64)),
        np.array([len(word) for word in known], np.float64),
    )
    numbers = np.fromiter(map(known.__getitem__, words), np.int64, len(words))
    return hashes[numbers], np.minimum(lengths, 10.0)[numbers]


def _embedded(texts: Sequence[str]) -> Vectors:
    slabs = [_slab(texts[first : first + SLAB]) for first in range(0, len(texts), SLAB)]
    return normalised(np.concatenate([np.zeros((0, HashEmbedder.dimension), np.float32), *slabs]))


def _slab(texts: Sequence[str]) -> Array:
    words = [WORD.findall(unicodedata.normalize("NFKC", text).lower()) for text in texts]
    rows = np.repeat(np.arange(len(texts)), [len(run) for run in words])
    hashes, weights = _hashed([word for run in words for word in run])
    inside = rows[1:] == rows[:-1]
    pairs = mixed(hashes[:-1] * np.uint64(3) + hashes[1:])[inside]
    pair_weights = (PAIR * np.sqrt(weights[:-1] * weights[1:]))[inside]
    features = np.concatenate([hashes, pairs])
    columns = (features % np.uint64(HashEmbedder.dimension)).astype(np.int64)
    places = np.concatenate([rows, rows[1:][inside]]) * HashEmbedder.dimension + columns
    signs = np.where(features >> np.uint64(63), -1.0, 1.0)
    sums = np.bincount(
        places, signs * np.concatenate([weights, pair_weights]), len(texts) * HashEmbedder.dimension
    )
    damped = np.sign(sums) * np.sqrt(np.abs(sums))
    return damped.reshape(len(texts), HashEmbedder.dimension).astype(np.float32)
