"""Several processes on one ledger, SQLite and PostgreSQL: nobody is told twice."""

import json
import multiprocessing
import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from llmops.tasks import ledger
from llmops.tasks.alerts.outbox import LEASE, deliver
from llmops.tasks.ledger import open_ledger
from tests.alerts import processes
from tests.alerts.looks import KeepingSender
from tests.alerts.processes import MINUTE, NOON
from tests.postgres import fresh_database

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True, params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The ledger that a home has: a file of its own, or an empty database of a server."""
    monkeypatch.delenv("LLMOPS_LEDGER_URL", raising=False)
    if request.param == "postgresql":
        monkeypatch.setenv("LLMOPS_LEDGER_URL", fresh_database(request.getfixturevalue("postgres")))
    yield
    ledger.close_ledgers()


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
