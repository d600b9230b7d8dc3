"""What the chunkers `sentence`, `markdown` and `fixed` share: they differ in how they grade
borders.
"""

import re
from abc import abstractmethod
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from llmops.tasks.plugins.chunkers import Chunker, Span, Tokenizer
from llmops.tasks.plugins.chunkers._cutting.cuts import BorderLine
from llmops.tasks.plugins.chunkers._cutting.measured import (
    Measured,
    Paths,
    measure,
    outline,
    token_count,
)
from llmops.tasks.plugins.chunkers._cutting.strength import BorderKind, Strengths
from llmops.tasks.texts.characters import Array


class ContentDefined(Chunker):
    """Chunks of at most `size` tokens, overlap included; `size` is lowered to what the embedder
    takes.

    A context is cut so that context, line break and text together stay within the embedder's limit.
    """

    @abstractmethod
    def kinds(self, measured: Measured) -> Array:
        """The Kind of each border. Among equal kinds the hash decides."""

    def context(self, title: str, headings: tuple[str, ...]) -> str:  # noqa: ARG002 — for those who override it
        """What is embedded before a chunk: the title, here without the headings."""
        return title

    def split(
        self, text: str, *, markup: str, title: str | None, tokenizer: Tokenizer, uri: str = ""
    ) -> Sequence[Span]:
        """Spans in order, each beginning and ending with a character that is not white space. Empty
        for a blank text.
        """
        del uri
        size = min(self.size, tokenizer.max_tokens)
        overlap = min(self.overlap, size // 2)
        measured = measure(text, markup, tokenizer, max(4, size // 8))
        kinds = self.kinds(measured)
        cuts = [
            *BorderLine(measured.places, strengths(kinds, measured), size - overlap).cuts(),
            len(kinds),
        ]
        return self.spans(Pieces(measured, kinds, tokenizer, size, overlap), cuts, title)

    def spans(self, pieces: "Pieces", cuts: Sequence[int], title: str | None) -> list[Span]:
        """The pieces between cuts, with headings, page and context."""
        measured, tokenizer = pieces.measured, pieces.tokenizer
        paths = measured.outline.paths()
        spans = []
        for piece in pieces.between(cuts):
            headings = paths.at(piece.start)
            room = room_beside(piece.tokens, pieces.size, tokenizer)
            context = shortened(self.context((title or "").strip(), headings), room, tokenizer)
            spans.append(
                Span(
                    start=piece.start,
                    end=piece.end,
                    tokens=piece.tokens,
                    headings=headings,
                    page=measured.page(piece.start),
                    context=context,
                )
            )
        return spans


def strengths(kinds: Array, measured: Measured) -> Strengths:
    """Kind before hash."""
    return Strengths(kinds, measured.borders.hashes, np.arange(len(kinds)))


class Piece(NamedTuple):
    start: int
    end: int
    size: int
    tokens: int


@dataclass(frozen=True)
class Pieces:
    """From cuts to pieces of text: adds the overlap, and counts again where no white space was cut
    at, since the parts of a word may have more tokens than the whole. What the embedder reads is
    never in a piece that it would have to cut, so a long mixed one is cut between the two."""

    measured: Measured
    kinds: Array
    tokenizer: Tokenizer
    size: int
    overlap: int

    @cached_property
    def _spots(self) -> list[int]:
        spots: list[int] = self.measured.places.tolist()
        return spots

    @cached_property
    def _kinds(self) -> list[int]:
        kinds: list[int] = self.kinds.tolist()
        return kinds

    def between(self, cuts: Sequence[int]) -> Iterator[Piece]:
        """The pieces between ascending borders; the first has no overlap."""
        for before, (first, last) in zip([cuts[0], *cuts], pairwise(cuts), strict=False):
            yield from map(self._seen, self._pieces(before, first, last))

    def _seen(self, piece: Piece) -> Piece:
        """Of what the embedder does not read it takes as many tokens as it can."""
        most = self.tokenizer.max_tokens if piece.size < piece.tokens else piece.tokens
        return piece._replace(tokens=most) if most < piece.tokens else piece

    def _pieces(self, before: int, first: int, last: int) -> Iterator[Piece]:
        lead = self._lead(before, first)
        piece = self._piece(lead, last)
        if self._too_long(piece, lead, last):
            piece = self._piece(first, last)
        if self._too_long(piece, first, last) and last > first + 1:
            middle = self._middle(first, last)
            yield from self._pieces(before, first, middle)
            yield from self._pieces(middle, middle, last)
        else:
            yield piece

    def _too_long(self, piece: Piece, first: int, last: int) -> bool:
        return piece.size > self.size or (
            piece.tokens > self.tokenizer.max_tokens
            and len(self.measured.turns_between(first, last)) > 0
        )

    def _middle(self, first: int, last: int) -> int:
        turns, middle = self.measured.turns_between(first, last), (first + last) // 2
        return int(turns[np.abs(turns - middle).argmin()]) if len(turns) else middle

    def _piece(self, first: int, last: int) -> Piece:
        start, end = self.measured.start(first), self.measured.stop(last)
        size, tokens = self.measured.size(first, last), self.measured.tokens(first, last)
        if self._at_space(first) and self._at_space(last):
            return Piece(start, end, size, tokens)
        counted = token_count(self.measured.text[start:end], self.tokenizer)
        return Piece(start, end, size + counted - tokens, counted)

    def _at_space(self, border: int) -> bool:
        at_end = border in (0, len(self.kinds))
        return at_end or bool(
            self.measured.borders.starts[border] > self.measured.borders.stops[border]
        )

    def _lead(self, before: int, first: int) -> int:
        """Where the overlap of a chunk begins: at a sentence or clause that fills 70 % of it, else
        at a word.
        """
        kinds, spots = self._kinds, self._spots
        if not self.overlap or kinds[first] == BorderKind.SECTION:
            return first
        inner, end = before + 1, spots[first]  # never the whole chunk before
        least = bisect_left(spots, end - self.overlap, inner, first)
        most = bisect_left(spots, end - round(self.overlap * 0.7), inner, first)
        for kind, last in (
            (BorderKind.SENTENCE, most),
            (BorderKind.CLAUSE, most),
            (BorderKind.WORD, first),
        ):
            for border in range(least, last):
                if kinds[border] >= kind:
                    return border
        return first


def room_beside(tokens: int, size: int, tokenizer: Tokenizer) -> int:
    """The tokens that a context may have. A chunk that fills the embedder is one that it does not
    read: there the context is for text search, and as long as beside a full chunk.
    """
    most = tokenizer.max_tokens
    return most - 1 - (tokens if tokens < most else min(size, most))


def shortened(context: str, room: int, tokenizer: Tokenizer) -> str:
    """At most `room` tokens of a context."""
    if len(context) <= room:  # no tokenizer has more tokens than bytes, and this is the common case
        return context
    offsets = tokenizer.token_offsets(context)
    return context if len(offsets) <= room else context[: offsets[room - 1][1]] if room > 0 else ""


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
            room_beside(tokens, chunker.size, self.tokenizer),
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
