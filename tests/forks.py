"""Processes for tests, each in a hundredth of the time that Python needs to import what ours do.

A command of ours imports for four CPU-seconds (LanceDB, MLflow, Great Expectations, Prefect) before
it does anything. Tests start such processes by the hundred, to interrupt them, to kill them, to let
two of them contend. So one process, the nursery, imports all of it once and then forks:

    test  ──order, three files──►  nursery  ──fork──►  monitor  ──fork──►  the process
          ◄─────────── its pid, then how it ended ───────┘ waits for it

The process is a real one, with a pid, a session (and so a process group), files for its output, a
working directory, an environment and an exit code of its own, and it ends as Python ends. SIGKILL,
SIGINT and SIGTERM do to it what they do to any other. What differs from `python -m MODULE`:

- Libraries are loaded already. A test of what a start loads, prints or takes must run the true
  command: `commandline.start_afresh`.
- No thread runs in the nursery but those that start anew after a fork; LanceDB's does, and
  `nursery.load` sees to it that there is no other.
- Prefect takes its settings from the environment when it is imported, and our commands set the
  environment before. So Prefect is loaded but hidden until a process imports it, and reads its
  settings then: `nursery.Hidden`.

macOS does not let a process fork that has loaded these libraries. There the nursery loads nothing,
and every process takes its time.
"""

import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO

ROOT = Path(__file__).parent.parent
SHARED = "LLMOPS_TESTS_NURSERY"
"""Names the socket of a nursery that another process has started."""


class Process:
    """What tests use of `subprocess.Popen`, for a process that another process has forked. Its
    output is text, and goes into files, so that it never waits for a reader.
    """

    def __init__(self, words: Sequence[str], environment: Mapping[str, str], cwd: Path) -> None:
        self.returncode: int | None = None
        self._said = ("", "")
        self._out: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed when it has ended
        self._err: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115
        self._monitor = socket.socket(socket.AF_UNIX)
        self._monitor.connect(_path())
        order = {"words": list(words), "environment": dict(environment), "cwd": str(cwd)}
        with Path(os.devnull).open("rb") as nothing:
            files = [nothing.fileno(), self._out.fileno(), self._err.fileno()]
            socket.send_fds(self._monitor, [b"files"], files)
        self._monitor.sendall(json.dumps(order).encode() + b"\n")
        self._told = self._monitor.makefile("rb", buffering=0)
        self.pid = self._next()

    def _next(self) -> int:
        line = self._told.readline()
        if not line:
            raise ChildProcessError("the nursery of the tests' processes has ended")
        return int(line)

    def _ended(self, timeout: float | None) -> bool:
        if self.returncode is None and select.select([self._monitor], [], [], timeout)[0]:
            self.returncode = self._next()
            self._said = (_text(self._out), _text(self._err))
            self._told.close()
            self._monitor.close()
        return self.returncode is not None

    def poll(self) -> int | None:
        """The exit code, or None while it runs; -9 for SIGKILL, as in subprocess."""
        self._ended(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Raises subprocess.TimeoutExpired after so many seconds."""
        if not self._ended(timeout):
            raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0)
        assert self.returncode is not None
        return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Wait for its end; what it wrote to standard output and to standard error."""
        self.wait(timeout)
        return self._said

    def kill(self) -> None:
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)

    def __enter__(self) -> "Process":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.wait()


def _text(file: IO[bytes]) -> str:
    with file:
        file.seek(0)
        return file.read().decode()


def start(
    *words: str | Path, environment: Mapping[str, str] | None = None, cwd: Path = ROOT
) -> Process:
    """What `python WORDS` would do, in a process and a session of its own; the first word is `-m`
    or `-c`.
    """
    return Process(list(map(str, words)), os.environ if environment is None else environment, cwd)


def run(
    *words: str | Path, environment: Mapping[str, str] | None = None, timeout: float = 300
) -> "subprocess.CompletedProcess[str]":
    """`start`, and wait for its end. It is killed after `timeout` seconds."""
    process = start(*words, environment=environment)
    try:
        out, err = process.communicate(timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    return subprocess.CompletedProcess(words, process.wait(), out, err)


class Nursery:
    """This end of it: the process, and the socket that it listens to, at `path`."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="nursery-")
        self.path = str(Path(self._folder.name) / "socket")
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(self.path)
        listener.listen(64)
        # it ends when this end of the pipe is closed, however this process comes to its end
        alive, self._alive = os.pipe()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.nursery", str(listener.fileno()), str(alive)],
            cwd=ROOT,
            env={**os.environ, "DO_NOT_TRACK": "1", "GX_ANALYTICS_ENABLED": "false"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=[listener.fileno(), alive],
            start_new_session=True,
        )
        listener.close()
        os.close(alive)

    def end(self) -> None:
        os.close(self._alive)
        self._process.wait()
        self._folder.cleanup()


_running: list[Nursery] = []


def share() -> None:
    """Start one for all processes that this one will start: the workers of a session."""
    _running.append(Nursery())
    os.environ[SHARED] = _running[0].path


def _path() -> str:
    if shared := os.environ.get(SHARED):
        return shared
    if not _running:
        _running.append(Nursery())
    return _running[0].path


def end() -> None:
    """End the nursery if this process has started one: when a session of tests is over."""
    while _running:
        _running.pop().end()
