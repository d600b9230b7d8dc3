"""How much memory a reader of LanceDB may take for one version."""

import os
from pathlib import Path

import psutil

from llmops.tasks.errors import UsageError

MEMORY = "LLMOPS_SEARCH_MEMORY_MB"
LEAST_BYTES, SHARE = 256 * 2**20, 16
LIMITS = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)
"""Where Linux says what a container may take; "max": no limit."""


def memory_allowed() -> int:
    """In bytes: a sixteenth of the machine's memory, or of what its container may take, and at
    least 256 MB; MEMORY says otherwise. Raises UsageError for a wrong MEMORY.
    """
    given = os.environ.get(MEMORY, "").strip()
    if not given:
        return max(LEAST_BYTES, _available() // SHARE)
    if not (given.isascii() and given.isdigit() and int(given)):
        raise UsageError(
            f"{MEMORY} is {given!r}; allowed: a whole number of megabytes from 1",
            hint="unset it for a sixteenth of the machine's memory",
        )
    return int(given) * 2**20


def _available() -> int:
    limits = [path.read_text().strip() for path in LIMITS if path.exists()]
    machine: int = psutil.virtual_memory().total
    return min([machine, *(int(each) for each in limits if each.isdigit())])
