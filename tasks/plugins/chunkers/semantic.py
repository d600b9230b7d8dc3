"""Chunks that end where the subject changes, as the embedder sees it."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from pydantic import Field

from llmops.tasks.errors import UsageError
from llmops.tasks.plugins.chunkers import EmbeddingTokenizer, Span, Tokenizer
from llmops.tasks.plugins.chunkers._cutting import Pieces, shortened
from llmops.tasks.plugins.chunkers._cutting.cuts import BorderLine
from llmops.tasks.plugins.chunkers._cutting.measured import Measured, measure
from llmops.tasks.plugins.chunkers._cutting.strength import BorderKind, Grades
from llmops.tasks.plugins.chunkers.markdown import MarkdownChunker
from llmops.tasks.texts.characters import Array

STEPS = 4096
"""A distance is one of so many: what differs by less than a float's noise is equal, and the hash
decides.
"""


class SemanticChunker(MarkdownChunker):
    """A sentence border is a break where the `window` sentences before and after it are farther
    apart (cosine) than at every other sentence border within `least` of `size` tokens. Chunks end
    at breaks; what lies between two of them and is longer than `size` is cut at its greatest
    distances, as `sentence` would by its paragraphs.

    So no threshold is taken over the document: whether a border is a break follows from `least ·
    size` tokens and `window` sentences around it, and an edit moves only the chunks between the
    nearest breaks that it leaves alone. Every sentence is embedded once, which costs about as much
    as the chunks do. Headings and code blocks are kept as in `markdown`.
    """

    overlap: int = Field(default=0, ge=0)
    window: int = Field(default=3, ge=1, le=50)
    least: float = Field(default=0.35, gt=0, le=0.5)

    def split(
        self, text: str, *, markup: str, title: str | None, tokenizer: Tokenizer, uri: str = ""
    ) -> Sequence[Span]:
        """Spans in order. Empty for a blank text. Raises UsageError when the tokenizer cannot
        embed.
        """
        del uri
        if not isinstance(tokenizer, EmbeddingTokenizer):
            raise UsageError(
                "the chunker semantic compares sentences, which only an embedder can embed",
                where="chunk: semantic",
                hint="pass an embedder as the tokenizer",
            )
        size = min(self.size, tokenizer.max_tokens)
        measured = measure(text, markup, tokenizer, max(4, size // 8))
        kinds = self.kinds(measured)
        grades = self._grades(measured, kinds, tokenizer, size)
        breaks = self._breaks(measured, kinds, grades, max(1, int(size * self.least)))
        kinds[breaks] = BorderKind.SECTION
        overlap = min(self.overlap, size // 2)
        cuts = _cuts(measured, grades, [0, *breaks, len(kinds)], size - overlap)
        return self.spans(Pieces(measured, kinds, tokenizer, size, overlap), cuts, title)

    def _grades(
        self, measured: Measured, kinds: Array, embedder: EmbeddingTokenizer, size: int
    ) -> Array:
        """uint64 per border: the kind below sentences, then for sentences their distance, then the
        hash.
        """
        graded = (np.minimum(kinds, BorderKind.SENTENCE).astype(np.uint64) << np.uint64(61)) | (
            measured.borders.hashes.whole >> np.uint64(16)
        )
        starts = np.flatnonzero(kinds >= BorderKind.SENTENCE)
        starts = starts if len(starts) and starts[0] == 0 else np.append(0, starts)
        if len(starts) < 2 or measured.size(0, len(kinds)) < 2 * int(size * self.least):
            return graded
        vectors = embedder.embed(_sentences(measured, starts, embedder))
        far = distances(vectors, self.window)
        graded[starts[1:]] |= np.round(far * (STEPS / 2)).astype(np.uint64) << np.uint64(48)
        return graded

    def _breaks(self, measured: Measured, kinds: Array, grades: Array, reach: int) -> list[int]:
        """The sentence borders that beat every other one within `reach` tokens, and are not nearer
        to an end.
        """
        places, last = measured.places, len(kinds)
        starts = np.flatnonzero(kinds >= BorderKind.SENTENCE)
        far = (
            (places[starts] >= reach) & (places[last] - places[starts] >= reach) if last else starts
        )
        starts = starts[far.astype(bool)]
        spots, values = places[starts], grades[starts]
        low, high = (
            np.searchsorted(spots, spots - reach),
            np.searchsorted(spots, spots + reach, "right"),
        )
        return [
            int(start)
            for n, start in enumerate(starts)
            if values[low[n] : high[n]].max() == values[n]
            and (values[low[n] : n] < values[n]).all()
        ]


def distances(vectors: Array, window: int) -> Array:
    """1 - cosine between the sums of the `window` rows before and after each border of n rows;
    shape (n - 1,), 0 to 2.
    """
    empty = np.zeros((window, vectors.shape[1]))
    rows = np.concatenate(
        [empty, vectors, empty]
    )  # summed side by side, not as running totals, whose rounding depends on the place
    before = sum(rows[window - back :][: len(vectors) - 1] for back in range(window))
    after = sum(rows[window + ahead :][1 : len(vectors)] for ahead in range(window))
    lengths = np.linalg.norm(before, axis=1) * np.linalg.norm(after, axis=1)
    cosines = np.einsum("ij,ij->i", before, after) / np.where(lengths > 0, lengths, 1)
    apart: Array = np.clip(1 - cosines, 0, 2 - 2 / STEPS)
    return apart


def _sentences(measured: Measured, starts: Array, embedder: EmbeddingTokenizer) -> list[str]:
    """The texts between borders, each at most as long as the embedder reads."""
    spans = [
        (measured.start(first), measured.stop(last), measured.tokens(first, last))
        for first, last in pairwise([*starts.tolist(), len(measured.borders.starts)])
    ]
    most, text = embedder.max_tokens, measured.text
    return [
        text[start:end] if tokens <= most else shortened(text[start:end], most, embedder)
        for start, end, tokens in spans
    ]


def _cuts(measured: Measured, grades: Array, parts: list[int], limit: int) -> list[int]:
    """The breaks, and the strongest borders of the parts that are too long."""
    cuts = [
        first + cut
        for first, last in pairwise(parts)
        for cut in BorderLine(
            measured.places[first : last + 1], Grades(grades[first:last]), limit
        ).cuts()
    ]
    return [*cuts, len(measured.borders.starts)]
