"""The alerter's pulse on the disk, for the `up` that keeps it: whether it still looks, also while
no ledger can be written. A process that hangs has none.

`python -m llmops.deployments.alerting.pulse` ends with 0 where the alerter of LLMOPS_HOME is well,
else with 1: for the probes of container engines.
"""

import os
import sys
import time
from contextlib import suppress
from pathlib import Path

from llmops.tasks.alerts.beats import SILENT_LOOKS, uptime

FILE = "alerter.pulse"
LEAST_SECONDS = 60.0
"""Of patience beside the looks: one of them may take long."""


def pulse(home: Path, every_seconds: float) -> None:
    """Give a sign. Lines are of one length, and written over each other: also a full disk takes
    that.
    """
    line = f"{_seconds():020.3f} {every_seconds:010.3f} {os.getpid():010d}\n".encode()
    with suppress(OSError):  # a disk that takes nothing ends the part, which a new start may mend
        there = os.open(home / FILE, os.O_WRONLY | os.O_CREAT, 0o644)
        try:
            os.pwrite(there, line, 0)
        finally:
            os.close(there)


def well(home: Path, patience: float = LEAST_SECONDS) -> bool:
    """Whether it looked within the last few looks, and `patience` seconds."""
    try:
        at, every, _ = (home / FILE).read_text(encoding="ascii").split()
        since = _seconds() - float(at)
        return -1 <= since <= SILENT_LOOKS * float(every) + patience
    except (OSError, ValueError):
        return False


def _seconds() -> float:
    """By a clock that nobody sets."""
    known = uptime()
    return time.time() if known is None else known


if __name__ == "__main__":
    from llmops.configs.settings import settings

    sys.exit(0 if well(settings().absolute_home) else 1)
