"""Chunks of source code that follow its syntax: definitions first, then statements."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import ClassVar

import numpy as np
from pydantic import Field, field_validator

from llmops.tasks.plugins.chunkers import Span, Tokenizer
from llmops.tasks.plugins.chunkers._cutting import (
    Piece,
    Pieces,
    room_beside,
    shortened,
    strengths,
)
from llmops.tasks.plugins.chunkers._cutting.cuts import BorderLine
from llmops.tasks.plugins.chunkers._cutting.measured import Measured, measure
from llmops.tasks.plugins.chunkers.code.syntax import Syntax, known_languages, language_of, parse
from llmops.tasks.plugins.chunkers.markdown import MarkdownChunker
from llmops.tasks.texts.characters import Array


class CodeChunker(MarkdownChunker):
    """Definitions that fit are kept whole, small neighbours share a chunk, long ones are cut at
    their statements and share with nobody. Syntax errors do no harm.

    `language`: of every document; by default the document's name tells. Where none is known, the
    text is cut as `markdown` cuts. Context: the title (or the uri), then the signatures of the
    classes and functions that begin before the chunk.
    """

    alone: ClassVar[bool] = True
    requires: ClassVar[Mapping[str, str]] = {
        "tree_sitter_language_pack": "pip install 'llmops-pipelines[code]'"
    }
    overlap: int = Field(default=0, ge=0)
    language: str | None = None

    @field_validator("language")
    @classmethod
    def _is_known(cls, value: str | None) -> str | None:
        if value is not None and value not in known_languages():
            raise ValueError(f"an unknown language; allowed: {', '.join(known_languages())}")
        return value

    def split(
        self, text: str, *, markup: str, title: str | None, tokenizer: Tokenizer, uri: str = ""
    ) -> Sequence[Span]:
        """Spans in order. Empty for a blank text."""
        language = self.language or language_of(uri)
        if language is None or language not in known_languages():
            return super().split(text, markup=markup, title=title, tokenizer=tokenizer, uri=uri)
        size = min(self.size, tokenizer.max_tokens)
        overlap = min(self.overlap, size // 2)
        measured = measure(text, "plain", tokenizer, max(4, size // 8))
        syntax = parse(language, measured, size - overlap)
        kinds = np.maximum(syntax.grades, 0)
        pieces = Pieces(measured, kinds, tokenizer, size, overlap)
        named = (title or "").strip() or uri
        return [
            self._placed(piece, measured, syntax, named, tokenizer)
            for piece in pieces.between(_cuts(measured, syntax, kinds, size - overlap))
        ]

    def _placed(
        self, piece: Piece, measured: Measured, syntax: Syntax, title: str, tokenizer: Tokenizer
    ) -> Span:
        scopes = syntax.around(piece.start)
        path = " > ".join(filter(None, (title, *(scope.signature for scope in scopes))))
        room = room_beside(piece.tokens, self.size, tokenizer)
        context = shortened(path, room, tokenizer)
        return Span(
            start=piece.start,
            end=piece.end,
            tokens=piece.tokens,
            page=measured.page(piece.start),
            context=context,
            headings=tuple(scope.name for scope in scopes),
        )


def _cuts(measured: Measured, syntax: Syntax, kinds: Array, limit: int) -> list[int]:
    """Between two walls: borders that may be cut, chosen as everywhere."""
    graded, last = strengths(kinds, measured), len(kinds)
    cuts: list[int] = []
    for first, end in pairwise(sorted({0, *syntax.walls, last})):
        allowed = np.union1d([first], first + np.flatnonzero(syntax.grades[first:end] >= 0))
        line = BorderLine(measured.places[np.append(allowed, end)], graded[allowed], limit)
        cuts += allowed[line.cuts()].tolist()
    return [*cuts, last]
