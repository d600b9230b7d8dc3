"""Work in processes beside this one: the same results as here, whatever happens to them."""

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from llmops.tasks import processes
from llmops.tasks.errors import DocumentError
from llmops.tasks.processes import Processes

SECONDS = 30.0


def where(number: int) -> tuple[int, int]:
    """The number, doubled, and the process that did it."""
    return 2 * number, os.getpid()


def doubled(numbers: list[int]) -> list[int]:
    return [2 * number for number in numbers]


def refused() -> None:
    raise DocumentError("no text in it")


def killed() -> int:
    if os.getppid() == int(os.environ["TESTED"]):
        os.kill(os.getpid(), signal.SIGKILL)
    return os.getpid()


@pytest.fixture(scope="module")
def started() -> Iterator[Processes]:
    made = Processes(2)
    ready(made)
    yield made
    made.close()


def ready(made: Processes) -> None:
    made.allow(now=True)
    end = time.monotonic() + SECONDS
    while made.beside(where, 1) is None:
        assert time.monotonic() < end, "no process came"
        time.sleep(0.02)


def test_little_work_is_done_here() -> None:
    made = Processes(2)
    made.allow(now=False)
    assert made.run(where, 4) == (8, os.getpid())
    assert made.spread(doubled, [1, 2, 3]) == [2, 4, 6]
    assert made.beside(where, 4) is None
    assert made._executor is None


def test_one_core_has_nobody_beside_it() -> None:
    made = Processes(1)
    made.allow(now=True)
    assert made.run(where, 4) == (8, os.getpid())
    assert made._executor is None


def test_more_than_a_little_starts_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    begun = list[int]()
    monkeypatch.setattr(Processes, "_start", lambda _, count: begun.append(count))
    made = Processes(2)
    for allowed in (False, True):
        made._worked = processes.PATIENCE_SECONDS - 1e-9
        if allowed:
            made.allow(now=False)
        made.run(sum, range(1000))
        assert not begun
        made.run(sum, range(1000))
    assert begun == [2]


@pytest.mark.slow
def test_then_it_is_done_beside(started: Processes) -> None:
    answers = [started.run(where, number) for number in range(8)]
    assert [answer for answer, _ in answers] == list(range(0, 16, 2))
    assert os.getpid() not in {process for _, process in answers}
    assert started.spread(doubled, range(101)) == list(range(0, 202, 2))
    assert started.spread(doubled, []) == []
    with pytest.raises(DocumentError) as raised:
        started.run(refused)
    assert raised.value.reason == "no text in it"


@pytest.mark.slow
def test_what_a_killed_process_did_is_done_here(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("TESTED", str(os.getpid()))
    made = Processes(2)
    ready(made)
    with caplog.at_level(logging.WARNING):
        assert made.run(killed) == os.getpid()
        assert made.spread(doubled, [1, 2]) == [2, 4]
    assert caplog.text.count("a process beside this one ended; its work is done here") == 1


def test_where_none_can_be_started_work_is_done_here(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(count: int) -> None:
        raise OSError(f"no semaphores for {count}")

    monkeypatch.setattr(processes, "_executor", broken)
    made = Processes(2)
    made.allow(now=True)
    assert made.run(where, 4) == (8, os.getpid())
    assert made.beside(where, 4) is None
    assert caplog.text.count("no semaphores for 2") == 1


SCRIPT = """
import os, sys, time
from llmops.tasks.processes import Processes
made = Processes(2)
made.allow(now=True)
while made.beside(os.getpid) is None:
    time.sleep(0.02)
print("ready", flush=True)
time.sleep(60)
"""


@pytest.mark.slow
def test_they_end_with_a_parent_that_was_killed(tmp_path: Path) -> None:
    """Of a script without a `__main__` guard, which other pools would run again in each process."""
    (tmp_path / "script.py").write_text(SCRIPT)
    parent = subprocess.Popen(
        [sys.executable, str(tmp_path / "script.py")], stdout=subprocess.PIPE, text=True
    )
    with parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "ready\n"
        children = psutil.Process(parent.pid).children(recursive=True)
        assert len(children) >= 2
        parent.kill()
    gone, alive = psutil.wait_procs(children, timeout=SECONDS)
    assert not alive
    assert len(gone) == len(children)
