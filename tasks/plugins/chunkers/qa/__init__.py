"""Passages that are found by the questions that they answer."""

from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from typing import Literal, Self

from pydantic import Field, model_validator

from llmops.tasks.errors import DocumentError, UsageError
from llmops.tasks.plugins import Spec, digest
from llmops.tasks.plugins.chunkers import AskingTokenizer, Chunker, Span, Tokenizer
from llmops.tasks.plugins.chunkers._cutting import shortened
from llmops.tasks.plugins.chunkers._cutting.whole import Whole
from llmops.tasks.plugins.chunkers.markdown import MarkdownChunker
from llmops.tasks.plugins.chunkers.qa.questions import (
    TABLES,
    QuestionRow,
    prompt,
    read_questions,
    rows,
)
from llmops.tasks.plugins.llms import Llm, llm_of


class QaChunker(Chunker):
    """Rows of a table with a column `question` are found by their question, with `search: both`
    also by their answer; a reader gets the row, with `give: answer` the answer alone.

    Everything else is cut as `markdown` cuts. With `llm` it is asked for `questions` about each
    passage, which is then found by each of them and by its own text; without, by its own text
    alone. Replies are remembered: an edit asks about the passages that it touches.
    """

    question: str = Field(default="question", min_length=1)
    answer: str = Field(default="answer", min_length=1)
    search: Literal["question", "both"] = "question"
    give: Literal["row", "answer"] = "row"
    llm: Spec | None = None
    questions: int = Field(default=3, ge=1, le=20)

    @model_validator(mode="after")
    def _model_can_be_built(self) -> Self:
        self._model()
        return self

    def fingerprint(self) -> str:
        """Options and what the model's replies depend on; never its key."""
        model = self._model()
        return digest(
            f"qa/{self.revision}",
            self.model_dump_json(exclude={"llm"}),
            model.fingerprint() if model else "",
        )

    def split(
        self, text: str, *, markup: str, title: str | None, tokenizer: Tokenizer, uri: str = ""
    ) -> Sequence[Span]:
        """Spans in order. Empty for a blank text.

        Raises DocumentError for a table without the column, UsageError when there is a model but no
        way to ask it.
        """
        found = rows(text, self.question, self.answer)
        if (
            not found.rows
            and found.columns
            and PurePosixPath(uri).suffix.lower() in TABLES
            and self.llm is None
        ):
            raise DocumentError(
                f"the table has no column {self.question!r}; it has {', '.join(found.columns[:20])}"
            )
        whole = Whole(text, markup, (title or "").strip(), tokenizer)
        spans: list[Span] = []
        end = 0
        for row in found.rows:
            spans += self._between(whole, end, row.start)
            spans.append(self._row(whole, row))
            end = row.end
        return [*spans, *self._between(whole, end, len(text))]

    def _row(self, whole: Whole, row: QuestionRow) -> Span:
        start, end = row.answer if self.give == "answer" and row.answer else (row.start, row.end)
        answer = [whole.text[slice(*row.answer)]] if self.search == "both" and row.answer else []
        search = shortened(
            "\n".join([row.question, *answer]), whole.tokenizer.max_tokens, whole.tokenizer
        )
        return Span(
            start=start,
            end=end,
            tokens=len(whole.tokenizer.token_offsets(search)),
            search=search,
            headings=whole.paths.at(start),
            page=whole.page(start),
        )

    def _between(self, whole: Whole, start: int, end: int) -> Iterator[Span]:
        """The passages of a part of the text, each followed by its questions."""
        cutter = MarkdownChunker(size=self.size, overlap=min(self.overlap, self.size // 2))
        for passage in whole.cut(cutter, start, end):
            yield passage
            for search in self._asked(
                whole.text[passage.start : passage.end], passage.context, whole.tokenizer
            ):
                tokens = len(whole.tokenizer.token_offsets(search))
                yield passage.model_copy(update={"search": search, "tokens": tokens, "context": ""})

    def _asked(self, passage: str, context: str, tokenizer: Tokenizer) -> list[str]:
        model = self._model()
        if model is None:
            return []
        if not isinstance(tokenizer, AskingTokenizer):
            raise UsageError(
                f"the chunker qa asks a model, but {type(tokenizer).__name__} cannot pay for it",
                where="chunk: qa: llm",
                hint="build with `llmops index`, or leave llm out",
            )
        asked = tokenizer.ask(model, prompt(passage, context, self.questions), read_questions)
        return [shortened(one, tokenizer.max_tokens, tokenizer) for one in asked[: self.questions]]

    def _model(self) -> Llm | None:
        return llm_of(self.llm) if self.llm else None
