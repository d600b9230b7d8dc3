"""The writer against a tracking server that fails in every way it can: nothing is lost within the
spool, and nothing is told to be stored that is not there.
"""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from llmops.tasks.traces import index, sending, spool
from llmops.tasks.traces.settings import TraceSettings
from llmops.tasks.traces.spool import TraceSpool
from llmops.tasks.traces.trace import Trace
from llmops.tasks.traces.writer import TraceWriter
from tests.traces.made import recorded, recorder
from tests.traces.mlflow_server import Tracking, tracking_server

SECONDS = 30.0


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def tracking(monkeypatch: pytest.MonkeyPatch) -> Iterator[Tracking]:
    monkeypatch.setattr(sending, "PATIENCE", (0.05, 0.2))
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    with tracking_server() as server:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", server.uri)
        yield server


def started(home: Path, **settings: object) -> TraceWriter:
    made = TraceWriter(home, "helpdesk", TraceSettings.model_validate(settings), apart=False)
    made.start()
    return made


def put(target: TraceWriter, count: int) -> list[Trace]:
    traces = [recorded(f"question {number}") for number in range(count)]
    for trace in traces:
        target.put(trace)
    return traces


def until(condition: object) -> None:
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        if callable(condition) and condition():
            return
        time.sleep(0.02)
    pytest.fail("it did not come to pass")


def test_traces_are_stored_read_back_and_leave_the_spool(home: Path, tracking: Tracking) -> None:
    made = started(home)
    traces = put(made, 3)
    assert made.flush(SECONDS)
    assert set(tracking.spans) == {trace.id for trace in traces}
    assert {len(spans) for spans in tracking.spans.values()} == {3}
    rows = {row.id: row for row in index.listed(home)}
    assert all(rows[trace.id].stored_at for trace in traces)
    state = made.state()
    assert (state.stored, state.spooled, state.queued, state.dropped) == (3, 0, 0, 0)
    made.close()


@pytest.mark.parametrize("fault", ["500", "slow", "forget"])
def test_a_server_that_fails_loses_nothing(home: Path, tracking: Tracking, fault: str) -> None:
    tracking.fault, tracking.delay = fault, 1.5
    made = started(home)
    traces = put(made, 8)
    until(lambda: made.state().last_error)
    assert made.state().stored == 0
    assert made.state().spooled == 8
    assert made.state().dropped == 0
    assert not made.flush(0.1)  # it never says that what waits is stored
    tracking.fault = ""
    assert made.flush(SECONDS)
    assert set(tracking.spans) == {trace.id for trace in traces}
    assert made.state().set_aside == 0  # a server that takes nothing is no trace's fault
    made.close()


def test_a_server_that_is_gone_loses_nothing_over_a_restart(
    home: Path, monkeypatch: pytest.MonkeyPatch, tracking: Tracking
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    made = started(home)
    traces = put(made, 4)
    until(lambda: made.state().last_error)
    made.close()
    assert TraceSpool(home, "helpdesk", 10**9).count() == 4
    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracking.uri)
    again = started(home)
    assert again.flush(SECONDS)
    assert set(tracking.spans) == {trace.id for trace in traces}
    again.close()


@pytest.mark.parametrize("status", [500, 400])
def test_one_trace_that_is_refused_is_set_aside_and_the_others_go_on(
    home: Path, tracking: Tracking, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "TRIES", 2)
    traces = [recorded(f"question {number}") for number in range(6)]
    tracking.poison, tracking.poison_status = {traces[0].id}, status
    made = started(home)
    for trace in traces:
        made.put(trace)
    until(lambda: len(tracking.spans) == 5)
    while made.state().set_aside == 0:  # each round with others counts
        put(made, 1)
        time.sleep(0.05)
    assert made.flush(SECONDS)
    aside = list((home / spool.FOLDER / "helpdesk" / spool.ASIDE).iterdir())
    assert [path.name.endswith(f"{traces[0].id}.json") for path in aside] == [True]
    assert traces[0].id not in tracking.spans
    assert made.state().dropped == 0
    made.close()


def test_a_spool_that_is_full_leaves_traces_in_memory_on_their_way(
    home: Path, tracking: Tracking
) -> None:
    made = started(home, spool_mb=0.000001)
    traces = put(made, 3)
    assert made.flush(SECONDS)
    assert set(tracking.spans) == {trace.id for trace in traces}
    assert made.state().spool_bytes == 0
    made.close()


def test_a_disk_that_takes_nothing_leaves_traces_in_memory_on_their_way(
    home: Path, tracking: Tracking
) -> None:
    home.mkdir()
    (home / "spool").write_text("a file where the folder should be")
    made = started(home)
    traces = put(made, 3)
    until(lambda: len(tracking.spans) == 3)
    assert set(tracking.spans) == {trace.id for trace in traces}
    made.close()


def test_where_disk_and_server_are_gone_the_oldest_go_and_are_counted(
    home: Path, tracking: Tracking, caplog: pytest.LogCaptureFixture
) -> None:
    tracking.fault = "500"
    made = started(home, spool_mb=0.000001, memory=5)
    traces = []
    for number in range(8):
        traces += put(made, 1)
        until(lambda number=number: made.state().in_memory + made.state().dropped > number)
    until(lambda: made.state().dropped == 3)
    tracking.fault = ""
    until(lambda: set(tracking.spans) >= {trace.id for trace in traces[3:]})
    told = [line for line in caplog.messages if "neither the disk nor MLflow" in line]
    assert len(told) == 1
    made.close()


def test_a_damaged_entry_is_set_aside(home: Path, tracking: Tracking) -> None:
    folder = home / spool.FOLDER / "helpdesk"
    folder.mkdir(parents=True)
    (folder / f"{1:020d}-tr-{'0' * 32}.json").write_text('{"id": "tr-')
    made = started(home)
    put(made, 1)
    assert made.flush(SECONDS)
    assert made.state().set_aside == 1
    assert len(list((folder / spool.ASIDE).iterdir())) == 1
    made.close()


def test_two_processes_of_a_home_send_an_entry_once(home: Path, tracking: Tracking) -> None:
    writers = [started(home), started(home)]
    traces = [trace for each in writers for trace in put(each, 10)]
    for each in writers:
        assert each.flush(SECONDS)
    assert set(tracking.spans) == {trace.id for trace in traces}
    assert set(tracking.posts.values()) == {1}
    for each in writers:
        each.close()


def test_a_trace_deleted_while_it_waits_is_never_written(home: Path, tracking: Tracking) -> None:
    from sqlalchemy import update

    from llmops.tasks.ledger import now, open_ledger
    from llmops.tasks.ledger.application import traces as table

    tracking.fault = "500"
    made = started(home)
    trace, other = put(made, 2)
    until(lambda: made.state().spooled == 2)
    with open_ledger(home).write() as connection:
        connection.execute(update(table).where(table.c.id == trace.id).values(deleted_at=now()))
    tracking.fault = ""
    assert made.flush(SECONDS)
    assert set(tracking.spans) == {other.id}
    made.close()


def test_outside_the_sample_only_what_matters_is_kept(home: Path, tracking: Tracking) -> None:
    from llmops.tasks.traces.feedback import Feedback

    made = started(home, share=0.0)
    fine, refused, failed, disliked = (
        recorded(status=status) for status in ("ok", "refused", "error", "ok")
    )
    for trace in (fine, refused, failed, disliked):
        made.put(trace)
    until(lambda: len(tracking.spans) == 2)
    assert made.feedback(disliked.id, "", Feedback("down")) == "recorded"
    until(lambda: len(tracking.spans) == 3)
    assert set(tracking.spans) == {refused.id, failed.id, disliked.id}
    assert {row.id for row in index.listed(home)} >= {fine.id}  # its cost is known
    made.close()


def test_a_request_may_be_rated_before_it_has_ended(home: Path, tracking: Tracking) -> None:
    from llmops.tasks.traces.feedback import Feedback

    tracking.fault = "500"
    made = started(home)
    asking = recorder()
    made.begin(asking)
    assert made.feedback(asking.id, "", Feedback("up")) == "recorded"
    made.put(asking.finish("yes"))
    until(lambda: made.state().spooled == 1)
    row = index.row(home, asking.id)
    assert row is not None
    assert row.status == "ok"
    made.close()
