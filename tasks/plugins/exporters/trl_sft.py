"""Prompts and completions for TRL's SFTTrainer."""

from collections.abc import Iterator, Mapping
from typing import Literal

from llmops.tasks.plugins.exporters import ColumnType, ExportContext, ExportRecord, Risk
from llmops.tasks.plugins.exporters._messages import parted, spoken, templated
from llmops.tasks.plugins.exporters._trl import PROMPTED, TrlExporter
from llmops.tasks.rows import Row


class TrlSftExporter(TrlExporter):
    """`train_on: last`: `prompt` and `completion`, of which TRL learns the completion; `all`:
    `messages`.
    """

    train_on: Literal["last", "all"] = "last"

    def columns(self, kind: str) -> Mapping[str, ColumnType]:
        del kind
        return {"messages": "messages", **PROMPTED, "tools": "json"}

    def records(self, row: Row, context: ExportContext) -> Iterator[ExportRecord]:
        del context
        messages = spoken(row, self.least_score)
        if self.train_on == "all":
            yield ExportRecord({"messages": templated(messages), **self.tools(row)})
            return
        prompt, answer = parted(messages)
        yield ExportRecord(
            {"prompt": templated(prompt), "completion": templated(answer), **self.tools(row)}
        )

    def risks(self, record: ExportRecord) -> Iterator[Risk]:
        if "messages" in record.content:
            yield Risk(
                "trained",
                "without assistant_only_loss all of it is learnt, questions too; with it nothing, "
                "where the chat template does not mark what the assistant said",
            )
