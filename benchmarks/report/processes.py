"""Processes that are measured from outside, by what the system counts for them."""

import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import psutil

from llmops.flows import server

ROOT = Path(__file__).parent.parent.parent
PATH = re.compile(r"(?<!\S)\S*/\S+")
KIBI = 1 if sys.platform == "darwin" else 1024
"""Bytes in the unit of `ru_maxrss`."""


LAUNCHER = """
import json, os, sys, time
began = time.perf_counter()
pid = os.posix_spawnp(sys.argv[2], sys.argv[2:], os.environ)
_, status, usage = os.wait4(pid, 0)
figures = [
    os.waitstatus_to_exitcode(status),
    time.perf_counter() - began,
    usage.ru_utime + usage.ru_stime,
    usage.ru_maxrss,
]
with open(sys.argv[1], "w") as file:
    json.dump(figures, file)
"""
"""Starts the command. Linux counts to a process the memory of whoever started it, so that has to be
little.
"""


class Absent(Exception):
    """A system that cannot be measured here; the message is the reason, without paths."""


class Used(NamedTuple):
    """`seconds` by the clock; `cpu` seconds of processor time with that of children; `peak_mb`:
    the most memory of the largest process; `output`: what was written to standard output.
    """

    seconds: float
    cpu: float
    peak_mb: float
    output: str

    @property
    def told(self) -> dict[str, float]:
        """The JSON object on the last line of the output."""
        found: dict[str, float] = json.loads(self.output.splitlines()[-1])
        return found


def peers_python() -> str:
    """The interpreter that has the peers: LLMOPS_BENCH_PEERS, else `.venv-peers`, else this one."""
    own = ROOT / ".venv-peers" / "bin" / "python"
    given = os.environ.get("LLMOPS_BENCH_PEERS")
    return given or (str(own) if own.exists() else sys.executable)


def python_path() -> dict[str, str]:
    """For a process that imports what lies here."""
    paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
    return {"PYTHONPATH": os.pathsep.join(filter(None, paths))}


def measured(
    command: Sequence[str],
    folder: Path,
    environment: Mapping[str, str] | None = None,
    *,
    peer: bool = False,
) -> Used:
    """Run to its end in a folder. Raises Absent when a module is missing, or a peer fails;
    RuntimeError when something of ours does.
    """
    with (
        tempfile.TemporaryFile("w+") as out,
        tempfile.TemporaryFile("w+") as err,
        tempfile.NamedTemporaryFile("r") as figures,
    ):
        subprocess.run(
            [sys.executable, "-I", "-S", "-c", LAUNCHER, figures.name, *command],
            check=True,
            cwd=folder,
            env=os.environ | python_path() | dict(environment or {}),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
        )
        code, seconds, cpu, largest = json.load(figures)
        out.seek(0)
        err.seek(0)
        output, errors = out.read(), err.read()
    if code:
        raise _failure(command, code, output + errors, peer=peer)
    return Used(seconds, cpu, largest * KIBI / 1e6, output)


def _failure(command: Sequence[str], code: int, said: str, *, peer: bool) -> Exception:
    last = (said.strip().splitlines() or ["it said nothing"])[-1]
    if last.startswith(("ModuleNotFoundError: ", "ImportError: ")):
        return Absent(last.partition(": ")[2])
    if peer:
        return Absent(f"it ended with {code}: {PATH.sub('…', last)[:200]}")
    shown = " ".join(Path(each).name for each in command[:4])
    return RuntimeError(f"{shown} ended with {code}: {said[-2000:]}")


def command(*arguments: str) -> list[str]:
    """The `llmops` of this environment."""
    return [str(Path(sys.executable).parent / "llmops"), *arguments]


class ServerUse(NamedTuple):
    """Of the background Prefect server of a home so far: processor seconds, and the most memory in
    MB. Nought where none runs.
    """

    cpu: float = 0.0
    peak_mb: float = 0.0


def server_use(home: Path) -> ServerUse:
    found = server.find(home)
    if found is None:
        return ServerUse()
    process = psutil.Process(found.pid)
    every = [process, *process.children(recursive=True)]
    cpu = sum(sum(each.cpu_times()[:2]) for each in every)
    return ServerUse(float(cpu), sum(map(_peak, every)))


def _peak(process: psutil.Process) -> float:
    status = Path(f"/proc/{process.pid}/status")
    if not status.exists():
        return float(process.memory_info().rss / 1e6)
    lines = status.read_text(encoding="utf-8").splitlines()
    sizes = [line.split()[1] for line in lines if line.startswith("VmHWM")]
    return int(sizes[0]) * 1024 / 1e6 if sizes else 0.0


class Worker:
    """A process that has loaded what it works with and works when it is asked: see
    benchmarks/contenders/worker.py.
    """

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def ask(self, what: str) -> dict[str, float]:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{what}\n")
        self._process.stdin.flush()
        return self.reply()

    def reply(self) -> dict[str, float]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise EOFError
        found: dict[str, float] = json.loads(line)
        return found


@contextlib.contextmanager
def worker(module: str, *arguments: str, peer: bool) -> Iterator[Worker]:
    """One that is ready, of a peer in its interpreter. Raises as `measured` does."""
    python = peers_python() if peer else sys.executable
    order = [python, "-m", module, *arguments]
    with tempfile.TemporaryFile("w+") as err:
        process = subprocess.Popen(
            order,
            env=os.environ | python_path(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=err,
            text=True,
        )
        try:
            started = Worker(process)
            started.reply()
            yield started
        except EOFError:
            code = process.wait()
            err.seek(0)
            raise _failure(order, code, err.read(), peer=peer) from None
        finally:
            process.kill()
            process.wait()
