"""A passage for each paragraph."""

import re
from collections.abc import Sequence

from llmops.tasks.plugins.chunkers import Chunker, Span, Tokenizer

PARAGRAPH = re.compile(r"\S(?:.*?\S)??(?=\s*\Z|[ \t]*\n\s*\n)", re.DOTALL)


class ExampleChunker(Chunker):
    """Paragraphs, as blank lines part them; one of more than `size` tokens is cut after each
    `size`. Nothing overlaps.
    """

    overlap: int = 0

    def split(
        self, text: str, *, markup: str, title: str | None, tokenizer: Tokenizer, uri: str = ""
    ) -> Sequence[Span]:
        del markup, title, uri
        most, spans = min(self.size, tokenizer.max_tokens), []
        for paragraph in PARAGRAPH.finditer(text):
            tokens = tokenizer.token_offsets(paragraph[0])
            firsts = range(0, max(len(tokens), 1), most)
            starts = [0, *(tokens[first][0] for first in firsts[1:])]
            for number, (first, start) in enumerate(zip(firsts, starts, strict=True)):
                end = starts[number + 1] if number + 1 < len(starts) else len(paragraph[0])
                count = min(most, len(tokens) - first)
                place = paragraph.start()
                spans.append(Span(start=place + start, end=place + end, tokens=count))
        return spans
