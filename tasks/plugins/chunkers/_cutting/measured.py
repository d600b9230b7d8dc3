"""A text with its borders, their places in tokens, its headings and pages."""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from llmops.tasks.plugins.chunkers import Tokenizer
from llmops.tasks.plugins.chunkers._cutting.borders import Borders, begun_before, borders
from llmops.tasks.plugins.chunkers._cutting.letters import sizes
from llmops.tasks.texts.characters import Array

FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
ATX = re.compile(r" {0,3}(#{1,6})(?:[ \t]+(.*?))?[ \t]*#*[ \t]*$")
SETEXT = re.compile(r" {0,3}(=+|-+)[ \t]*$")
NOT_SETEXT = re.compile(r"[ \t]*(?:$|[-*+>|#]|\d+[.)]|\s{4})")
ANCHOR = re.compile(r"[ \t]*\{[ \t]*#[^}]*\}$")
BLOCK = 1 << 16
LINE_END = re.compile(r"\n\s*(?=\S)")


@dataclass(frozen=True)
class Heading:
    """A heading: offsets of its first character and after its last line, level from 1, and its text
    without markup.
    """

    start: int
    end: int
    level: int
    text: str


@dataclass(frozen=True)
class Outline:
    """The headings of a document in order, and the code blocks (offsets) between them."""

    headings: tuple[Heading, ...] = ()
    fences: tuple[tuple[int, int], ...] = ()

    def paths(self) -> "Paths":
        values: list[tuple[str, ...]] = []
        above: list[Heading] = []
        for heading in self.headings:
            above = [*(other for other in above if other.level < heading.level), heading]
            values.append(tuple(other.text for other in above if other.text))
        return Paths([heading.start for heading in self.headings], values)


@dataclass(frozen=True)
class Paths:
    starts: list[int]
    values: list[tuple[str, ...]]

    def at(self, offset: int) -> tuple[str, ...]:
        """The texts of the headings above an offset, outermost first; a heading that begins there
        is among them.
        """
        number = bisect_right(self.starts, offset)
        return self.values[number - 1] if number else ()


def outline(text: str) -> Outline:
    """ATX (`# x`) and setext (underlined) headings outside of fenced code, and the fenced code."""
    headings: list[Heading] = []
    fences: list[tuple[int, int]] = []
    opened, begin, offset, previous = "", 0, 0, ""
    for line in text.splitlines(keepends=True):
        fence = FENCE.match(line)
        if fence and not opened:
            opened, begin = fence[1], offset
        elif fence and fence[1].startswith(opened) and not line.strip(" \t\r\n`~"):
            opened = ""
            fences.append((begin, offset + len(line)))
        elif not opened and (heading := _heading(line, previous, offset)):
            headings.append(heading)
        previous = "" if opened or fence else line
        offset += len(line)
    return Outline(tuple(headings), (*fences, (begin, offset)) if opened else tuple(fences))


def _heading(line: str, previous: str, offset: int) -> Heading | None:
    end = offset + len(line)
    if match := ATX.match(line.rstrip("\r\n")):
        return Heading(offset, end, len(match[1]), _plain(match[2] or ""))
    under = SETEXT.match(line.rstrip("\r\n"))
    if under and not NOT_SETEXT.match(previous) and not previous.lstrip().startswith("#"):
        return Heading(
            offset - len(previous), end, 1 if under[1][0] == "=" else 2, _plain(previous)
        )
    return None


def _plain(text: str) -> str:
    return ANCHOR.sub("", text.strip()).strip("*_ \t")


@dataclass(frozen=True)
class Measured:
    """`places`: how many units of size begin before each border, and as one more entry, in the
    whole text; `counts`: how many tokens, which is the same where the embedder reads the text.
    `turns`: numbers of the borders at which it begins to read the text, or no longer does.
    """

    text: str
    borders: Borders
    places: Array
    counts: Array
    turns: Array
    outline: Outline
    pages: tuple[int, ...]

    def start(self, border: int) -> int:
        return int(self.borders.starts[border])

    def stop(self, border: int) -> int:
        """The offset after the last character before a border; of the text for the number after the
        last border.
        """
        return (
            int(self.borders.stops[border])
            if border < len(self.borders.stops)
            else self.borders.end
        )

    def size(self, first: int, last: int) -> int:
        return int(self.places[last] - self.places[first])

    def tokens(self, first: int, last: int) -> int:
        return int(self.counts[last] - self.counts[first])

    def turns_between(self, first: int, last: int) -> Array:
        """Those strictly between two borders."""
        return self.turns[(self.turns > first) & (self.turns < last)]

    def page(self, offset: int) -> int | None:
        """The page of a character, from 1; None where the text has no form feed."""
        return bisect_left(self.pages, offset) + 1 if self.pages else None


def measure(text: str, markup: str, tokenizer: Tokenizer, longest: int) -> Measured:
    """Find borders, also inside of words that are longer than `longest`, and measure them."""
    tokens = token_starts(text, tokenizer)
    units, lines = sizes(text, tokens, tokenizer)
    bounds = borders(text, units, longest)
    counts = places = bounds.places
    if units is not tokens:
        counts = np.append(begun_before(tokens, len(text))[bounds.starts], len(tokens))
    turns = np.searchsorted(bounds.starts, lines)
    pages = tuple(match.start() for match in re.finditer("\f", text)) if "\f" in text else ()
    return Measured(
        *(text, bounds, places, counts, turns),
        outline(text) if markup == "markdown" else Outline(),
        pages,
    )


def token_starts(text: str, tokenizer: Tokenizer) -> Array:
    """The offset of each token, ascending, int64. Long texts are read in blocks of lines: a list of
    pairs takes much memory.
    """
    starts, first = [np.zeros(0, np.int64)], 0
    while first < len(text):
        end = LINE_END.search(text, first + BLOCK)
        last = end.end() if end else len(text)
        starts.append(_starts(text[first:last], tokenizer) + first)
        first = last
    return np.concatenate(starts)


def token_count(text: str, tokenizer: Tokenizer) -> int:
    """The length of a short text in tokens."""
    return len(_starts(text, tokenizer))


def _starts(text: str, tokenizer: Tokenizer) -> Array:
    quick: Callable[[str], Array] | None = getattr(tokenizer, "token_starts", None)
    if quick is not None:
        return quick(text)
    pairs = tokenizer.token_offsets(text)
    return np.fromiter((start for start, _ in pairs), np.int64, len(pairs))
