"""Conversations for fine-tuning services with OpenAI's API."""

from collections.abc import Iterator, Mapping
from typing import Literal

from llmops.tasks.plugins.exporters import ColumnType, ExportContext, Exporter, ExportRecord
from llmops.tasks.plugins.exporters._messages import plain, spoken
from llmops.tasks.rows import Row

LEAST = 10
"""Examples below which the service takes no file."""


class OpenAiChatExporter(Exporter):
    """`train_on`: the last answer alone (earlier ones get `weight: 0`), or all of them."""

    train_on: Literal["last", "all"] = "last"

    def columns(self, kind: str) -> Mapping[str, ColumnType]:
        del kind
        return {"messages": "messages", "tools": "json", "parallel_tool_calls": "boolean"}

    def records(self, row: Row, context: ExportContext) -> Iterator[ExportRecord]:
        del context
        messages = [plain(each) for each in spoken(row, self.least_score)]
        if self.train_on == "last":
            for each in messages[:-1]:
                if each["role"] == "assistant":
                    each["weight"] = 0
        tools = {"tools": list(row.tools), "parallel_tool_calls": True} if row.tools else {}
        yield ExportRecord({"messages": messages, **tools})

    def warnings(self, counts: Mapping[tuple[str, str], int]) -> Iterator[str]:
        rows = counts.get(("train", ""), 0)
        if rows < LEAST:
            yield f"the service takes no file of fewer than {LEAST} examples; train has {rows}"
