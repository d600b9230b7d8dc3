"""Pairs for preference tuning at services with OpenAI's API."""

from collections.abc import Iterator, Mapping

from llmops.tasks.plugins.exporters import ColumnType, ExportContext, Exporter, ExportRecord, Unfit
from llmops.tasks.plugins.exporters._messages import only_text, pair, plain
from llmops.tasks.rows import Row


class OpenAiDpoExporter(Exporter):
    """Text alone, and one answer on each side."""

    def columns(self, kind: str) -> Mapping[str, ColumnType]:
        del kind
        return {
            "input": "request",
            "preferred_output": "messages",
            "non_preferred_output": "messages",
        }

    def records(self, row: Row, context: ExportContext) -> Iterator[ExportRecord]:
        del context
        prompt, better, worse = pair(row)
        only_text([*better, *worse])
        if len(better) != 1 or len(worse) != 1:
            raise Unfit("its answers are of several messages, and the service compares one")
        tools = {"tools": list(row.tools), "parallel_tool_calls": True} if row.tools else {}
        yield ExportRecord(
            {
                "input": {"messages": [plain(each) for each in prompt], **tools},
                "preferred_output": [plain(each) for each in better],
                "non_preferred_output": [plain(each) for each in worse],
            }
        )
