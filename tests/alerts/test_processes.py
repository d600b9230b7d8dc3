"""Several processes on one ledger, SQLite and PostgreSQL: nobody is told twice."""

import json
import multiprocessing
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from llmops.tasks import ledger
from llmops.tasks.alerts.outbox import LEASE, deliver
from llmops.tasks.ledger import open_ledger
from tests.alerts import processes, test_changes, test_muting, test_outbox, test_rules, test_state
from tests.alerts.looks import KeepingSender
from tests.alerts.processes import MINUTE, NOON
from tests.postgres import fresh_ledger

pytestmark = pytest.mark.slow


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The ledger that a home has: a file of its own, or an empty database of a server."""
    monkeypatch.delenv("LLMOPS_LEDGER_URL", raising=False)
    if request.param == "postgresql":
        monkeypatch.setenv("LLMOPS_LEDGER_URL", fresh_ledger(request.getfixturevalue("postgres")))
    yield
    ledger.close_ledgers()


@pytest.mark.usefixtures("database")
def test_of_three_that_look_at_once_one_tells(tmp_path: Path) -> None:
    open_ledger(tmp_path)
    ready = tmp_path / "ready"
    ready.mkdir()
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=processes.look, args=(tmp_path, ready)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    sent = [json.loads(line) for line in (tmp_path / "sent.jsonl").read_text().splitlines()]
    told = Counter((each["data"]["key"], each["data"]["kind"]) for each in sent)
    assert set(told) == {
        (f"store-down/base-{n}", kind) for n in range(3) for kind in ("fired", "resolved")
    }
    assert set(told.values()) == {1}


@pytest.mark.usefixtures("database")
def test_what_was_sent_before_a_kill_is_sent_once_more_with_the_same_id(tmp_path: Path) -> None:
    file = tmp_path / "sent"
    open_ledger(tmp_path)
    context = multiprocessing.get_context("spawn")
    worker = context.Process(target=processes.send_slowly, args=(tmp_path, file))
    worker.start()
    while not (file.exists() and file.read_text().endswith("\n")):
        time.sleep(0.05)
        assert worker.is_alive()
    assert worker.pid is not None
    os.kill(worker.pid, signal.SIGKILL)
    worker.join()
    [first] = file.read_text().splitlines()
    sender = KeepingSender()
    for minutes in range(1, 60):
        deliver(tmp_path, {"file": sender}, NOON + minutes * MINUTE)
        if minutes * MINUTE < LEASE:
            assert len(sender.sent) == 2  # the two alerts of which nothing was sent yet
    ids = [f"{each.kind} {each.id}" for each in sender.notices]
    assert len(ids) == len(set(ids)) == 3
    assert first in ids


STORIES = [
    test_state.test_something_wrong_is_told_once_and_its_end_once,
    test_state.test_a_moments_trouble_wakes_nobody,
    test_state.test_what_comes_and_goes_is_told_twice_and_then_only_when_it_stays_away,
    test_state.test_odd_texts_are_kept_in_one_line,
    test_outbox.test_a_recovery_overtakes_what_was_never_sent,
    test_muting.test_nobody_hears_of_a_muted_alert_until_the_silence_ends,
    test_muting.test_a_rule_is_muted_before_it_finds_anything,
    test_rules.test_every_metric_of_an_application,
    test_rules.test_a_quantile_is_surely_above_where_too_many_values_are,
    test_rules.test_what_the_last_monitor_found,
    test_changes.test_an_alert_lasts_until_the_next_window_has_ended,
]
"""What the other modules tell of a file."""


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
def test_it_is_the_same_on_postgresql(
    postgres: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, story: Callable[[Path], None]
) -> None:
    monkeypatch.setenv("LLMOPS_LEDGER_URL", fresh_ledger(postgres))
    story(tmp_path)
    ledger.close_ledgers()
