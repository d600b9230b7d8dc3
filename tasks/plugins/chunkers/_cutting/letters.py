"""The size of text that an embedder does not read: by letters, since its tokens there say nothing.

An English tokenizer makes about one token of each Persian, Japanese or Korean letter, so a chunk of
200 tokens would hold a quarter of the text that it holds in English.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from llmops.tasks.plugins.chunkers import Tokenizer
from llmops.tasks.plugins.chunkers._cutting.traits import Trait, traits_of
from llmops.tasks.texts.characters import Array, CharacterTable, codes_of
from llmops.tasks.texts.language import SCRIPT_LANGUAGES, script_of

LETTERS = {"CJK": 1.4, "HANGUL": 2.0, "HIRAGANA": 2.9, "KATAKANA": 2.9}
ALPHABET = 4.0
"""Letters that carry as much text as one token of English, signs apart. English has 4.4 (SciFact,
MiniLM); alphabets that write fewer vowels carry more per letter. Chinese and Japanese: of 62 pages
of FastAPI's documentation that are in both and in English, of 57,000 tokens; Hangul: of the first
article of the Universal Declaration of Human Rights."""

PARTS = 1000
"""A letter is so many thousandths of a unit: whole numbers, so that sums have no rounding."""

UNREAD = 1 << 14
"""Beside the parts of a letter, which are fewer."""

LEAST, MOST = 0.1, 0.8
"""Tokens per letter of a tokenizer that knows a script. More: it goes letter by letter (MiniLM has
1.0 in Persian, 1.1 in Chinese and Japanese). Fewer: whole sentences are one unknown token."""


class Sizes(NamedTuple):
    """`starts`: the offset of each unit of size, ascending; `lines`: offsets of lines from which on
    the embedder reads what it did not read before, or the other way round.
    """

    starts: Array
    lines: Array


def sizes(text: str, tokens: Array, tokenizer: Tokenizer) -> Sizes:
    """Tokens, but for lines that are for the most part in scripts that the embedder does not read:
    there letters count, as many as carry the text of one English token.

    `tokens`: the offset of each token, ascending. What is in a line alone decides, so an edit
    changes no size elsewhere.
    """
    as_they_are = Sizes(tokens, tokens[:0])
    if text.isascii() or not tokenizer.languages:
        return as_they_are
    codes = codes_of(text)
    weights = _weights(tokenizer.languages).of(codes)
    if weights.max() < UNREAD:
        return as_they_are
    parts, read = (weights % UNREAD).astype(np.int64), weights < UNREAD
    unread, others = np.where(read, 0, parts), np.where(read, parts, 0)
    ends = codes == ord("\n")
    line = np.cumsum(ends) - ends
    strange = np.bincount(line, unread) >= np.maximum(np.bincount(line, others), 1)
    letters = (unread > 0) & strange[line]
    replaced = (letters | (traits_of(codes) & Trait.MARK != 0) & strange[line])[tokens]
    if LEAST * letters.sum() <= replaced.sum() <= MOST * letters.sum():
        return as_they_are
    kept = tokens[~replaced]
    starts = np.sort(np.concatenate([kept, _units(np.where(letters, unread, 0), ends, kept)]))
    lettered = np.flatnonzero(np.bincount(line, unread + others))
    turns = lettered[1:][strange[lettered[1:]] != strange[lettered[:-1]]]
    return Sizes(starts, np.append(0, np.flatnonzero(ends) + 1)[turns])


def size_of(text: str, tokenizer: Tokenizer) -> list[int]:
    """The units of a text that stands alone: as many as its size."""
    tokens = np.array([start for start, _ in tokenizer.token_offsets(text)], np.int64)
    starts: list[int] = sizes(text, tokens, tokenizer).starts.tolist()
    return starts


@lru_cache(8)
def _weights(languages: frozenset[str]) -> CharacterTable:
    """For each letter the parts of a unit that it has, and UNREAD more where it is not read."""

    def weight(code: int) -> int:
        letter = chr(code)
        if not letter.isalpha():
            return 0
        script = script_of(letter)
        read = bool(SCRIPT_LANGUAGES.get(script, languages) & languages)
        return round(PARTS / LETTERS.get(script, ALPHABET)) + (0 if read else UNREAD)

    return CharacterTable(weight)


def _units(parts: Array, ends: Array, kept: Array) -> Array:
    """Where a unit begins; counted anew after each line and after each token that counts itself,
    such as a comma, so that an edit changes the units around it and no others.
    """
    anew = ends.copy()
    anew[kept] = True
    total = np.cumsum(parts)
    before = np.maximum.accumulate(np.where(anew, total, 0))
    after = total - before
    return np.flatnonzero(-(-after // PARTS) > -(-(after - parts) // PARTS))
