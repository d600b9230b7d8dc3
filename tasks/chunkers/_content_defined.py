"""What the chunkers `sentence`, `markdown` and `fixed` share: they differ in how they grade borders."""

from abc import abstractmethod
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tasks.chunkers import Chunker, Span, Tokenizer
from tasks.chunkers._borders import Borders, Kind, borders
from tasks.chunkers._characters import Array
from tasks.chunkers._cuts import Line
from tasks.chunkers._headings import Outline, outline

BLOCK = 1 << 16


@dataclass(frozen=True)
class Measured:
    """A text with its borders and their places in tokens: one more than borders, the last is the text's length."""

    text: str
    borders: Borders
    places: Array
    outline: Outline


class ContentDefined(Chunker):
    """Chunks of at most `size` tokens, overlap included; `size` is lowered to what the embedder takes.

    A context is cut so that context, line break and text together stay within the embedder's limit.
    """

    @abstractmethod
    def grades(self, measured: Measured) -> Array:
        """How good each border is for a cut: uint64, the higher the better, equal only for equal surroundings."""

    def context(self, title: str | None, headings: tuple[str, ...]) -> str:
        """What is embedded before a chunk."""
        return title or ""

    def split(self, text: str, *, markup: str, title: str | None, tokenizer: Tokenizer) -> Sequence[Span]:
        """Spans in order, each beginning and ending with a character that is not white space. Empty for a blank text."""
        size = min(self.size, tokenizer.max_tokens)
        overlap = min(self.overlap, size // 2)
        measured = measure(text, markup, tokenizer, max(1, size // 8))
        line = Line(measured.places, self.grades(measured), size - overlap)
        pieces = Pieces(measured, tokenizer, size, overlap)
        numbers = [*line.cuts(), len(measured.borders.starts)]
        spans = [pieces.span(a, b, before) for before, a, b in zip([0, *numbers], numbers, numbers[1:], strict=False)]
        return [span for span in spans]
