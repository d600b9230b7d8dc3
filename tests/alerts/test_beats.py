"""Signs of life, and who misses them."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from llmops.tasks.alerts.beats import Beat, beat, last_beat, silence, uptime
from llmops.tasks.ledger import open_ledger
from tests.ledgers import with_ledger

AT = datetime(2026, 6, 10, 3, tzinfo=UTC)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return with_ledger(tmp_path / "home")


def test_what_is_said_is_remembered_for_the_next_look(home: Path) -> None:
    assert last_beat(open_ledger(home)) is None
    said = Beat(at=AT, every_seconds=60, uptime=5.0, memory={"schedules": {"index/x": None}})
    beat(home, said)
    beat(home, said.model_copy(update={"pid": 7}))
    assert last_beat(open_ledger(home)) == said.model_copy(update={"pid": 7})


def test_five_looks_and_a_minute_without_a_beat_is_silence(home: Path) -> None:
    ledger = open_ledger(home)
    assert silence(ledger, AT) == ""  # nobody has ever watched
    beat(home, Beat(at=AT, every_seconds=60, pid=7, host="h"))
    assert silence(ledger, AT + timedelta(minutes=6)) == ""
    told = silence(ledger, AT + timedelta(minutes=6, seconds=1))
    assert told.startswith("the alerter is silent since 2026-06-10 03:00 UTC (process 7 on h)")
    assert silence(ledger, AT - timedelta(hours=5)) == ""  # the clock was set back


def test_whoever_ended_in_order_is_not_missed(home: Path) -> None:
    beat(home, Beat(at=AT, every_seconds=60, ended=True))
    assert silence(open_ledger(home), AT + timedelta(days=3)) == ""


def test_the_machine_knows_how_long_it_is_up() -> None:
    first, second = uptime(), uptime()
    assert first is None or (second is not None and 0 < first <= second)
