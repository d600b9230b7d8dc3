"""What each part of a night forgets, beside what others are at, and what it leaves alone."""

import os
import sqlite3
import time
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from filelock import FileLock
from sqlalchemy import insert, select

from llmops.tasks.calls.costs import CostEntry, Payer, book, booked
from llmops.tasks.ledger import now, open_ledger
from llmops.tasks.ledger.alerting import alerts, notices
from llmops.tasks.ledger.application import answers, traces
from llmops.tasks.ledger.tables import calls, documents, shown
from llmops.tasks.maintenance.house import forget
from llmops.tasks.maintenance.retention import tracked
from llmops.tasks.maintenance.retention.holdings import holdings
from llmops.tasks.maintenance.retention.policy import RetentionPolicy
from llmops.tasks.traces.spool import spools
from tests.ledgers import with_ledger
from tests.maintenance.homes import Plan, Thing, made

OLD, LATE = timedelta(days=100), timedelta(days=5)
POLICY = RetentionPolicy(
    **{name: 30 for name in RetentionPolicy.model_fields if name.endswith("_days")}
)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return with_ledger(tmp_path / "home")


def told(home: Path, what: str) -> str:
    part = forget(home, what, POLICY)
    assert part.status == "done", part.told
    return part.told


def alert(key: str, resolved: timedelta | None) -> dict[str, object]:
    texts = dict.fromkeys(("owner", "rule", "subject", "severity", "message", "hint"), "")
    moments = {name: now() - OLD for name in ("began_at", "seen_at", "looked_at", "fired_at")}
    numbers = {"looks": 1, "returns": 0, "lasted_seconds": 0.0}
    over = None if resolved is None else now() - resolved
    return {"id": key, "key": key, **texts, **moments, **numbers, "links": {}, "resolved_at": over}


def notice(key: str, of: str, status: str) -> dict[str, object]:
    at = now() - OLD
    return {
        "id": key,
        "alert_id": of,
        "kind": "fired",
        "sender": "mail",
        "content": {},
        "status": status,
        "attempts": 1,
        "error": "",
        "created_at": at,
        "due_at": at,
    }


def test_alerts_that_are_over_go_and_what_goes_on_or_waits_stays(home: Path) -> None:
    with open_ledger(home).write() as connection:
        given = {"over": OLD, "late": LATE, "open": None, "untold": OLD}
        connection.execute(insert(alerts), [alert(key, at) for key, at in given.items()])
        rows = [("over", "sent"), ("late", "sent"), ("open", "dead"), ("untold", "waiting")]
        rows = [*rows, ("untold", "sent")]
        ids = [f"{of}-{status}" for of, status in rows]
        values = [notice(key, *row) for key, row in zip(ids, rows, strict=True)]
        connection.execute(insert(notices), values)
    assert told(home, "alerts") == "1 alerts that are over, 1 notices"
    with open_ledger(home).read() as connection:
        assert set(connection.scalars(select(alerts.c.id))) == {"late", "open", "untold"}
        assert set(connection.scalars(select(notices.c.id))) == {*ids} - {"over-sent"}
    assert told(home, "alerts") == "0 alerts that are over, 0 notices"


def test_replies_go_but_those_on_kept_documents_and_what_was_paid(home: Path) -> None:
    """A payment for a training, and the calls of served answers, have no text."""
    given = {
        "asked": ("", "yes", OLD),
        "young": ("", "yes", LATE),
        "training": ("", "", OLD),
        "kept": ("d1", "yes", OLD),
        "served": ("f" * 32, "", OLD),
        "gone": ("d2", "yes", OLD),
    }
    document = {column.name: "" for column in documents.c}
    numbers = {"valid_from": 1, "valid_to": None, "characters": 1, "chunks": 1, "shard_row": 0}
    with open_ledger(home).write() as connection:
        connection.execute(
            insert(documents).values({**document, **numbers, "doc_id": "d1", "fetched_at": now()})
        )
        rows = [
            {"key": key, "owner": owner, "reply": reply, "created_at": now() - age}
            for key, (owner, reply, age) in given.items()
        ]
        connection.execute(insert(calls), rows)
        shows = [{"key": key, "kb": "k", "doc_id": "d1"} for key in ("asked", "young")]
        connection.execute(insert(shown), shows)
        book(connection, [CostEntry(Payer("evaluate", "desk"), "m", 10, 0.5)], now() - OLD)
    paid = booked(open_ledger(home))
    assert told(home, "calls") == "2 replies that were paid for"
    with open_ledger(home).read() as connection:
        assert set(connection.scalars(select(calls.c.key))) == {*given} - {"asked", "gone"}
        assert list(connection.scalars(select(shown.c.key))) == ["young"]
    assert booked(open_ledger(home)) == paid


def test_remembered_answers_and_logs_go_by_their_age(home: Path) -> None:
    row = dict.fromkeys(("app", "scope", "question", "answer", "trace_id", "person"), "")
    with open_ledger(home).write() as connection:
        ages = {"old": OLD, "young": LATE}
        rows = [
            {**row, "key": key, "created_at": now() - age, "hits": 0} for key, age in ages.items()
        ]
        connection.execute(insert(answers), rows)
    (home / "logs").mkdir()
    for name, age in {"app old.log": OLD, "app old.log.1": OLD, "worker.log": LATE}.items():
        (home / "logs" / name).write_text("it runs\n")
        at = time.time() - age.total_seconds()
        os.utime(home / "logs" / name, (at, at))
    assert told(home, "answers") == "1 remembered answers"
    assert told(home, "logs") == "2 logs"
    assert [path.name for path in (home / "logs").iterdir()] == ["worker.log"]


def test_of_a_spool_goes_what_is_stored_or_deleted_and_never_what_waits(home: Path) -> None:
    folder, at = home / "spool" / "helpdesk", time.time() - OLD.total_seconds()
    folder.mkdir(parents=True)
    given = {
        "tr-stored": {"stored_at": now()},
        "tr-deleted": {"deleted_at": now()},
        "tr-waits": {},
        "tr-again": {"stored_at": now() - 2 * OLD},
    }
    with open_ledger(home).write() as connection:
        for trace, more in given.items():
            texts = {c.name: "" for c in traces.c if c.type.python_type is str}
            numbers = {c.name: 0 for c in traces.c if c.type.python_type in (int, float)}
            row = {**texts, **numbers, "id": trace, "began_at": now() - OLD, **more}
            connection.execute(insert(traces).values(row))
    for name in [*(f"{1:020d}-{trace}.json" for trace in (*given, "tr-unknown")), "x.7.new"]:
        (folder / name).write_text("{}")
        os.utime(folder / name, (at, at))
    (folder / f"{2:020d}-tr-stored.json").write_text("{}")  # of this moment
    (spool,) = spools(home)
    with spool.sending():
        assert told(home, "spools").startswith("0 entries")
    assert told(home, "spools").startswith("3 entries")
    left = {path.name.partition("-")[2] for path in folder.glob("*.json")}
    assert left == {f"tr-{name}.json" for name in ("stored", "waits", "again", "unknown")}
    assert not [*folder.glob("*.new")]


def test_what_somebody_is_at_is_left_to_the_next_night(tmp_path: Path) -> None:
    old = [Thing(300, None, None, False), Thing(300, None, None, False)]
    home = made(
        tmp_path / "home", Plan(*[[]] * len(Plan._fields))._replace(datasets=old, trainings=old)
    )
    locks = ("datasets/helpdesk/.lock", "trainings/helpdesk/openai-0/.lock")
    with FileLock(home / locks[0]), FileLock(home / locks[1]):
        assert told(home, "datasets") == "0 versions of data sets; in use: helpdesk"
        assert told(home, "trainings") == "1 trainings; in use: helpdesk/openai-0"
    assert told(home, "trainings") == "1 trainings"
    assert told(home, "datasets") == "1 versions of data sets"
    assert not [*home.rglob(".gone-*")]


def test_a_database_is_written_anew_where_much_of_it_is_free(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "prefect").mkdir()
    database = home / "prefect" / "prefect.db"
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("CREATE TABLE t (x BLOB)")
        connection.executemany("INSERT INTO t VALUES (randomblob(10000))", [()] * 300)
    before = database.stat().st_size
    assert told(home, "databases") == "no database written anew"
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("DELETE FROM t WHERE rowid > 20")
    assert told(home, "databases") == "no database written anew"  # it is small
    monkeypatch.setattr(tracked, "LEAST", 1_000)
    part = forget(home, "databases", POLICY)
    assert (part.told, part.bytes) == ("prefect.db written anew", before - database.stat().st_size)
    assert database.stat().st_size < before / 5
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("SELECT count(*) FROM t").fetchone() == (20,)


def test_the_runs_of_a_server_are_its_own_affair(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = made(tmp_path / "home", Plan(*[[]] * len(Plan._fields)))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:secret@127.0.0.1:9")
    part = forget(home, "runs", POLICY)
    assert "for its own `mlflow gc`" in part.told
    assert "secret" not in part.told
    assert "other homes may have theirs" in forget(home, "models", POLICY).told
    for what in ("trainings", "datasets", "decisions"):  # nobody knows what is needed
        assert forget(home, what, POLICY).status == "failed"


def test_a_store_that_several_homes_may_share_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What another home's ledger needs of it, nobody knows here."""
    old = [Thing(300, None, None, False), Thing(300, None, None, False)]
    plan = Plan(*[[]] * len(Plan._fields))._replace(runs=old, models=old)
    home = made(tmp_path / "home", plan)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{home / 'mlflow' / 'mlflow.db'}")
    before = holdings(home).things.keys()
    assert told(home, "runs").startswith("none: the runs are in MLflow at sqlite:///")
    assert told(home, "models").startswith("none: the registry is in MLflow at sqlite:///")
    assert holdings(home).things.keys() == before
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert (told(home, "models"), told(home, "runs")) == (
        ("1 versions of trained models", "2 MLflow runs")
    )
