"""Traces that do not get to MLflow."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import insert

from llmops.tasks.alerts.waiting import waiting_observation
from llmops.tasks.ledger import open_ledger
from llmops.tasks.ledger.application import traces
from llmops.tasks.traces.spool import ASIDE, FOLDER

AT = datetime(2026, 6, 10, 3, tzinfo=UTC)


def waits(home: Path, number: int, minutes: int, status: str = "ok", **more: object) -> None:
    row = {
        "id": f"tr-{number}",
        "app": "desk",
        "conversation": "",
        "person": "",
        "key_id": "",
        "status": status,
        "cost_usd": 0.0,
        "tokens": 0,
        "began_at": AT - timedelta(minutes=minutes),
    }
    with open_ledger(home).write() as connection:
        connection.execute(insert(traces), {**row, **more})


def spooled(home: Path, *folders: str) -> Path:
    folder = home.joinpath(FOLDER, "desk", *folders)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "0001-tr-1.json").write_text("{}")
    return folder


def test_what_waits_for_more_than_ten_minutes_is_told_with_since_when(home: Path) -> None:
    waits(home, 1, 9)
    spooled(home)
    assert waiting_observation(home, AT).conditions == ()
    waits(home, 2, 45)
    waits(home, 3, 50, status="open")
    waits(home, 4, 55, deleted_at=AT)
    waits(home, 5, 60, stored_at=AT)
    (told,) = waiting_observation(home, AT).conditions
    assert (told.key, told.value) == ("tracking-down/desk", 1)
    assert told.message == "1 traces wait for MLflow, the oldest for 45 min"
    assert told.since == AT - timedelta(minutes=45)


def test_what_was_not_kept_waits_for_nothing(home: Path) -> None:
    waits(home, 1, 45)
    assert waiting_observation(home, AT).conditions == ()


def test_what_was_set_aside_is_told_until_somebody_has_seen_to_it(home: Path) -> None:
    folder = spooled(home, ASIDE)
    (told,) = waiting_observation(home, AT).conditions
    assert told.message == "1 traces were set aside in spool/desk/aside: they cannot be sent"
    (folder / "0001-tr-1.json").unlink()
    assert waiting_observation(home, AT).conditions == ()
