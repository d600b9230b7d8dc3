"""Parts are kept running and ended in order: real processes, which do nothing but wait."""

import os
import signal
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from llmops.deployments.up.keeper import RestartPolicy, UpPart
from llmops.deployments.up.processes import Known, alive, known, marked
from llmops.deployments.up.record import PartRecord
from llmops.deployments.up.supervisor import Signals, Supervisor
from llmops.tasks.errors import ConfigError, Mistake, Unavailable
from tests.deployments.up.parts import QUICK, SERVE, after, logs, part, wait_until

DEAF = (
    "import signal, pathlib, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
    "pathlib.Path({file!r}).touch(); time.sleep(60)"
)
WITH_CHILD = (
    "import pathlib, subprocess, sys, time; "
    "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'], "
    "start_new_session=True); pathlib.Path({file!r}).touch(); time.sleep(60)"
)


class Running:
    """A supervisor in a thread, and what it told."""

    def __init__(self, folder: Path, parts: list[UpPart], policy: RestartPolicy = QUICK) -> None:
        self.mark = uuid.uuid4().hex
        self.logs, self.out = logs(folder)
        self.shown: list[str] = []
        self.cancelled: list[float] = []
        self.ended: list[bool] = []
        self.error: Exception | None = None
        self.signals = Signals()
        self.supervisor = Supervisor(
            parts,
            self.mark,
            self.logs,
            policy=policy,
            shown=lambda record, _part: self.shown.append(record.name),
            cancel=lambda seconds, _at_once: self.cancelled.append(seconds),
            ending=lambda: self.ended.append(self.supervisor.records()[0].healthy),
        )
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.supervisor.run(self.signals)
        except (Unavailable, ConfigError) as error:
            self.error = error

    def record(self, name: str = "one") -> PartRecord:
        return next(each for each in self.supervisor.records() if each.name == name)

    def well(self, name: str = "one") -> int:
        """The pid of a part, once it is well."""
        wait_until(lambda: self.record(name).healthy)
        pid = self.record(name).pid
        assert pid is not None
        return pid

    def end(self) -> None:
        """End it in order."""
        self.signals.first.set()
        self._thread.join(20)
        assert not self._thread.is_alive()

    def said(self) -> str:
        self.logs.flush()
        return self.out.getvalue()


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    started: list[Running] = []

    def start(*parts: UpPart, policy: RestartPolicy = QUICK) -> Running:
        started.append(Running(tmp_path, list(parts), policy))
        return started[-1]

    yield start
    for each in started:
        each.end()
        assert list(marked(each.mark)) == []


def test_parts_start_in_order_and_are_shown_once(
    run: Callable[..., Running], tmp_path: Path
) -> None:
    running = run(after(part(tmp_path, "worker"), "one"), part(tmp_path))
    running.well("worker")
    wait_until(lambda: len(running.shown) == 2)
    assert sorted(running.shown) == ["one", "worker"]
    one, worker = (psutil.Process(running.well(name)) for name in ("one", "worker"))
    assert one.create_time() < worker.create_time()
    wait_until(lambda: "one      | ready" in running.said())
    assert (tmp_path / "logs" / "one.log").read_text() == "ready\n"


def test_a_killed_part_is_started_again_with_all_that_it_had_started(
    run: Callable[..., Running], tmp_path: Path
) -> None:
    running = run(part(tmp_path, program=WITH_CHILD))
    first = running.well()
    wait_until(lambda: len(list(marked(running.mark, "one"))) == 2)
    children = [known(process.pid) for process in marked(running.mark, "one")]
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: running.record().pid not in (None, first))
    running.well()
    assert running.record().restarts == 1
    assert not any(alive(child) for child in children if child)
    wait_until(lambda: "one: ended by signal 9" in running.said())


def test_a_part_that_answers_no_more_is_started_again(
    run: Callable[..., Running], tmp_path: Path
) -> None:
    running = run(part(tmp_path))
    first = running.well()
    (tmp_path / "one.well").unlink()
    wait_until(lambda: running.record().pid not in (None, first))
    running.well()
    wait_until(lambda: "one: no answer for" in running.said())


def test_the_pauses_grow_and_are_short_again_after_a_while_in_health(
    run: Callable[..., Running], tmp_path: Path
) -> None:
    policy = replace(QUICK, first_pause=0.05, longest_pause=0.2, stable=0.3)
    running = run(part(tmp_path), policy=policy)
    keeper = running.supervisor.keepers[0]
    for wanted in (0.1, 0.2, 0.2):
        os.kill(running.well(), signal.SIGKILL)
        before = running.record().restarts
        wait_until(lambda before=before: running.record().restarts > before)  # type: ignore[misc]
        wait_until(lambda wanted=wanted: keeper._pause == wanted)  # type: ignore[misc]
    running.well()
    wait_until(lambda: keeper._pause == 0.05)


def test_a_part_that_never_comes_up_is_named_with_what_it_said(
    run: Callable[..., Running], tmp_path: Path
) -> None:
    broken = part(
        tmp_path, "mlflow", "raise SystemExit('Error: old schema, run mlflow db upgrade')"
    )
    running = run(part(tmp_path), broken)
    wait_until(lambda: running.error)
    said = str(running.error)
    assert "mlflow: ended with exit code 1" in said
    assert "old schema, run mlflow db upgrade" in said
    assert str(tmp_path / "logs") in said


def test_a_command_that_is_not_there_is_said(run: Callable[..., Running], tmp_path: Path) -> None:
    running = run(replace(part(tmp_path), command=("/no/such/program",)))
    wait_until(lambda: running.error)
    assert "/no/such/program cannot be started: No such file" in str(running.error)


def test_configs_that_no_other_start_can_mend_end_it_at_once(
    run: Callable[..., Running], tmp_path: Path
) -> None:
    tries = []

    def mistaken() -> None:
        tries.append(1)
        raise ConfigError([Mistake("is taken", "a.yaml"), Mistake("is taken", "b.yaml")])

    worker = replace(after(part(tmp_path, "worker"), "one"), before=mistaken)
    running = run(part(tmp_path), worker)
    wait_until(lambda: running.error)
    assert isinstance(running.error, ConfigError)
    assert [mistake.where for mistake in running.error.mistakes()] == ["a.yaml", "b.yaml"]
    assert len(tries) == 1
    assert running.record("worker").restarts == 0
    wait_until(lambda: not list(marked(running.mark)))


def test_a_question_that_breaks_ends_no_keeper(run: Callable[..., Running], tmp_path: Path) -> None:
    broken = threading.Event()
    whole = part(tmp_path)

    def answers() -> bool:
        if broken.is_set():
            broken.clear()
            raise RuntimeError("nobody thought of it")
        return whole.answers()

    running = run(replace(whole, answers=answers))
    first = running.well()
    broken.set()
    wait_until(lambda: running.record().pid not in (None, first))
    running.well()
    assert running.record().restarts == 1
    assert "one: unexpected: RuntimeError: nobody thought of it" in running.said()
    assert "Traceback" in running.said()


def test_everything_ends_in_order_and_the_deaf_are_killed(
    run: Callable[..., Running], tmp_path: Path
) -> None:
    running = run(part(tmp_path, program=DEAF), after(part(tmp_path, "worker"), "one"))
    pids = [known(running.well(name)) for name in ("one", "worker")]
    running.end()
    assert (running.ended, running.cancelled) == ([True], [QUICK.cancel])
    assert not any(alive(each) for each in pids if each)


def test_a_second_signal_ends_all_at_once(run: Callable[..., Running], tmp_path: Path) -> None:
    running = run(part(tmp_path, program=DEAF))
    running.well()
    running.signals.second.set()
    running.end()
    assert not running.cancelled


def test_what_was_there_is_adopted_left_alone_and_replaced_when_it_ends(
    run: Callable[..., Running], tmp_path: Path
) -> None:
    import subprocess
    import sys

    there = subprocess.Popen([sys.executable, "-c", SERVE.format(file=str(tmp_path / "one.well"))])
    wait_until((tmp_path / "one.well").exists)
    adopted = known(there.pid)
    assert adopted is not None

    def still() -> Known | None:
        return adopted if alive(adopted) else None

    running = run(replace(part(tmp_path), there=still, before=lambda: None))
    assert running.well() == there.pid
    running.end()
    assert there.poll() is None
    again = run(replace(part(tmp_path), there=still, before=lambda: None))
    assert again.well() == there.pid
    there.kill()
    there.wait()
    wait_until(lambda: again.record().pid not in (None, there.pid))
    wait_until(lambda: "the server that ran before `up` has ended" in again.said())


def test_a_part_of_the_user_is_asked_and_never_started(
    run: Callable[..., Running], tmp_path: Path
) -> None:
    well = tmp_path / "theirs"
    theirs = UpPart("prefect", (), well.exists, tmp_path, "https://prefect.example")
    running = run(theirs, after(part(tmp_path, "worker"), "prefect"))
    time.sleep(0.2)
    assert running.record("worker").pid is None
    well.touch()
    running.well("worker")
    record = running.record("prefect")
    assert (record.yours, record.healthy, record.pid, record.restarts) == (True, True, None, 0)
    well.unlink()
    wait_until(lambda: not running.record("prefect").healthy)
    assert running.record("worker").healthy


@contextmanager
def sending(number: int) -> Iterator[Signals]:
    with Signals().listening() as signals:
        os.kill(os.getpid(), number)
        yield signals


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_asks_and_the_second_insists(number: int) -> None:
    before = signal.getsignal(number)
    with sending(number) as signals:
        wait_until(signals.first.is_set)
        assert not signals.second.is_set()
        os.kill(os.getpid(), number)
        wait_until(signals.second.is_set)
    assert signal.getsignal(number) == before


def test_what_a_part_waits_for_is_said_once_and_shown(
    run: Callable[..., Running], tmp_path: Path
) -> None:
    waits = ["waits for the first build of 'handbook'"]
    running = run(replace(part(tmp_path), waits=lambda: waits[-1]))
    running.well()
    assert running.record().waits == waits[0]
    waits.append("")
    wait_until(lambda: running.record().waits == "")
    assert running.said().count("one: waits for the first build of 'handbook'") == 1
    assert "one: waits no longer" in running.said()


def test_a_part_is_started_anew_where_that_is_asked_for(
    run: Callable[..., Running], tmp_path: Path
) -> None:
    running = run(part(tmp_path))
    first = running.well()
    running.supervisor.renew("one")
    wait_until(lambda: running.record().pid not in (None, first))
    running.well()
    assert running.record().restarts == 0
