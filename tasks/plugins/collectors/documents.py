"""Questions and answers written from the chunks of a knowledge base, each grounded by a quote that
stands in its chunk. Without a model, headings are the questions.
"""

import json
import re
from collections.abc import Iterator
from typing import Self

from pydantic import Field, model_validator

from llmops.tasks.errors import DocumentError
from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.collectors import (
    ChunkOfDocument,
    Collector,
    CollectorContext,
    Skipped,
)
from llmops.tasks.plugins.collectors._questions import question_row
from llmops.tasks.plugins.llms import Llm, Message, Request, llm_of
from llmops.tasks.rows import Row

PART = 20
"""Documents that one task asks about."""
OFFLINE = "extractive"
SCHEMA = {
    "type": "object",
    "required": ["pairs"],
    "properties": {
        "pairs": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["question", "answer", "quote"],
                "properties": {
                    name: {"type": "string"} for name in ("question", "answer", "quote")
                },
            },
        }
    },
}
TASK = (
    "Write up to {count} questions that a reader of this passage could ask, each with its answer. "
    "Use nothing but the passage, and the language of the passage. A question must be "
    'understandable without the passage: never "this section" or "the text". `quote` is the '
    "sentence of the passage that the answer rests on, copied letter by letter. Where the passage "
    'answers nothing, write {{"pairs": []}}.'
)


class DocumentsCollector(Collector):
    """`llm`: the model that writes; `extractive` writes nothing and takes headings. `per_chunk`:
    pairs of one chunk; `least`: characters of a chunk that is asked about; `revision` of the
    prompt is part of what is paid for.
    """

    knowledge_base: str
    """Whose live version the passages come from."""
    llm: Spec = Spec(name=OFFLINE)
    per_chunk: int = Field(default=2, ge=1, le=10)
    least: int = Field(default=200, ge=1)
    system: str = ""
    """The system message of each row; none by default."""

    @model_validator(mode="after")
    def _can_be_asked(self) -> Self:
        llm_of(self.llm)
        return self

    @property
    def free(self) -> bool:
        return self.llm.name == OFFLINE

    def parts(self, context: CollectorContext) -> list[str]:
        ids = context.documents(self.knowledge_base)
        return [" ".join(ids[start : start + PART]) for start in range(0, len(ids), PART)]

    def rows(self, context: CollectorContext, part: str) -> Iterator[Row | Skipped]:
        llm = None if self.llm.name == OFFLINE else self.llm.build(Llm)
        for chunk in context.chunks(self.knowledge_base, part.split()):
            if len(chunk.text) < self.least:
                continue
            if llm is None:
                yield from self._from_headings(chunk)
            else:
                yield from self._written(context, llm, chunk)

    def _from_headings(self, chunk: ChunkOfDocument) -> Iterator[Row]:
        """A heading that names something is asked about; the chunk is its answer, whole."""
        path = [each.strip() for each in chunk.headings if each.strip()]
        if not path:
            return
        asked = path[-1]
        question = asked if asked.endswith(("?", "؟", "？")) else ": ".join(dict.fromkeys(path))
        yield self._row(chunk, 1, question, chunk.text, chunk.text)

    def _written(
        self, context: CollectorContext, llm: Llm, chunk: ChunkOfDocument
    ) -> Iterator[Row | Skipped]:
        try:
            text = context.ask(llm, self._request(chunk), chunk.chunk_id).text
            pairs = json.loads(text)["pairs"]
        except (DocumentError, ValueError, KeyError, TypeError) as error:
            yield Skipped(chunk.chunk_id, f"the model gave no usable pairs: {error!s:.200}")
            return
        for number, pair in enumerate(pairs[: self.per_chunk] if isinstance(pairs, list) else ()):
            said = [pair.get(each) if isinstance(pair, dict) else None for each in FIELDS]
            question, answer, quote = (each if isinstance(each, str) else "" for each in said)
            place = f"{chunk.chunk_id}#{number + 1}"
            if not question.strip() or not answer.strip():
                yield Skipped(place, "the model's question or answer is empty")
            elif not grounded(quote, chunk.text):
                yield Skipped(place, "the quote of the model's answer does not stand in its chunk")
            else:
                yield self._row(chunk, number + 1, question.strip(), answer.strip(), quote)

    def _request(self, chunk: ChunkOfDocument) -> Request:
        heads = " > ".join([chunk.title, *chunk.headings])
        return Request(
            messages=(
                Message(role="system", content=TASK.format(count=self.per_chunk)),
                Message(role="user", content=f"{heads}\n\n{chunk.text}"),
            ),
            parameters={"temperature": 0},
            output=SCHEMA,
        )

    def _row(
        self, chunk: ChunkOfDocument, number: int, question: str, answer: str, quote: str
    ) -> Row:
        lineage: dict[str, object] = {
            "uri": chunk.uri,
            "chunk_id": chunk.chunk_id,
            "knowledge_base": self.knowledge_base,
            "version": chunk.version,
            "quote": quote if quote != chunk.text else quote[:200],
            "model": self.llm.options.get("model", self.llm.name),
            **({"licence": chunk.licence} if chunk.licence else {}),
        }
        identity = f"{chunk.chunk_id}-{number}"
        return question_row(identity, question, answer, chunk.uri, self.system, lineage)


FIELDS = ("question", "answer", "quote")


def grounded(quote: str, text: str) -> bool:
    """Whether a quote stands in a text, but for white space."""
    wanted = re.sub(r"\s+", " ", quote).strip()
    return bool(wanted) and wanted in re.sub(r"\s+", " ", text)
