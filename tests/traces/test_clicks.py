"""Sources that people opened, in the ledger: once each, ids alone; gone with trace and person."""

from pathlib import Path

import pytest
from sqlalchemy import select

from llmops.tasks.errors import UsageError
from llmops.tasks.ledger import open_ledger
from llmops.tasks.ledger.application import clicks
from llmops.tasks.traces import deletion, index
from llmops.tasks.traces.clicks import MOST, opened
from llmops.tasks.traces.settings import TraceSettings
from llmops.tasks.traces.writer import TraceWriter
from tests.traces.made import person, recorded


def noted(home: Path) -> list[tuple[str, str, int]]:
    query = select(clicks.c.person, clicks.c.chunk_id, clicks.c.version)
    with open_ledger(home).read() as connection:
        return sorted((row.person, row.chunk_id, row.version) for row in connection.execute(query))


def test_a_passage_counts_once_for_each_person(tmp_path: Path) -> None:
    trace = recorded()
    index.enter(tmp_path, [trace])
    said = [opened(tmp_path, trace.id, who, "a1", 3) for who in ("p", "p", "q")]
    assert said == ["recorded", "updated", "recorded"]
    assert noted(tmp_path) == [("p", "a1", 3), ("q", "a1", 3)]
    for number in range(MOST + 5):
        opened(tmp_path, trace.id, "p", f"c{number}", 3)
    assert len(noted(tmp_path)) == MOST + 1
    for wrong, app in ((f"tr-{'0' * 32}", None), (trace.id, "other")):
        with pytest.raises(UsageError, match="no trace of this application"):
            opened(tmp_path, wrong, "p", "a1", 3, app)


def test_it_goes_with_the_trace_and_with_the_person(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    ann, ben = person(tmp_path, "helpdesk/ann"), person(tmp_path, "helpdesk/ben")
    first, second = recorded(), recorded()
    index.enter(tmp_path, [first, second])
    for trace in (first, second):
        for who in (ann, ben):
            opened(tmp_path, trace.id, who, "a1", 3)
    assert deletion.of_person(tmp_path, "helpdesk/ann")["clicks"] == 2
    assert deletion.delete_trace(tmp_path, first.id).places["clicks"] == 2
    assert deletion.delete_person(tmp_path, "helpdesk/ann").places["clicks"] == 1
    assert noted(tmp_path) == [(ben, "a1", 3)]
    with pytest.raises(UsageError):
        opened(tmp_path, first.id, ben, "a1", 3)


def test_where_traces_keep_no_content_nothing_is_noted(tmp_path: Path) -> None:
    trace = recorded()
    index.enter(tmp_path, [trace])
    writer = TraceWriter(tmp_path, "helpdesk", TraceSettings(content=False))
    assert writer.opened(trace.id, "p", "a1", 3) == "ignored"
    assert noted(tmp_path) == []
