"""One `up` a home: who holds it is said, and what a killed one has left is cleared away, but
nothing of anybody else's.
"""

import errno
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import filelock
import psutil
import pytest

from llmops.deployments.up import record
from llmops.deployments.up.processes import MARK, PART, Known, alive, end_marked, known
from llmops.deployments.up.record import PartRecord, UpRecord, end_up
from llmops.tasks.errors import Blocked, LlmopsError
from tests.deployments.up.parts import wait_until

HOLDING = """
import sys, time
from pathlib import Path
from llmops.deployments.up import record
from llmops.deployments.up.record import UpRecord
home = Path(sys.argv[1])
with record.only_one(home):
    me = record.myself()
    record.write(home, UpRecord(pid=me.pid, created=me.created, mark="m", started_at="now"))
    print("held", flush=True)
    time.sleep(60)
"""
# an `up` with one part, which has a process of its own
PARENT = """
import os, subprocess, sys, time
part = subprocess.Popen(
    [sys.executable, "-P", "-m", "llmops.deployments.up.tether", sys.argv[1],
     "tests.deployments.up.program", sys.argv[2]],
    stdin=subprocess.PIPE, start_new_session=True, cwd=sys.argv[3],
    env={**os.environ, "PYTHONPATH": sys.argv[3]},
)
print(part.pid, flush=True)
time.sleep(60)
"""
ROOT = Path(__file__).parents[3]


def started(program: str, *words: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", program, *words], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )


def first_line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def put_away(process: "subprocess.Popen[str]") -> None:
    process.kill()
    process.communicate()


def test_a_second_up_is_told_who_runs_and_a_killed_one_holds_nothing(tmp_path: Path) -> None:
    holder = started(HOLDING, str(tmp_path))
    assert first_line(holder) == "held"
    who = rf"runs for this home already: process {holder.pid}, since"
    with pytest.raises(Blocked, match=who), record.only_one(tmp_path):
        pass
    running = record.running(tmp_path)
    assert running is not None
    assert running.pid == holder.pid
    put_away(holder)
    assert record.running(tmp_path) is None
    with record.only_one(tmp_path) as last:
        assert last is not None
        assert last.pid == holder.pid


def test_down_ends_an_up_and_waits_for_it(tmp_path: Path) -> None:
    holder = started(HOLDING, str(tmp_path))
    first_line(holder)
    assert end_up(tmp_path) == holder.pid
    put_away(holder)
    assert end_up(tmp_path) is None


def test_what_a_killed_up_has_left_is_ended_and_nothing_else(tmp_path: Path) -> None:
    def sleeper(**marks: str) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            [sys.executable, "-c", "import time; time.sleep(60)"], env={**os.environ, **marks}
        )

    left, other_home, stranger = sleeper(**{MARK: "old"}), sleeper(**{MARK: "x"}), sleeper()
    gone = UpRecord(pid=1, created=0.0, mark="old")  # the number is somebody else's by now
    record.write(tmp_path, gone)
    try:
        with record.only_one(tmp_path):
            wait_until(lambda: known(left.pid) is None)
            assert (other_home.poll(), stranger.poll()) == (None, None)
    finally:
        for each in (left, other_home, stranger):
            each.kill()
            each.wait()


def test_a_part_is_ended_without_the_others(tmp_path: Path) -> None:
    del tmp_path
    both = [
        subprocess.Popen(
            [sys.executable, "-c", "import time; time.sleep(60)"],
            env={**os.environ, MARK: "two-parts", PART: name},
        )
        for name in ("worker", "mlflow")
    ]
    wait_until(lambda: all(known(each.pid) for each in both))
    time.sleep(0.1)  # until the environment is that of the new program
    assert end_marked("two-parts", "worker") == 1
    assert known(both[0].pid) is None
    assert both[1].poll() is None
    assert end_marked("two-parts") == 1
    for each in both:
        each.wait(5)


def test_a_number_that_was_given_anew_is_not_the_same_process() -> None:
    me = known(os.getpid())
    assert me is not None
    assert alive(me)
    assert not alive(Known(me.pid, me.created - 100))


GOOD = {"pid": 1, "created": 1.0, "mark": "m"}
RUBBISH = [
    {"pid": -1},
    {"pid": 0},
    {"ports": {"mlflow": 99_999}},
    {"ports": {"mlflow": -5}},
    {"parts": [{"name": "mlflow", "pid": -1}]},
]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": 1}'])
def test_a_damaged_record_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "up.json").write_text(text)
    assert record.read(tmp_path) is None


@pytest.mark.parametrize("rubbish", RUBBISH)
def test_numbers_that_no_process_and_no_port_can_have_are_no_record(
    tmp_path: Path, rubbish: dict[str, object]
) -> None:
    for changed, good in ((rubbish, False), ({}, True)):
        (tmp_path / "up.json").write_text(json.dumps({**GOOD, **changed}))
        assert (record.read(tmp_path) is not None) == good
        assert end_up(tmp_path) is None


def test_an_up_of_another_user_is_said_to_be_theirs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    me = record.myself()
    record.write(tmp_path, UpRecord(pid=me.pid, created=me.created, mark="m"))

    def denied(process: psutil.Process) -> None:
        raise psutil.AccessDenied(process.pid)

    monkeypatch.setattr(psutil.Process, "terminate", denied)
    who = rf"process {me.pid}\) was started by the user {psutil.Process().username()}"
    with pytest.raises(Blocked, match=who):
        end_up(tmp_path)


@pytest.mark.parametrize(("number", "room"), [(errno.EROFS, False), (errno.ENOSPC, True)])
def test_space_is_asked_for_only_where_it_helps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, room: bool
) -> None:
    def refused(lock: object, timeout: float) -> None:
        raise OSError(number, os.strerror(number), str(tmp_path))

    monkeypatch.setattr(filelock.FileLock, "acquire", refused)
    with pytest.raises(LlmopsError, match=os.strerror(number)) as raised, record.only_one(tmp_path):
        pass
    assert ("free some space" in raised.value.hint) == room
    assert "LLMOPS_HOME" in raised.value.hint


def test_a_record_reads_as_it_was_written(tmp_path: Path) -> None:
    part = PartRecord(name="mlflow", url="http://127.0.0.1:1", healthy=True, pid=3, restarts=2)
    written = UpRecord(pid=2, created=1.5, mark="m", ports={"mlflow": 1}, parts=(part,))
    record.write(tmp_path, written)
    assert record.read(tmp_path) == written
    assert [each.name for each in tmp_path.iterdir()] == ["up.json"]


def test_a_home_that_cannot_be_one_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    mine = record.only_one(tmp_path / "file")
    with pytest.raises(LlmopsError, match="a file is in the way"), mine:
        pass


@pytest.mark.parametrize("how", ["hard", "soft"])
def test_a_part_ends_with_a_killed_up_and_takes_its_own_along(tmp_path: Path, how: str) -> None:
    note = tmp_path / "ended"
    up = started(PARENT, how, str(note), str(ROOT))
    part = known(int(first_line(up)))
    assert part is not None
    wait_until(lambda: psutil.Process(part.pid).children())
    child = known(psutil.Process(part.pid).children()[0].pid)
    assert child is not None
    put_away(up)
    wait_until(lambda: not alive(part) and not alive(child))
    assert note.exists() == (how == "soft")
