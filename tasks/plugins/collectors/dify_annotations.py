"""Annotations that Dify exports: CSV with `question` and `answer`, or JSON lines of its chats."""

import json
from collections.abc import Iterator
from pathlib import Path

from llmops.tasks.errors import UsageError
from llmops.tasks.plugins.collectors import Collector, CollectorContext, Skipped
from llmops.tasks.plugins.collectors._dify import csv_rows, unguarded
from llmops.tasks.plugins.collectors._questions import question_row
from llmops.tasks.plugins.collectors.jsonl import row_of
from llmops.tasks.rows import Row
from llmops.tasks.schemas import sha256


class DifyAnnotationsCollector(Collector):
    """`system`: what Dify leaves empty: the prompt that the application really has. Apostrophes
    that Dify puts before `=`, `+`, `-` and `@` are taken away again.
    """

    path: Path
    """The exported file, relative to the config."""
    system: str = ""

    def at(self, folder: Path) -> "DifyAnnotationsCollector":
        return self.model_copy(update={"path": folder / self.path})

    def check(self) -> None:
        if not self.path.is_file():
            raise UsageError(
                f"no such file: {self.path}", hint="Dify: Annotations, bulk export, CSV or JSONL"
            )

    def rows(self, context: CollectorContext, part: str) -> Iterator[Row | Skipped]:
        del context, part
        if self.path.suffix.lower() in (".jsonl", ".ndjson"):
            yield from self._from_chats()
            return
        for place, cells in csv_rows(self.path, "question", "answer"):
            yield self._row(place, unguarded(cells["question"]), unguarded(cells["answer"]))

    def _row(self, place: str, question: str, answer: str) -> Row | Skipped:
        if not question.strip() or not answer.strip():
            return Skipped(place, "question or answer is empty")
        identity = f"dify-{sha256(question)[:16]}-{sha256(answer)[:8]}"
        return question_row(identity, question, answer, None, self.system, {})

    def _from_chats(self) -> Iterator[Row | Skipped]:
        with self.path.open("rb") as file:
            for number, line in enumerate(file, 1):
                place = f"{self.path.name}:{number}"
                if line.strip():
                    yield self._chat(line.removeprefix(b"\xef\xbb\xbf"), place)

    def _chat(self, line: bytes, place: str) -> Row | Skipped:
        row = row_of(line, place)
        if isinstance(row, Skipped):
            return row
        said = [each for each in row.messages if each.role != "system" or each.content]
        if [each.role for each in said] == ["user", "assistant"]:
            question, answer = (str(each.content or "") for each in said)
            return self._row(place, question, answer)
        named = "id" in json.loads(line)
        identity = row.id if named else f"dify-{sha256(line)[:16]}"
        return row.model_copy(update={"id": identity, "messages": tuple(said)})
