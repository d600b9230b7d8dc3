"""Where a text may be cut: its borders between words, and how good each of them is.

By hand: the splitters that there are cut by position, so that an edit at the top of a document
moves every chunk after it. Here the content near a border decides.
"""

import re
import unicodedata
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from functools import cache
from typing import Any

import numpy as np

from llmops.tasks.texts.hashing import mixed
from llmops.tasks.texts.sentences import ENGLISH, abbreviation

Array = np.ndarray[Any, Any]

ENDERS = frozenset(".!?…。！？｡．؟۔।॥։።‼⁇⁈⁉")
CLAUSES = frozenset(",;:—–،؛、，；：､")
QUOTES = frozenset("\"'*_`")
UNSPACED = (
    (0x0E00, 0x0EFF),
    (0x1000, 0x109F),
    (0x1780, 0x17FF),
    (0x3005, 0x3007),
    (0x3040, 0x30FF),
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),
    (0x20000, 0x3FFFF),
)
SMALL_KANA = frozenset("ぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮー々")
ABBREVIATION = abbreviation("[a-z]", ENGLISH, "etc|resp|incl")
BULLET = re.compile(r"(?:[-*+•‣·–|]|\(?\d{1,3}[.)]|\(?[a-z][.)])\s")
HASH_CHARACTERS = 6
MULTIPLIER = 0x9E3779B97F4A7C15
NEAR, FAR, FOUR, WIDE = (
    np.uint64(mask) for mask in (0xFFFFFFF000000000, 0xFF0000000, 0xFFE0000, 0x1FFFF)
)


class Trait(IntFlag):
    """SPACE as in str.isspace; UNSPACED: a script that is written without spaces; GLUED: begins no
    chunk, OPENING: ends none if that can be helped; MARK is never cut off from the character before
    it, nor anything from a JOINER before it; ENDER and CLAUSE close a sentence or a clause, FULL:
    without a space after it; CLOSING may stand between these and the space; LOWER continues a
    sentence after a full stop."""

    SPACE = 1
    UNSPACED = 2
    GLUED = 4
    OPENING = 8
    ENDER = 16
    CLAUSE = 32
    FULL = 64
    CLOSING = 128
    LOWER = 256
    NEWLINE = 512
    MARK = 1024
    JOINER = 2048


def codes_of(text: str) -> Array:
    """The code points of a text, uint32."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)


def traits_of(codes: Array) -> Array:
    """The traits of each code point, uint16: Python is asked once per distinct character."""
    present = np.flatnonzero(np.bincount(codes, minlength=1))
    table = np.zeros(0x110000, np.uint16)
    table[present] = [traits(code) for code in present.tolist()]
    return table[codes]


@cache
def traits(code: int) -> int:
    character = chr(code)
    category = unicodedata.category(character)
    closing = category in ("Pe", "Pf") or character in QUOTES
    mark = category in ("Mn", "Mc", "Me", "Cf") or 0x1F3FB <= code <= 0x1F3FF
    stop = character in ENDERS or character in CLAUSES
    held = {
        Trait.SPACE: character.isspace(),
        Trait.UNSPACED: any(a <= code <= b for a, b in UNSPACED),
        Trait.GLUED: mark or closing or stop or character in SMALL_KANA,
        Trait.MARK: mark,
        Trait.OPENING: category in ("Ps", "Pi") or code == 0x200D,
        Trait.JOINER: code == 0x200D,
        Trait.ENDER: character in ENDERS,
        Trait.CLAUSE: character in CLAUSES,
        Trait.FULL: stop and code >= 0x3000,
        Trait.CLOSING: closing,
        Trait.LOWER: character.islower(),
        Trait.NEWLINE: character in "\n\x85\u2028\u2029",
    }
    return sum(trait for trait, holds in held.items() if holds)


NO_WORD = Trait.SPACE | Trait.CLOSING | Trait.OPENING | Trait.ENDER | Trait.CLAUSE


class BorderKind(IntEnum):
    """How good a border is, worst first."""

    CHARACTER = 0
    WORD = 1
    CLAUSE = 2
    SENTENCE = 3
    PARAGRAPH = 4
    SECTION = 5


@dataclass(frozen=True)
class Borders:
    """Borders in order, the first before the first character that is not white space; `end` follows
    the last such.

    `starts`: offset of the character after the border; `stops`: offset after the last character
    before it, so that white space lies between; `kinds`: Kind; `hashes`: uint64, of a word before
    the border, see `_hashes`.
    """

    starts: Array
    stops: Array
    kinds: Array
    hashes: Array
    end: int


def borders(text: str, tokens: Array, longest: int) -> Borders:
    """All borders between words, around characters of unspaced scripts, and inside words of more
    than `longest` tokens.

    `tokens`: start offset of each token, ascending.
    """
    codes = codes_of(text)
    traits = traits_of(codes)
    filled = traits & Trait.SPACE == 0
    last = np.maximum.accumulate(np.where(filled, np.arange(len(codes), dtype=np.int32), -1))
    starts = _starts(traits, filled)
    starts = _with_inner(starts, traits, tokens, longest)
    if not len(starts):
        return Borders(starts, starts, starts, starts.astype(np.uint64), 0)
    stops = np.append(starts[:1], last[starts[1:] - 1] + 1)
    kinds = _kinds(text, traits, starts, stops)
    return Borders(starts, stops, kinds, _hashes(codes, traits, stops, kinds), int(last[-1]) + 1)


def _starts(traits: Array, filled: Array) -> Array:
    """Where a word or a character of an unspaced script begins."""
    after_space = np.append(True, ~filled[:-1])[: len(filled)]
    loose = traits & Trait.UNSPACED != 0
    beside = loose | np.append(False, loose[:-1])[: len(loose)]
    opened = np.append(False, traits[:-1] & Trait.OPENING != 0)[: len(loose)]
    between = beside & ~opened & (traits & Trait.GLUED == 0)
    return np.flatnonzero(filled & (after_space | between))


def _with_inner(starts: Array, traits: Array, tokens: Array, longest: int) -> Array:
    """Borders, and those inside of words that have too many tokens to be kept whole."""
    if not len(starts):
        return starts
    ends = np.append(starts[1:], len(traits))
    long = np.flatnonzero(np.searchsorted(tokens, ends) - np.searchsorted(tokens, starts) > longest)
    inside = np.concatenate(
        [starts[:0], *(np.arange(starts[word] + 1, ends[word]) for word in long.tolist())]
    )
    loose = (traits[inside] & (Trait.MARK | Trait.SPACE) == 0) & (
        traits[inside - 1] & Trait.JOINER == 0
    )
    return np.sort(np.concatenate([starts, inside[loose]])) if len(long) else starts


def _kinds(text: str, traits: Array, starts: Array, stops: Array) -> Array:
    """A full stop after an abbreviation or the number of a list's item ends no sentence; before an
    item of a list or a row of a table a line ends like one.
    """
    final = np.maximum(stops - 1, 0)
    for _ in range(3):
        final = np.where((traits[final] & Trait.CLOSING != 0) & (final > 0), final - 1, final)
    gap = starts > stops
    apart = gap | (traits[final] & Trait.FULL != 0)
    lines = np.cumsum(np.append(0, traits & Trait.NEWLINE != 0))
    newlines = lines[starts] - lines[stops]
    lower = traits[starts] & Trait.LOWER != 0
    kinds = np.where(
        gap | (traits[starts] & Trait.UNSPACED != 0), BorderKind.WORD, BorderKind.CHARACTER
    )
    kinds[
        (traits[np.maximum(stops - 1, 0)] & Trait.CLAUSE != 0) & apart | (newlines > 0) & ~lower
    ] = BorderKind.CLAUSE
    kinds[(traits[final] & Trait.ENDER != 0) & apart & ~lower] = BorderKind.SENTENCE
    for border in np.flatnonzero(kinds == BorderKind.SENTENCE).tolist():
        stop = int(final[border])
        if text[stop] == "." and ABBREVIATION.search(text[max(0, stop - 10) : stop + 1]):
            kinds[border] = BorderKind.WORD
    for border in np.flatnonzero(newlines == 1).tolist():
        if BULLET.match(text, starts[border]):
            kinds[border] = BorderKind.SENTENCE
    kinds[newlines > 1] = BorderKind.PARAGRAPH
    return kinds


def _hashes(codes: Array, traits: Array, stops: Array, kinds: Array) -> Array:
    """28 bits of the word before each border; to tell equals apart 8 of the one before it, then of
    the last 4, of 64.

    Nothing that follows the border counts, so a word inserted between two others changes no border
    that was there. For a paragraph it is the last word that ends a sentence: a word added at its
    end changes nothing either.
    """
    place = np.arange(len(codes), dtype=np.int32)
    lettered = traits & NO_WORD == 0
    last = np.maximum.accumulate(np.where(lettered, place, -1))
    before = np.maximum.accumulate(np.where(lettered, -1, place))
    ended = np.append(traits[1:] & (Trait.SPACE | Trait.CLOSING) != 0, True) & (
        traits & Trait.ENDER != 0
    )
    closed = np.maximum.accumulate(np.where(ended, place, 0))
    ends = np.maximum(stops - 1, 0)
    near, first = _word_hash(
        codes, before, last[np.where(kinds < BorderKind.PARAGRAPH, ends, closed[ends])]
    )
    far, _ = _word_hash(codes, before, last[np.maximum(first - 1, 0)])
    four, wide = _wide(_word_hash(codes, before, last[ends])[0])
    bits: Array = near & NEAR | far & FAR | four & FOUR | wide & WIDE
    return bits


def _wide(hashes: Array) -> tuple[Array, Array]:
    """The hash of up to 4 hashes that end at each place, and of up to 64."""
    four = hashes
    for reach in (1, 2, 4, 8, 16, 32):
        earlier = np.append(np.zeros(reach, np.uint64), hashes[:-reach])[: len(hashes)]
        hashes = mixed(hashes + earlier * np.uint64(MULTIPLIER))
        four = hashes if reach < 4 else four
    return four, hashes


def _word_hash(codes: Array, before: Array, ends: Array) -> tuple[Array, Array]:
    """The hash of at most HASH_CHARACTERS that end at `ends` (-1: none), and where these words
    begin.
    """
    first = np.maximum(before[np.maximum(ends, 0)] + 1, ends - HASH_CHARACTERS + 1)
    hashes = np.zeros(len(ends), np.uint64)
    for back in range(HASH_CHARACTERS):
        code = np.where(
            (ends - back >= first) & (ends >= 0), codes[np.maximum(ends - back, 0)], 0
        ).astype(np.uint64)
        hashes = (hashes + code) * np.uint64(MULTIPLIER)
    return mixed(hashes), first
