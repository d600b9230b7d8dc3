"""Processes of `up`, known by more than a number: a pid is given anew, so nothing is ended that
does not carry the mark of the `up` that started it.
"""

import contextlib
import os
import time
from collections.abc import Iterator
from typing import NamedTuple

import psutil

MARK, PART = "LLMOPS_UP", "LLMOPS_UP_PART"
FLOW_RUN = "PREFECT__FLOW_RUN_ID"
SAME = 1.0  # seconds by which two readings of a process's start may differ


class Known(NamedTuple):
    """A process: its pid, and when it began (seconds since 1970)."""

    pid: int
    created: float


def known(pid: int) -> Known | None:
    """A living process; None where there is none, or only what is left of one."""
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return Known(pid, process.create_time())
    except psutil.Error:
        return None


def alive(process: Known) -> bool:
    """Whether it is this process, and not another one that got its number."""
    now = known(process.pid)
    return now is not None and abs(now.created - process.created) < SAME


def marked(mark: str, part: str | None = None) -> Iterator[psutil.Process]:
    """All processes that the `up` of this mark started, and those that they started; of one part
    alone where it is named. Never this process.
    """
    for process in psutil.process_iter():
        if process.pid == os.getpid():
            continue
        with contextlib.suppress(psutil.Error, OSError):
            given = process.environ()
            if given.get(MARK) == mark and part in (None, given.get(PART)):
                yield process


def flow_runs(mark: str) -> set[str]:
    """Ids of the flow runs whose processes the `up` of this mark has started."""
    found = set()
    for process in marked(mark):
        with contextlib.suppress(psutil.Error, OSError):
            found.add(process.environ().get(FLOW_RUN, ""))
    return found - {""}


def end_marked(mark: str, part: str | None = None) -> int:
    """Kill what is left of an `up`, or of one of its parts. Returns how many there were."""
    left = list(marked(mark, part))
    for process in left:
        with contextlib.suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(left, timeout=5)
    return len(left)


def end(process: Known, seconds: float) -> bool:
    """SIGTERM, and wait; False where it is still there after `seconds`."""
    deadline = time.monotonic() + seconds
    if alive(process):
        with contextlib.suppress(psutil.Error):
            psutil.Process(process.pid).terminate()
    while alive(process):
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.05)
    return True
