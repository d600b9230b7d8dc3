"""One training of a thing at a time."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from llmops.tasks.errors import Blocked


@contextmanager
def one_at_a_time(folder: Path) -> Iterator[None]:
    """Raises Blocked where another run is at the training of this folder."""
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise Blocked(
            "another run is at the same training", hint="wait for it to end", where=str(folder)
        ) from error
    try:
        yield
    finally:
        lock.release()
