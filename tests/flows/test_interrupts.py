"""The watch over signals, without a flow: a process that is at a call of its main thread, and one
that is at none.
"""

import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from llmops.flows import console

ROOT = Path(__file__).parents[2]
PROGRAM = """
import signal, sys, time
from llmops.flows.interrupts import InterruptWatch
from llmops.tasks import stopping

def theirs(number, frame):
    raise SystemExit("a handler of somebody else's")

def say(text):
    print(text, flush=True)

def work(doing, seconds):
    if doing == "calling":
        with stopping.call():
            say("begun")
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                time.sleep(0.01)
            say("noted")
        stopping.check()
        return
    try:
        say("begun")
        time.sleep(60)
    except KeyboardInterrupt:
        raise ValueError("said by a library") if doing == "mistaking" else KeyboardInterrupt

try:
    with InterruptWatch(say, lambda: say("left at once")).watching():
        signal.signal(signal.SIGTERM, theirs)  # as Prefect does when a flow begins
        stopping.take_over()                   # as our flows do then
        work(sys.argv[1], float(sys.argv[2]))
except (KeyboardInterrupt, stopping.Stopped):
    say("ended in order")
say(f"handler given back: {signal.getsignal(signal.SIGTERM) is signal.SIG_DFL}")
"""

IMPORTED = """
import os, signal, sys

class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == "typer":
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupting())
from llmops.flows.entry import main
main()
"""


class Watched:
    """The program above, once it has begun."""

    def __init__(self, doing: str, seconds: float = 1) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, doing, str(seconds)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert self.line() == "begun"

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def send(self, number: signal.Signals) -> None:
        os.kill(self.process.pid, number)

    def __enter__(self) -> "Watched":
        return self

    def __exit__(self, *_error: object) -> None:
        with self.process:
            self.process.kill()

    def rest(self) -> tuple[list[str], int]:
        out, _ = self.process.communicate(timeout=60)
        return out.splitlines(), self.process.returncode


BOTH = pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "SIGTERM"])


@BOTH
def test_a_call_is_finished_and_noted_before_the_end(number: signal.Signals) -> None:
    with Watched("calling") as watched:
        watched.send(number)
        lines, code = watched.rest()
    assert lines == [
        "stopping after the call under way; Ctrl-C again stops at once",
        "noted",
        "ended in order",
        "handler given back: True",
    ]
    assert code == 0


@BOTH
def test_what_is_at_no_call_ends_in_order_and_says_nothing(number: signal.Signals) -> None:
    with Watched("waiting") as watched:
        watched.send(number)
        assert watched.rest() == (["ended in order", "handler given back: True"], 0)


@BOTH
def test_what_a_library_makes_of_an_interrupt_is_one(number: signal.Signals) -> None:
    with Watched("mistaking") as watched:
        watched.send(number)
        assert watched.rest() == (["ended in order", "handler given back: True"], 0)


@BOTH
def test_the_second_ends_at_once(number: signal.Signals) -> None:
    with Watched("calling", 60) as watched:
        watched.send(number)
        assert watched.line().startswith("stopping after the call under way")
        watched.send(number)
        assert watched.rest() == (["left at once"], 130)


def test_ctrl_c_while_the_command_is_imported_is_quiet() -> None:
    said = subprocess.run(
        [sys.executable, "-c", IMPORTED, "--help"], cwd=ROOT, capture_output=True, timeout=60
    )
    assert (said.returncode, said.stdout, said.stderr) == (130, b"", b"")


def test_what_libraries_log_of_an_interrupt_is_not_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    monkeypatch.setenv("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "ERROR")
    console.settle(console.Voice())
    pool = logging.getLogger("sqlalchemy.pool")
    pool.error("Exception during reset or similar", exc_info=KeyboardInterrupt())
    pool.error("the disk is full", exc_info=OSError("no space left"))
    shown = capsys.readouterr().err
    assert "no space left" in shown
    assert ("KeyboardInterrupt" in shown, "reset" in shown) == (False, False)


@pytest.mark.slow
def test_a_flow_that_begins_gives_signals_back_to_the_command(
    monkeypatch: pytest.MonkeyPatch, prefect_server: Path
) -> None:
    from prefect import flow

    from llmops.tasks import stopping
    from llmops.tasks.finish import name_run

    told: list[str] = []
    monkeypatch.setattr(stopping, "TAKE_OVER", lambda: told.append("taken over"))

    @flow(name="named")
    def named() -> None:
        name_run("named")

    named()
    assert told == ["taken over"]
