"""Ctrl-C, SIGTERM, two builds at once, a lease of the dead, a full disk: nothing live changes, and
a rerun finishes the work.
"""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer

from llmops.flows import console
from llmops.tasks.ledger import now, open_ledger, upsert
from llmops.tasks.ledger.leases import hold, holder
from llmops.tasks.ledger.tables import leases
from tests import forks
from tests.commandline import Office, ended, environment, llmops, refused, start
from tests.flows.test_incremental import prose

pytestmark = pytest.mark.slow

DOCUMENTS = 150


def until(true: Callable[[], Any], process: forks.Process, seconds: float = 90) -> None:
    """Wait for something while a process runs."""
    deadline = time.monotonic() + seconds
    while not true():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)


def grown(office: Office) -> Path:
    """A live version of one document, and many more to build; returns the config."""
    office.write("first.txt", prose(0, 3))
    assert office.build().version == 1
    for number in range(DOCUMENTS):
        office.write(
            f"d{number}.txt", f"The keeper of lighthouse {number} counts {number * 7} boats."
        )
    return office.config()


def last_run_state(office: Office, run: str) -> str:
    from uuid import UUID

    from prefect import get_client

    with get_client(sync_client=True) as client:
        state = client.read_flow_run(UUID(run)).state
    return state.type.value if state else ""


@pytest.mark.parametrize(
    ("number", "begun"),
    [(signal.SIGINT, "embedding"), (signal.SIGINT, "lease"), (signal.SIGTERM, "embedding")],
    ids=["ctrl-c while it embeds", "ctrl-c at its beginning", "SIGTERM"],
)
def test_an_interrupted_build_ends_with_130_and_a_rerun_finishes_it(
    office: Office, number: signal.Signals, begun: str
) -> None:
    config, paid = grown(office), office.paid()
    process = start(office.home, "index", config)
    until(
        lambda: (
            office.paid() > paid
            if begun == "embedding"
            else holder(open_ledger(office.home), office.kb)
        ),
        process,
    )
    run = (holder(open_ledger(office.home), office.kb) or "").rpartition("run ")[2]
    os.killpg(process.pid, number)  # as a terminal does: the parsers' processes get it too
    said = ended(process)
    assert (said.code, "Traceback" in said.err) == (130, False), said
    assert "interrupted" in said.err
    assert "nothing live has changed" in said.err
    assert (office.live(), office.visible(), office.verified()) == (1, {"first.txt"}, True)
    assert holder(open_ledger(office.home), office.kb) is None
    assert last_run_state(office, run) in ("CRASHED", "FAILED", "CANCELLED")
    assert office.build().status == "published"
    assert len(office.visible()) == DOCUMENTS + 1
    assert (
        len(office.bills()) - len(set(office.bills())) <= 4 * 64
    )  # at most the calls under way were paid twice


def test_an_interrupt_does_not_deny_what_the_command_has_changed(
    office: Office, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["llmops"])
    office.write("d.txt", prose(0, 3))
    copy, out = f"{office.kb}-2", office.folder / "out"
    steps = {
        ("index", office.config(embed="hash")): f"version 1 of {office.kb} is live",
        ("kb", "export", office.kb, out): "nothing live has changed",
        ("kb", "import", out, "--name", copy): f"version 1 of {copy} is live",
        ("kb", "verify", copy): "nothing live has changed",
        ("kb", "erase", copy, "--uri", "d.txt", "--yes"): "'d.txt' may be erased in part",
    }
    for words, told in steps.items():
        assert llmops(*words).code == 0
        assert console.main(interrupted()) == 130  # it comes at the command's last line
        assert f"{told}; the same command" in capsys.readouterr().err


def interrupted() -> typer.Typer:
    app = typer.Typer()

    @app.command()
    def stop() -> None:
        raise KeyboardInterrupt

    return app


def test_a_second_build_ends_with_3_at_once_and_names_the_first(office: Office) -> None:
    office.write("d.txt", prose(0, 3))
    with hold(office.home, office.kb, "the-first-run"):
        began = time.monotonic()
        said = llmops("index", office.config(embed="hash"), "--json")
        assert (said.code, said.data["status"]) == (3, "blocked"), said
        assert f"process {os.getpid()}" in said.data["reason"]
        assert time.monotonic() - began < 5
    assert llmops("index", office.config(embed="hash"), "--json").code == 0


def test_a_build_that_waits_runs_when_the_first_has_ended(office: Office) -> None:
    office.write("d.txt", prose(0, 3))
    with hold(office.home, office.kb):
        process = start(office.home, "index", office.config(embed="hash"), "--wait", "60", "--json")
        time.sleep(3)
        assert process.poll() is None
    assert ended(process).data["status"] == "published"


def test_a_rollback_during_a_build_ends_with_3(office: Office) -> None:
    office.write("d.txt", prose(0, 3))
    office.build(embed="hash")
    with hold(office.home, office.kb):
        refused(3, "another build of .* is running", "kb", "rollback", office.kb, "--to", "1")
        said = llmops("kb", "rollback", office.kb, "--to", "1", "--json")
        assert (said.data["status"], "another build" in said.data["reason"]) == ("blocked", True)


@pytest.mark.parametrize("dead", ["gone", "a zombie"])
def test_the_lease_of_a_dead_process_is_taken_over_at_once(office: Office, dead: str) -> None:
    import psutil

    child = subprocess.Popen(["sleep", "60"])
    held = {
        "kb": office.kb,
        "owner": "x",
        "host": socket.gethostname(),
        "pid": child.pid,
        "run_id": None,
        "acquired_at": now(),
        "process_started": psutil.Process(child.pid).create_time(),
        "heartbeat_at": now(),
    }
    with open_ledger(office.home).write() as connection:
        upsert(connection, leases, [held])
    assert holder(open_ledger(office.home), office.kb) is not None
    child.kill()
    if dead == "gone":
        child.wait()
    while dead == "a zombie" and psutil.Process(child.pid).status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.01)
    with hold(office.home, office.kb):
        assert holder(open_ledger(office.home), office.kb) is not None
    child.wait()


def test_a_full_disk_ends_with_1_and_a_rerun_finishes_the_work(office: Office) -> None:
    """The limit on the size of files stands for the disk: both fail in the middle of a write."""
    config = grown(office)
    with open_ledger(office.home).read() as connection:
        connection.exec_driver_sql("ROLLBACK")
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.exec_driver_sql("BEGIN")
    words = ("-m", "tests.starved", "150000", "index", config)
    said = forks.run(*words, environment=environment(office.home), timeout=120)
    assert (said.returncode, "Traceback" in said.stderr) == (1, False), said.stderr
    assert "finished work is kept" in said.stderr, said.stderr
    assert (office.live(), office.visible(), office.verified()) == (1, {"first.txt"}, True)
    assert office.build().status == "published"
