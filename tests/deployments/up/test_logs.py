"""What parts say is kept and shown, whatever becomes of the disk and of the terminal."""

import io
import os
import threading
from pathlib import Path

import pytest

from llmops.deployments.up import logs as room
from llmops.deployments.up.logs import Logs
from tests.deployments.up.parts import logs, wait_until


def say(log: Logs, part: str, text: bytes) -> None:
    reader, writer = os.pipe()
    thread = log.follow(part, os.fdopen(reader, "rb"))
    with os.fdopen(writer, "wb") as stream:
        stream.write(text)
    thread.join(5)


def test_each_line_has_its_part_before_it_and_a_file_has_them_all(tmp_path: Path) -> None:
    log, out = logs(tmp_path)
    say(log, "prefect", b"one\r\ntwo \xff\n")
    log.tell("up", "ours")
    log.flush()
    assert out.getvalue() == "prefect  | one\nprefect  | two �\nup       | ours\n"
    assert (tmp_path / "logs" / "prefect.log").read_text() == "one\ntwo �\n"
    assert (tmp_path / "logs" / "up.log").read_text() == "ours\n"


def test_quiet_shows_only_what_is_ours(tmp_path: Path) -> None:
    log, out = logs(tmp_path, shown=False)
    say(log, "prefect", b"one\n")
    log.tell("up", "ours")
    log.flush()
    assert out.getvalue() == "up       | ours\n"


def test_the_last_errors_are_what_went_wrong(tmp_path: Path) -> None:
    log, _ = logs(tmp_path)
    say(log, "mlflow", b"starting\nERROR: no\nsqlalchemy.Error: bad\n\nbye\n")
    assert log.last("mlflow") == ["ERROR: no", "sqlalchemy.Error: bad"]
    say(log, "worker", b"starting\nbye\n")
    assert log.last("worker", 1) == ["bye"]
    assert log.last("nobody") == []


def test_a_long_log_begins_anew_and_keeps_one_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "LOG_BYTES", 100)
    log, _ = logs(tmp_path)
    say(log, "worker", b"".join(b"line %03d\n" % number for number in range(100)))
    sizes = [(tmp_path / "logs" / f"worker.log{end}").stat().st_size for end in ("", ".1")]
    assert all(size <= 110 for size in sizes)
    said = log.last("worker", 1)
    assert said == ["line 099"]


def test_a_disk_that_takes_nothing_is_said_once_and_stops_nobody(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("a file is in the way")
    log, out = logs(tmp_path)
    say(log, "worker", b"one\ntwo\n")
    log.flush()
    assert out.getvalue().count("cannot be written") == 1
    assert out.getvalue().endswith("worker   | one\nworker   | two\n")


class Held(io.StringIO):
    """A terminal that somebody holds, until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.go = threading.Event()

    def write(self, text: str) -> int:
        self.go.wait(30)
        return super().write(text)


def test_nobody_waits_for_a_terminal_that_is_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "WAITING", 10)
    out = Held()
    log = Logs(tmp_path / "logs", out)
    say(log, "worker", b"".join(b"line %d\n" % number for number in range(100)))
    assert (tmp_path / "logs" / "worker.log").read_text().count("\n") == 100
    out.go.set()
    log.flush()
    log.tell("up", "after")
    wait_until(lambda: "after" in out.getvalue())
    assert "lines left out: see" in out.getvalue()
