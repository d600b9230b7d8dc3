"""Chunks that follow the structure of Markdown: sections, then blocks, then sentences."""

from typing import ClassVar

import numpy as np

from llmops.tasks.plugins.chunkers._cutting import ContentDefined
from llmops.tasks.plugins.chunkers._cutting.measured import Measured
from llmops.tasks.plugins.chunkers._cutting.strength import BorderKind
from llmops.tasks.texts.characters import Array


class MarkdownChunker(ContentDefined):
    """Cuts before headings first; keeps code blocks, and a heading with what follows it, in one
    chunk where they fit.

    Context: title and headings, "Title > Install > Linux". Text without markup is cut as `sentence`
    does.
    """

    alone: ClassVar[bool] = True

    def kinds(self, measured: Measured) -> Array:
        """Kind of each border: SECTION before a heading, a word's inside code and right after a
        heading.
        """
        kinds, starts = measured.borders.kinds.copy(), measured.borders.starts
        for begin, end in measured.outline.fences:
            inside = slice(*np.searchsorted(starts, [begin + 1, end]))
            kinds[inside] = np.where(
                kinds[inside] > BorderKind.WORD, BorderKind.CLAUSE, kinds[inside]
            )
        for heading in measured.outline.headings:
            first, after = np.searchsorted(starts, [heading.start, heading.end])
            kinds[first : first + 1] = BorderKind.SECTION
            kinds[first + 1 : after + 1] = np.minimum(kinds[first + 1 : after + 1], BorderKind.WORD)
        return kinds

    def context(self, title: str, headings: tuple[str, ...]) -> str:
        """The title and the headings above the chunk; a title that is also the first heading is not
        repeated.
        """
        path = headings[1:] if headings and headings[0].casefold() == title.casefold() else headings
        return " > ".join(part for part in (title, *path) if part)
