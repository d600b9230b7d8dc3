"""Where a text may be cut: its borders between words, and how good each of them is.

By hand: the splitters that there are cut by position, so that an edit at the top of a document
moves every chunk after it. Here the content near a border decides.
"""

import re
from dataclasses import dataclass

import numpy as np

from llmops.tasks.plugins.chunkers._cutting.strength import BorderKind, WordHashes
from llmops.tasks.plugins.chunkers._cutting.traits import Trait, traits_of
from llmops.tasks.texts.characters import Array, codes_of
from llmops.tasks.texts.sentences import ENGLISH, abbreviation

ABBREVIATION = abbreviation("[a-z]", ENGLISH, "etc|resp|incl")
BEGIN = re.compile(r"[\s(\[\"']")
LONGEST, DIGITS = 7, 3
"""What stands before an abbreviation; characters in a row that none has; the digits that an item's
number has.
"""
BULLET = re.compile(r"(?:[-*+•‣·–|]|\(?\d{1,3}[.)]|\(?[a-z][.)])\s")


@dataclass(frozen=True)
class Borders:
    """Borders in order, the first before the first character that is not white space; `end` follows
    the last such.

    `starts`: offset of the character after the border; `stops`: offset after the last character
    before it, so that white space lies between; `kinds`: Kind; `hashes`: of the words before it;
    `places`: how many tokens begin before it, and as one more entry, in the whole text.
    """

    starts: Array
    stops: Array
    kinds: Array
    hashes: WordHashes
    places: Array
    end: int


def borders(text: str, tokens: Array, longest: int) -> Borders:
    """All borders between words, around characters of unspaced scripts, and inside words of more
    than `longest` tokens.

    `tokens`: start offset of each token, ascending.
    """
    codes = codes_of(text)
    traits = traits_of(codes)
    filled = traits & Trait.SPACE == 0
    begun = begun_before(tokens, len(text))
    starts = _with_inner(_starts(traits, filled), traits, begun, longest)
    places = np.append(begun[starts], len(tokens))
    if not len(starts):
        return Borders(starts, starts, starts, WordHashes(codes, traits, starts, starts), places, 0)
    stops, end = _stops(starts, filled)
    kinds = _kinds(text, traits, starts, stops)
    return Borders(starts, stops, kinds, WordHashes(codes, traits, stops, kinds), places, end)


def begun_before(tokens: Array, length: int) -> Array:
    """For each character, and the end of the text, how many tokens begin before it."""
    begun = np.zeros(length + 1, np.int64)
    np.cumsum(np.bincount(tokens, minlength=length)[:length], out=begun[1:])
    return begun


def _starts(traits: Array, filled: Array) -> Array:
    """Where a word or a character of an unspaced script begins."""
    begins = filled.copy()
    begins[1:] &= ~filled[:-1]
    loose = traits & Trait.UNSPACED != 0
    if loose.any():
        beside = loose.copy()
        beside[1:] |= loose[:-1]
        beside[1:] &= traits[:-1] & Trait.OPENING == 0
        begins |= filled & beside & (traits & Trait.GLUED == 0)
    return np.flatnonzero(begins)


def _stops(starts: Array, filled: Array) -> tuple[Array, int]:
    """Where the white space before each border begins, if any is there; and the end of the last
    word.
    """
    stops = starts.copy()
    apart = (~filled[starts[1:] - 1]).nonzero()[0] + 1
    ends = (filled[:-1] & ~filled[1:]).nonzero()[0] + 1
    stops[apart] = ends[: len(apart)]
    return stops, int(ends[-1]) if len(ends) > len(apart) else len(filled)


def _with_inner(starts: Array, traits: Array, begun: Array, longest: int) -> Array:
    """Borders, and those inside of words that have too many tokens to be kept whole."""
    if not len(starts):
        return starts
    ends = np.append(starts, len(traits))
    long = np.flatnonzero(np.diff(begun[ends]) > longest).tolist()
    if not long:
        return starts
    inside = np.concatenate([np.arange(ends[word] + 1, ends[word + 1]) for word in long])
    loose = (traits[inside] & (Trait.MARK | Trait.SPACE) == 0) & (
        traits[inside - 1] & Trait.JOINER == 0
    )
    return np.sort(np.concatenate([starts, inside[loose]]))


def _kinds(text: str, traits: Array, starts: Array, stops: Array) -> Array:
    """A full stop after an abbreviation or the number of a list's item ends no sentence; before an
    item of a list or a row of a table a line ends like one.
    """
    before = np.maximum(stops - 1, 0)
    final = before
    for _ in range(3):
        closing = (traits[final] & Trait.CLOSING != 0) & (final > 0)
        if not closing.any():
            break
        final = final - closing
    begun, ended = traits[starts], traits[final]
    gap = starts > stops
    apart = gap | (ended & Trait.FULL != 0)
    lines = np.cumsum(np.append(0, traits & Trait.NEWLINE != 0))
    newlines = lines[starts] - lines[stops]
    lower = begun & Trait.LOWER != 0
    kinds = np.where(gap | (begun & Trait.UNSPACED != 0), BorderKind.WORD, BorderKind.CHARACTER)
    kinds[(traits[before] & Trait.CLAUSE != 0) & apart | (newlines > 0) & ~lower] = (
        BorderKind.CLAUSE
    )
    kinds[(ended & Trait.ENDER != 0) & apart & ~lower] = BorderKind.SENTENCE
    closed = np.flatnonzero(kinds == BorderKind.SENTENCE)
    kinds[closed[[_abbreviated(text, stop) for stop in final[closed].tolist()]]] = BorderKind.WORD
    lined = np.flatnonzero(newlines == 1)
    items = [BULLET.match(text, start) is not None for start in starts[lined].tolist()]
    kinds[lined[items]] = BorderKind.SENTENCE
    kinds[newlines > 1] = BorderKind.PARAGRAPH
    return kinds


def _abbreviated(text: str, stop: int) -> bool:
    """Whether a character is a full stop that ends no sentence. Most end a word or a number that
    is too long for an abbreviation, and need no pattern.
    """
    if text[stop] != "." or (stop and not text[stop - 1].isalnum()):
        return False
    if stop >= LONGEST and not BEGIN.search(text, stop - LONGEST, stop):
        return False
    if stop > DIGITS and text[stop - 1].isdecimal() and text[stop - DIGITS - 1 : stop].isalnum():
        return False
    return ABBREVIATION.search(text[max(0, stop - 10) : stop + 1]) is not None
