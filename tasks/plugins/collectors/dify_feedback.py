"""Feedback that Dify exports, as CSV or JSON. Its answers are cut at 500 characters: such rows are
marked, and never trained on.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from llmops.tasks.errors import UsageError
from llmops.tasks.plugins.collectors import Collector, CollectorContext, Skipped
from llmops.tasks.plugins.collectors._dify import csv_rows, unguarded
from llmops.tasks.plugins.collectors._questions import question_row
from llmops.tasks.rows import Row

MOST = 500
"""Characters of an answer; a longer one is cut there and gets three dots."""
SCORES = {"like": 1.0, "dislike": 0.0}
WANTED = ("message_id", "user_query", "ai_response", "feedback_rating_raw")


class DifyFeedbackCollector(Collector):
    """`path`: relative to the config; `system`: the prompt that the application really has."""

    path: Path
    system: str = ""

    def at(self, folder: Path) -> "DifyFeedbackCollector":
        return self.model_copy(update={"path": folder / self.path})

    def check(self) -> None:
        if not self.path.is_file():
            raise UsageError(f"no such file: {self.path}", hint="Dify: feedback export, CSV, JSON")

    def rows(self, context: CollectorContext, part: str) -> Iterator[Row | Skipped]:
        del context, part
        for place, cells in self._records():
            yield self._row(place, cells)

    def _records(self) -> Iterator[tuple[str, Mapping[str, str]]]:
        if self.path.suffix.lower() != ".json":
            yield from csv_rows(self.path, *WANTED)
            return
        try:
            content = json.loads(self.path.read_text(encoding="utf-8-sig"))
            records = content["feedback_data"]
        except (ValueError, KeyError, TypeError) as error:
            raise UsageError(
                f"{self.path} is no feedback export of Dify: {error!r}",
                hint='{"export_info": {…}, "feedback_data": […]} is wanted',
            ) from error
        for number, record in enumerate(records):
            yield f"{self.path.name}[{number}]", {k: str(v) for k, v in record.items()}

    def _row(self, place: str, cells: Mapping[str, str]) -> Row | Skipped:
        question, answer = cells.get("user_query", ""), cells.get("ai_response", "")
        score = SCORES.get(cells.get("feedback_rating_raw", ""))
        if not question.strip() or not answer.strip() or score is None:
            return Skipped(place, "question, answer or rating is empty")
        lineage: dict[str, object] = {
            name: cells[name]
            for name in ("app_id", "message_id", "feedback_source", "feedback_date")
            if cells.get(name)
        }
        identity = cells.get("feedback_id") or cells.get("message_id") or place
        conversation = cells.get("conversation_id")
        question, answer = unguarded(question), unguarded(answer)
        row = question_row(identity, question, answer, conversation, self.system, lineage)
        return row.model_copy(update={"score": score, "cut": len(answer) > MOST})
