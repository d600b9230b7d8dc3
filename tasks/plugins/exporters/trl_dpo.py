"""Pairs for TRL's DPOTrainer and ORPOTrainer."""

from collections.abc import Iterator, Mapping

from llmops.tasks.plugins.exporters import ColumnType, ExportContext, ExportRecord
from llmops.tasks.plugins.exporters._messages import pair, templated
from llmops.tasks.plugins.exporters._trl import TrlExporter
from llmops.tasks.rows import Row


class TrlDpoExporter(TrlExporter):
    """`prompt`, `chosen`, `rejected`, each a list of messages."""

    def columns(self, kind: str) -> Mapping[str, ColumnType]:
        del kind
        return {"prompt": "messages", "chosen": "messages", "rejected": "messages", "tools": "json"}

    def records(self, row: Row, context: ExportContext) -> Iterator[ExportRecord]:
        del context
        prompt, better, worse = (templated(each) for each in pair(row))
        yield ExportRecord(
            {"prompt": prompt, "chosen": better, "rejected": worse, **self.tools(row)}
        )
