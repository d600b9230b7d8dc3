"""What runs came to, and which were cut, by the ledger alone."""

import os
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest
from sqlalchemy import insert, update

from llmops.tasks.alerts.cut import begun, without
from llmops.tasks.alerts.history import RunHistory
from llmops.tasks.alerts.listings import incomplete
from llmops.tasks.ledger import Ledger, open_ledger
from llmops.tasks.ledger.runs import save_outcome
from llmops.tasks.ledger.tables import knowledge_bases, leases, listings, runs, slots
from tests.ledgers import with_ledger

NOW = datetime.now(UTC)
HOUR = timedelta(hours=1)
INDEX = ("index", "handbook")


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return open_ledger(with_ledger(tmp_path / "home"))


def ran(ledger: Ledger, run_id: str, ago: timedelta, **outcome: object) -> None:
    save_outcome(ledger, run_id, "handbook", {"flow": "index", "seconds": 60, **outcome})
    with ledger.write() as connection:
        mine = update(runs).where(runs.c.id == run_id)
        connection.execute(mine.values(finished_at=NOW - ago))


def test_the_newest_comes_first_and_each_outcome_is_read_once(ledger: Ledger) -> None:
    history = RunHistory()
    ran(ledger, "1", 3 * HOUR, status="published")
    ran(ledger, "2", 2 * HOUR, status="blocked", reason="too many vanished", hint="allow it")
    assert [run.result for run in history.by_config(ledger)[INDEX]] == ["blocked", "good"]
    ran(ledger, "3", HOUR, status="failed", reason="budget")
    found = history.by_config(ledger)[INDEX]
    assert [(run.id, run.message) for run in found[:2]] == [
        ("3", "budget"),
        ("2", "too many vanished"),
    ]
    assert (found[1].hint, found[1].ended - found[1].began) == ("allow it", timedelta(minutes=1))
    with ledger.write() as connection:
        connection.execute(runs.delete().where(runs.c.id == "1"))
    assert len(history.by_config(ledger)[INDEX]) == 2


def test_what_failed_in_a_night_is_a_failure_of_the_part_not_of_the_night(ledger: Ledger) -> None:
    def part(flow: str, status: str, **more: object) -> dict[str, object]:
        named = {"flow": flow, "name": "handbook", "status": status, "failed": True}
        return {**named, "headline": "no such file", "prefect_run_id": None, **more}

    parts = [
        part("index", "error"),
        part("evaluate", "skipped"),
        part("score", "error", prefect_run_id="own"),  # its own outcome tells
        part("prune", "pruned", failed=False),
    ]
    ran(ledger, "n", HOUR, flow="nightly", status="parts_failed", parts=parts)
    found = RunHistory().by_config(ledger)
    assert {of: ended[0].result for of, ended in found.items()} == {
        ("nightly", "handbook"): "good",
        INDEX: "failed",
        ("prune", "handbook"): "good",
    }


def process(dead: bool) -> dict[str, object]:
    created = 0.0 if dead else psutil.Process().create_time()
    return {"host": socket.gethostname(), "pid": os.getpid(), "process_started": created}


def claim(ledger: Ledger, flow: str, run_id: str, *, dead: bool) -> None:
    with ledger.write() as connection:
        row = {"flow": flow, "name": "handbook", "run_id": run_id, "began_at": NOW}
        connection.execute(insert(slots), {**row, **process(dead)})


def hold(ledger: Ledger, *, dead: bool) -> None:
    with ledger.write() as connection:
        row = {"kb": "handbook", "owner": "o", "acquired_at": NOW, "heartbeat_at": NOW}
        connection.execute(insert(leases), {**row, **process(dead), "run_id": "r"})


@pytest.mark.parametrize("dead", [True, False])
def test_a_run_whose_process_is_gone_was_cut(ledger: Ledger, dead: bool) -> None:
    claim(ledger, "evaluate", "e", dead=dead)
    hold(ledger, dead=dead)
    found = begun(ledger)
    assert {each.of for each in found.cut} == ({("evaluate", "handbook")} if dead else set())
    assert found.last == {("evaluate", "handbook"): NOW, INDEX: NOW}


def test_a_night_that_was_cut_stands_for_the_build_that_it_was_at(ledger: Ledger) -> None:
    hold(ledger, dead=True)
    assert [each.of for each in begun(ledger).cut] == [INDEX]
    claim(ledger, "nightly", "n", dead=True)
    (cut,) = begun(ledger).cut
    assert cut.of == ("nightly", "handbook")
    assert without([cut], {"n"}) == []
    ran(ledger, "n", HOUR, flow="nightly", status="completed")
    assert [each.of for each in begun(ledger).cut] == [INDEX]


def test_a_source_that_the_last_good_build_could_not_list_is_named(ledger: Ledger) -> None:
    with ledger.write() as connection:
        base = {"name": "handbook", "live": 1, "created_at": NOW}
        connection.execute(insert(knowledge_bases), base)
        for source, ago in (("files", HOUR), ("wiki", 30 * HOUR)):
            row = {"kb": "handbook", "source": source, "completed_at": NOW - ago, "documents": 3}
            connection.execute(insert(listings), row)
    history = RunHistory()
    assert incomplete(ledger, history.by_config(ledger)) == []
    ran(ledger, "1", HOUR, status="published")
    (told,) = incomplete(ledger, history.by_config(ledger))
    assert (told.key, told.since) == ("source-incomplete/handbook", NOW - 30 * HOUR)
    assert "could not list wiki to the end" in told.message
