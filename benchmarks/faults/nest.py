"""Processes of one system, without the seconds that each would take to import its libraries: one
process loads them, and each order is a fork of it. A fork is a real process, with a pid, a working
folder and an exit code of its own, and it ends, or is killed, as any other.

    python -m benchmarks.faults.nest MODULE [library …], orders as JSON lines on standard input

Beside the log of each process lie two files: `.pid`, and, when it has ended, `.code`, which is
negative for a signal. On systems other than Linux nothing is loaded beforehand: libraries may not
survive a fork there.
"""

import importlib
import json
import os
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType


class Nest:
    """This end of it. Used with `with`."""

    def __init__(
        self, python: str, module: str, loads: Sequence[str], environment: Mapping[str, str]
    ) -> None:
        self._process = subprocess.Popen(
            [python, "-m", "benchmarks.faults.nest", module, *loads],
            env=dict(environment),
            stdin=subprocess.PIPE,
            text=True,
        )

    def start(self, work: Sequence[str], folder: Path, log: Path) -> "Forked":
        assert self._process.stdin
        for suffix in (".code", ".pid"):  # of a folder that was copied
            log.with_suffix(suffix).unlink(missing_ok=True)
        order = {"work": list(work), "folder": str(folder), "log": str(log)}
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return Forked(log)

    def __enter__(self) -> "Nest":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait()


class Forked:
    """A process of a nest."""

    def __init__(self, log: Path) -> None:
        self.log = log

    def poll(self) -> int | None:
        """The exit code, or None while it runs."""
        file = self.log.with_suffix(".code")
        return int(file.read_text()) if file.exists() else None

    def wait(self, seconds: float) -> int:
        """Raises TimeoutError, when the process has been killed."""
        until = time.monotonic() + seconds
        while (code := self.poll()) is None:
            if time.monotonic() > until:
                os.kill(int(self.log.with_suffix(".pid").read_text()), signal.SIGKILL)
                raise TimeoutError(f"ended after {seconds} s: {self.log.read_text()[-2000:]}")
            time.sleep(0.01)
        return code


def put(file: Path, number: int) -> None:
    """Whole, or not at all."""
    new = file.with_suffix(f"{file.suffix}-new")
    new.write_text(str(number))
    new.replace(file)


def become(order: Mapping[str, str]) -> None:
    """Take the folder of an order, and its log in the place of all output."""
    os.chdir(order["folder"])
    with Path(order["log"]).open("wb") as log, Path(os.devnull).open("rb") as nothing:
        for place, file in ((0, nothing), (1, log), (2, log)):
            os.dup2(file.fileno(), place)


def main(module: str, *loads: str) -> None:
    """Returns in the forked process, when its work is done."""
    from benchmarks.faults import side

    for name in loads if sys.platform == "linux" else ():
        importlib.import_module(name)
    warnings.filterwarnings("ignore", "lancedb fork support")  # nothing of it was used yet
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while line := sys.stdin.readline():
        order = json.loads(line)
        if os.fork():
            continue
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        log = Path(order["log"])
        if child := os.fork():
            put(log.with_suffix(".pid"), child)
            put(log.with_suffix(".code"), os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
            os._exit(0)
        become(order)
        side.main(module, *order["work"])
        return


if __name__ == "__main__":
    main(*sys.argv[1:])
