"""What TRL's formats have in common."""

from collections.abc import Mapping

from pydantic import Field

from llmops.tasks.plugins.exporters import ColumnType, Exporter
from llmops.tasks.rows import Row

DEFAULT = 1024
PROMPTED: Mapping[str, ColumnType] = {"prompt": "messages", "completion": "messages"}


class TrlExporter(Exporter):
    """`max_tokens`: set the trainer's `max_length` to it. Its own is 1,024, and it cuts what is
    longer, often the end of the answer, without a word.
    """

    max_tokens: int | None = Field(default=DEFAULT, ge=1)

    def tools(self, row: Row) -> dict[str, object]:
        """The column that chat templates look at; none for a row without tools."""
        return {"tools": list(row.tools)} if row.tools else {}
