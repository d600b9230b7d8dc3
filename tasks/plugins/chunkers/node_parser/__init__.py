"""Any node parser of LlamaIndex."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from llmops.tasks.errors import DocumentError
from llmops.tasks.plugins.chunkers import Chunker, Span, Tokenizer
from llmops.tasks.plugins.chunkers._cutting.whole import Whole
from llmops.tasks.plugins.chunkers.node_parser.nodes import build, located, parser_class, pieces
from llmops.tasks.plugins.chunkers.sentence import SentenceChunker

LOG = logging.getLogger(__name__)


class NodeParserChunker(Chunker):
    """`parser`: a class of llama_index.core.node_parser, or an import path; `options` are its own.

    `size`, `overlap` and the embedder's tokenizer are handed to parsers that take them. What a
    parser makes longer than `size` all the same is cut further (`too_long: split`, with a warning
    in the log) or refused; what it leaves out becomes chunks as `sentence` makes them, so that
    nothing is lost. Of a hierarchy the leaves are kept. A parser that changes the text (HTML, JSON)
    is refused per document, since its chunks are not in it. Context: the title.
    """

    requires: ClassVar[Mapping[str, str]] = {
        "llama_index": "pip install 'llmops-pipelines[llamaindex]'"
    }
    parser: str = Field(min_length=1)
    options: dict[str, Any] = Field(default_factory=dict)
    too_long: Literal["split", "refuse"] = "split"

    @model_validator(mode="after")
    def _can_be_built(self) -> Self:
        build(
            parser_class(self.parser),
            self.options,
            self.size,
            min(self.overlap, self.size // 2),
            None,
        )
        return self

    def split(
        self, text: str, *, markup: str, title: str | None, tokenizer: Tokenizer, uri: str = ""
    ) -> Sequence[Span]:
        """Spans in order. Empty for a blank text. Raises DocumentError for chunks that are not in
        the text, or too long.
        """
        del uri
        if not text.strip():
            return []
        size = min(self.size, tokenizer.max_tokens)
        parser = build(
            parser_class(self.parser), self.options, size, min(self.overlap, size // 2), tokenizer
        )
        whole = Whole(text, markup, (title or "").strip(), tokenizer)
        rest = SentenceChunker(size=size, overlap=0)
        spans: list[Span] = []
        end = 0
        for place in located(text, pieces(parser, text)):
            spans += whole.cut(rest, end, place[0])
            spans += self._within(whole, rest, place)
            end = place[1]
        return [*spans, *whole.cut(rest, end, len(text))]

    def _within(
        self, whole: Whole, rest: SentenceChunker, place: tuple[int, int]
    ) -> Iterator[Span]:
        """A node as one span, as several where it is too long."""
        start, end = place
        tokens = len(whole.tokenizer.token_offsets(whole.text[start:end]))
        if tokens <= rest.size:
            yield whole.placed(rest, start, end, tokens)
            return
        if self.too_long == "refuse":
            raise DocumentError(
                f"{self.parser} made a chunk of {tokens} tokens, {rest.size} are allowed"
            )
        LOG.warning(
            "%s made a chunk of %d tokens, which was cut at %d", self.parser, tokens, rest.size
        )
        yield from whole.cut(rest, start, end)
