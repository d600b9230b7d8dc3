"""One run per time of a schedule, whatever the scheduler and the workers do."""

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

from llmops.tasks.ledger import open_ledger
from llmops.tasks.ledger.slots import claim, here_and_alive, overtaken
from tests.ledgers import with_ledger

LATE = [datetime.now(UTC) - timedelta(days=days) for days in (5, 4, 3, 2, 1)]


def test_of_late_runs_the_first_works_and_the_others_pass(tmp_path: Path) -> None:
    ledger = open_ledger(with_ledger(tmp_path))
    claims = [claim(ledger, "index", "kb", f"run {n}", at) for n, at in enumerate(LATE)]
    assert claims[0] is None
    assert [each.run_id if each else "" for each in claims[1:]] == ["run 0"] * 4
    assert claim(ledger, "index", "other", "run 9", LATE[0]) is None
    assert claim(ledger, "evaluate", "kb", "run 9", LATE[0]) is None


def test_the_next_time_begins_and_so_does_a_retry_and_what_somebody_started(
    tmp_path: Path,
) -> None:
    ledger, now = open_ledger(with_ledger(tmp_path)), datetime.now(UTC)
    assert claim(ledger, "index", "kb", "a", now - timedelta(days=1)) is None
    assert claim(ledger, "index", "kb", "a", now - timedelta(days=1)) is None
    assert claim(ledger, "index", "kb", "b", None) is None
    assert claim(ledger, "index", "kb", "c", now + timedelta(days=1)) is None


def test_a_servers_clock_that_is_ahead_doubles_nothing(tmp_path: Path) -> None:
    ledger, ahead = open_ledger(with_ledger(tmp_path)), datetime.now(UTC) + timedelta(minutes=7)
    assert claim(ledger, "index", "kb", "a", ahead) is None
    by = claim(ledger, "index", "kb", "b", ahead)
    assert by is not None
    assert by.run_id == "a"


def test_a_clock_that_was_a_year_ahead_covers_nothing_once_it_is_right(tmp_path: Path) -> None:
    ledger, now = open_ledger(with_ledger(tmp_path)), datetime.now(UTC)
    assert claim(ledger, "index", "kb", "wrong", now + timedelta(days=400)) is None
    assert claim(ledger, "index", "kb", "right", now - timedelta(minutes=1)) is None
    assert claim(ledger, "index", "kb", "late", now - timedelta(minutes=2)) is not None


def test_two_that_begin_at_once_are_one(tmp_path: Path) -> None:
    ledger, at = open_ledger(with_ledger(tmp_path)), datetime.now(UTC) - timedelta(minutes=1)
    barrier, begun = threading.Barrier(4), []

    def begin(name: str) -> None:
        barrier.wait()
        if claim(ledger, "index", "kb", name, at) is None:
            begun.append(name)

    threads = [threading.Thread(target=begin, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(begun) == 1


def test_a_run_that_waits_is_overtaken_by_the_next_that_begins(tmp_path: Path) -> None:
    ledger, now = open_ledger(with_ledger(tmp_path)), datetime.now(UTC)
    claim(ledger, "index", "kb", "first", now)
    claim(ledger, "index", "other", "elsewhere", now)
    assert overtaken(ledger, "index", "kb", "first") is None
    claim(ledger, "index", "kb", "second", datetime.now(UTC) + timedelta(seconds=1))
    by = overtaken(ledger, "index", "kb", "first")
    assert by is not None
    assert by.run_id == "second"
    assert overtaken(ledger, "index", "kb", "second") is None


def test_whether_the_process_of_a_run_lives(tmp_path: Path) -> None:
    ledger = open_ledger(with_ledger(tmp_path))
    claim(ledger, "index", "kb", "mine", None)
    assert here_and_alive(ledger, "mine") is True
    assert here_and_alive(ledger, "unknown") is None
