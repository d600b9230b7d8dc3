"""Search small, answer large: children are found, the parents that hold them are given."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import ClassVar, Self

from pydantic import Field, model_validator

from llmops.tasks.plugins.chunkers import Span, Tokenizer
from llmops.tasks.plugins.chunkers._cutting import Pieces, room_beside, shortened, strengths
from llmops.tasks.plugins.chunkers._cutting.cuts import BorderLine
from llmops.tasks.plugins.chunkers._cutting.measured import Measured, measure, token_count
from llmops.tasks.plugins.chunkers._cutting.strength import Strengths
from llmops.tasks.plugins.chunkers.markdown import MarkdownChunker


class ParentChildChunker(MarkdownChunker):
    """Parents of at most `parent_size` tokens, cut as `markdown` cuts; inside of each, children of
    `size` and `overlap`.

    Each child is a span with its parent's offsets, found by its own title, headings and text. So an
    edit pays for the children that it touches, not for the parent. A parent may be longer than the
    embedder reads.
    """

    alone: ClassVar[bool] = True
    parent_size: int = Field(default=800, ge=8, le=100_000)

    @model_validator(mode="after")
    def _parents_hold_children(self) -> Self:
        if self.parent_size < self.size:
            raise ValueError(
                f"parent_size ({self.parent_size}) is less than size ({self.size}), the "
                f"size of a child"
            )
        return self

    def split(
        self, text: str, *, markup: str, title: str | None, tokenizer: Tokenizer, uri: str = ""
    ) -> Sequence[Span]:
        """Spans in order, those of a parent with the same offsets. Empty for a blank text."""
        del uri
        size = min(self.size, tokenizer.max_tokens)
        measured = measure(text, markup, tokenizer, max(4, size // 8))
        kinds = self.kinds(measured)
        graded = strengths(kinds, measured)
        pieces = Pieces(measured, kinds, tokenizer, size, min(self.overlap, size // 2))
        parents = [*BorderLine(measured.places, graded, self.parent_size).cuts(), len(kinds)]
        return [
            span
            for first, last in pairwise(parents)
            for span in self._children(
                measured, pieces, graded, (first, last), (title or "").strip()
            )
        ]

    def _children(
        self,
        measured: Measured,
        pieces: Pieces,
        graded: Strengths,
        parent: tuple[int, int],
        title: str,
    ) -> Iterator[Span]:
        first, last = parent
        start, end, paths = measured.start(first), measured.stop(last), measured.outline.paths()
        line = BorderLine(
            measured.places[first : last + 1], graded[first:last], pieces.size - pieces.overlap
        )
        for child in pieces.between([*(first + cut for cut in line.cuts()), last]):
            room = room_beside(child.tokens, pieces.size, pieces.tokenizer)
            context = shortened(self.context(title, paths.at(child.start)), room, pieces.tokenizer)
            search = "\n".join(filter(None, (context, measured.text[child.start : child.end])))
            yield Span(
                start=start,
                end=end,
                tokens=min(token_count(search, pieces.tokenizer), pieces.tokenizer.max_tokens),
                headings=paths.at(start),
                page=measured.page(start),
                search=search,
            )
