"""Instructions and outputs, as Alpaca has them."""

from collections.abc import Iterator, Mapping

from llmops.tasks.plugins.exporters import (
    ColumnType,
    ExportContext,
    Exporter,
    ExportRecord,
    Risk,
    Unfit,
)
from llmops.tasks.plugins.exporters._messages import only_text, spoken
from llmops.tasks.rows import Row


class AlpacaExporter(Exporter):
    """Earlier turns are `history`, whose answers LLaMA-Factory learns, too."""

    def columns(self, kind: str) -> Mapping[str, ColumnType]:
        del kind
        return {
            "instruction": "text",
            "input": "text",
            "output": "text",
            "system": "text",
            "history": "texts",
        }

    def records(self, row: Row, context: ExportContext) -> Iterator[ExportRecord]:
        del context
        messages = spoken(row, self.least_score)
        only_text(messages)
        heads = [each for each in messages if each.role in ("system", "developer")]
        turns = messages[len(heads) :]
        roles = [each.role for each in turns]
        if roles != ["user", "assistant"] * (len(turns) // 2):
            raise Unfit("question and answer do not alternate")
        said = [each.content or "" for each in turns]
        history = [[said[n], said[n + 1]] for n in range(0, len(said) - 2, 2)]
        yield ExportRecord(
            {
                "instruction": said[-2],
                "input": "",
                "output": said[-1],
                "system": "\n\n".join(each.content or "" for each in heads),
                "history": history,
            }
        )

    def risks(self, record: ExportRecord) -> Iterator[Risk]:
        if record.content["history"]:
            yield Risk("trained", "answers in history are learnt, too")
