"""Answers with a label for TRL's KTOTrainer."""

from collections.abc import Iterator, Mapping

from llmops.tasks.plugins.exporters import ColumnType, ExportContext, ExportRecord, Unfit
from llmops.tasks.plugins.exporters._messages import parted, spoken, templated
from llmops.tasks.plugins.exporters._trl import PROMPTED, TrlExporter
from llmops.tasks.rows import Row, RowMessage


class TrlKtoExporter(TrlExporter):
    """A pair is two records. `least_score`: from here on an answer is a good one; a row without a
    score has no label.
    """

    def columns(self, kind: str) -> Mapping[str, ColumnType]:
        del kind
        return {**PROMPTED, "label": "boolean", "tools": "json"}

    def records(self, row: Row, context: ExportContext) -> Iterator[ExportRecord]:
        del context
        if row.chosen is not None:
            sides = [(row.chosen, True), *([(row.rejected, False)] if row.rejected else [])]
            for answer, label in sides:
                yield self._record(row, (*row.messages, *answer), label)
            return
        if row.score is None:
            raise Unfit("nobody said whether the answer is good")
        yield self._record(row, spoken(row, 0.0), row.score >= self.least_score)

    def _record(self, row: Row, messages: tuple[RowMessage, ...], label: bool) -> ExportRecord:
        prompt, answer = parted(messages)
        return ExportRecord(
            {
                "prompt": templated(prompt),
                "completion": templated(answer),
                "label": label,
                **self.tools(row),
            }
        )

    def warnings(self, counts: Mapping[tuple[str, str], int]) -> Iterator[str]:
        if counts.get(("train", ""), 0):
            return
        others = [f"{count} in {side}" for (side, _), count in counts.items() if count]
        there = f" ({', '.join(others)})" if others else ""
        yield f"there is no labelled answer in train{there}: rate more, or export trl_sft"
