"""Questions and answers, nothing else."""

from collections.abc import Iterator, Mapping

from llmops.tasks.plugins.exporters import (
    ColumnType,
    ExportContext,
    Exporter,
    ExportRecord,
    Unfit,
)
from llmops.tasks.rows import Row


class ExampleExporter(Exporter):
    """One record for a conversation of one question and its answer; `system` messages stay out."""

    def columns(self, kind: str) -> Mapping[str, ColumnType]:
        return {"question": "text", "answer": "text"}

    def records(self, row: Row, context: ExportContext) -> Iterator[ExportRecord]:
        turns = [each for each in row.messages if each.role != "system"]
        if row.score is not None and row.score < self.least_score:
            raise Unfit("people found the answer worse than `least_score`")
        if [each.role for each in turns] != ["user", "assistant"]:
            raise Unfit("more than one question and its answer")
        yield ExportRecord({"question": turns[0].content, "answer": turns[1].content})
