from typing import cast

import pytest

from llmops.deployments.plugin_package.templates.exporters import ExampleExporter
from llmops.tasks.plugins.exporters import ExportContext, Unfit
from llmops.tasks.rows import Row, RowMessage

ASKS_NOBODY = cast(ExportContext, None)
ASKED = RowMessage(role="user", content="Why?")
SAID = RowMessage(role="assistant", content="Because.")


def test_a_question_and_its_answer_are_a_record() -> None:
    row = Row(id="1", messages=(ASKED, SAID), group="1")
    (record,) = ExampleExporter().records(row, ASKS_NOBODY)
    assert record.content == {"question": "Why?", "answer": "Because."}
    assert list(record.content) == list(ExampleExporter().columns(""))


@pytest.mark.parametrize(
    "row",
    [
        Row(id="1", messages=(ASKED, SAID, ASKED, SAID), group="1"),
        Row(id="2", messages=(ASKED, SAID), group="2", score=0.1),
    ],
)
def test_what_it_cannot_take_is_told(row: Row) -> None:
    with pytest.raises(Unfit):
        list(ExampleExporter().records(row, ASKS_NOBODY))
