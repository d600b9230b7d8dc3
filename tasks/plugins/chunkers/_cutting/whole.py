"""A document of which parts are cut by another chunker."""

import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from llmops.tasks.plugins.chunkers import Span, Tokenizer
from llmops.tasks.plugins.chunkers._cutting import ContentDefined, shortened
from llmops.tasks.plugins.chunkers._cutting.headings import Paths, outline


@dataclass(frozen=True)
class Whole:
    """What the parts do not know: the headings above them, their pages."""

    text: str
    markup: str
    title: str
    tokenizer: Tokenizer

    @cached_property
    def paths(self) -> Paths:
        return outline(self.text if self.markup == "markdown" else "").paths()

    @cached_property
    def _feeds(self) -> list[int]:
        return [match.start() for match in re.finditer("\f", self.text)]

    def page(self, offset: int) -> int | None:
        """The page of a character, from 1; None where the text has no form feed."""
        return bisect_left(self._feeds, offset) + 1 if self._feeds else None

    def cut(self, chunker: ContentDefined, start: int, end: int) -> Iterator[Span]:
        """The spans of a part, as offsets into the whole."""
        for span in chunker.split(
            self.text[start:end], markup=self.markup, title=None, tokenizer=self.tokenizer
        ):
            yield self.placed(chunker, start + span.start, start + span.end, span.tokens)

    def placed(self, chunker: ContentDefined, start: int, end: int, tokens: int) -> Span:
        """A span with headings, page and the context that the chunker gives."""
        headings = self.paths.at(start)
        context = shortened(
            chunker.context(self.title, headings),
            self.tokenizer.max_tokens - tokens - 1,
            self.tokenizer,
        )
        return Span(
            start=start,
            end=end,
            tokens=tokens,
            headings=headings,
            page=self.page(start),
            context=context,
        )
