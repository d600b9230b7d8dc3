"""What is wrong with a part of `up`, by its record."""

from collections.abc import Iterator
from pathlib import Path

from llmops.deployments.up.record import PartRecord

MANY_RESTARTS = 3


def ailing(part: PartRecord, home: Path) -> Iterator[str]:
    """What `llmops status` says of it."""
    if part.waits:
        yield part.waits
    if not part.healthy:
        yield down(part, home)
    elif part.restarts >= MANY_RESTARTS:
        yield restarted(part.restarts, home)


def down(part: PartRecord, home: Path) -> str:
    return "does not answer" if part.yours else f"is down; see {home / 'logs'}"


def restarted(times: int, home: Path) -> str:
    return f"had to be started again {times} times; see {home / 'logs'}"
