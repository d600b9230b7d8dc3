"""Ending the `up` of a home from another process."""

import contextlib
import time
from pathlib import Path

import psutil

from llmops.deployments.up import record
from llmops.deployments.up.processes import Known, alive
from llmops.tasks.errors import Unavailable

SECONDS = 15.0


def end_up(home: Path) -> int | None:
    """Ask the `up` of a home to end, and wait for it; its pid, None where none runs. Raises
    Unavailable where it does not end.
    """
    running = record.running(home)
    if running is None:
        return None
    process = Known(running.pid, running.created)
    with contextlib.suppress(psutil.NoSuchProcess):
        psutil.Process(running.pid).terminate()
    deadline = time.monotonic() + SECONDS
    while alive(process):
        if time.monotonic() > deadline:
            raise Unavailable(
                f"`llmops up` (process {running.pid}) has not ended within {SECONDS:.0f} s",
                where=str(home),
                hint=f"kill -9 {running.pid}; the next `llmops up` clears up after it",
            )
        time.sleep(0.05)
    return running.pid
