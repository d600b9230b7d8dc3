"""What is wrong with a part of `up`, by its record."""

import time
from collections.abc import Iterator
from pathlib import Path

from llmops.deployments.up.record import PartRecord

MANY_RESTARTS = 3
STARTING_SECONDS = 90
"""Within which a process may still be importing, on a busy machine."""


def ailing(part: PartRecord, home: Path) -> Iterator[str]:
    """What `llmops status` says of it."""
    if part.waits:
        yield part.waits
    if starting(part):
        yield "is starting"
    elif not part.healthy:
        yield down(part, home)
    elif part.restarts >= MANY_RESTARTS:
        yield restarted(part.restarts, home)


def starting(part: PartRecord) -> bool:
    """Whether its first process is so young that no answer means little."""
    if part.healthy or part.restarts or part.created is None:
        return False
    return time.time() - part.created < STARTING_SECONDS


def down(part: PartRecord, home: Path) -> str:
    return "does not answer" if part.yours else f"is down; see {home / 'logs'}"


def restarted(times: int, home: Path) -> str:
    return f"had to be started again {times} times; see {home / 'logs'}"
