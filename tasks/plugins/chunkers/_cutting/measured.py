"""A text with its borders, their places in tokens, its headings and pages."""

import re
from bisect import bisect_left
from dataclasses import dataclass

import numpy as np

from llmops.tasks.plugins.chunkers import Tokenizer
from llmops.tasks.plugins.chunkers._cutting.borders import Borders, borders
from llmops.tasks.plugins.chunkers._cutting.characters import Array
from llmops.tasks.plugins.chunkers._cutting.headings import Outline, outline

BLOCK = 1 << 16
LINE_END = re.compile(r"\n\s*(?=\S)")


@dataclass(frozen=True)
class Measured:
    """`places`: how many tokens begin before each border, and as one more entry, in the whole
    text.
    """

    text: str
    borders: Borders
    places: Array
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

    def tokens(self, first: int, last: int) -> int:
        return int(self.places[last] - self.places[first])

    def page(self, offset: int) -> int | None:
        """The page of a character, from 1; None where the text has no form feed."""
        return bisect_left(self.pages, offset) + 1 if self.pages else None


def measure(text: str, markup: str, tokenizer: Tokenizer, longest: int) -> Measured:
    """Find borders, also inside of words of more than `longest` tokens, and measure them."""
    tokens = token_starts(text, tokenizer)
    found = borders(text, tokens, longest)
    places = np.append(np.searchsorted(tokens, found.starts), len(tokens))
    pages = tuple(match.start() for match in re.finditer("\f", text))
    return Measured(
        text, found, places, outline(text) if markup == "markdown" else Outline(), pages
    )


def token_starts(text: str, tokenizer: Tokenizer) -> Array:
    """The offset of each token, ascending. Long texts are read in blocks of lines: a list of pairs
    takes much memory.
    """
    found, first = [np.zeros(0, np.int64)], 0
    while first < len(text):
        end = LINE_END.search(text, first + BLOCK)
        last = end.end() if end else len(text)
        pairs = tokenizer.token_offsets(text[first:last])
        found.append(np.fromiter((start for start, _ in pairs), np.int64, len(pairs)) + first)
        first = last
    return np.concatenate(found)
