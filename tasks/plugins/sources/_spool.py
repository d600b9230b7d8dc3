"""Originals that a listing had in its hands, between it and the reading that follows in the same
process: on disk, but in no folder.

The file has no name, so that nothing of it is left when the process ends, however it ends. What is
not found here is fetched again.
"""

import atexit
import json
import tempfile
import threading
from typing import IO, Any

from llmops.tasks.plugins.sources import Item, Raw, content_hash_of

MOST = 2**30


class Spool:
    """Bytes by key, each taken once. Beyond `most` bytes, or on a full disk, nothing more is
    kept.
    """

    def __init__(self, most: int = MOST) -> None:
        self._most, self._lock = most, threading.Lock()
        self._file: IO[bytes] | None = None
        self._places: dict[tuple[str, str], tuple[int, int, str]] = {}

    def put(self, owner: str, key: str, data: bytes, label: str) -> None:
        """Keep bytes and a label for `take`."""
        with self._lock:
            self._file = self._file or tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - it lives until it is empty
            start = self._file.seek(0, 2)
            if start + len(data) > self._most:
                return
            try:
                whole = self._file.write(data) == len(data)
            except OSError:
                whole = False
            if whole:
                self._places[owner, key] = (start, len(data), label)
            else:
                self._file.truncate(start)

    def take(self, owner: str, key: str) -> tuple[bytes, str] | None:
        """The bytes and the label, which are forgotten; None when they are not here."""
        with self._lock:
            place = self._places.pop((owner, key), None)
            if place is None or self._file is None:
                return None
            self._file.seek(place[0])
            data = self._file.read(place[1])
            self._settle()
            return data, place[2]

    def forget(self, owner: str) -> None:
        """Drop all that one owner has kept."""
        with self._lock:
            self._places = {key: place for key, place in self._places.items() if key[0] != owner}
            self._settle()

    def _settle(self) -> None:
        if not self._places and self._file is not None:
            self._file.close()
            self._file = None

    def close(self) -> None:
        """Drop everything."""
        with self._lock:
            self._places.clear()
            self._settle()


SPOOL = Spool()
"""Of pages that were fetched to find further ones."""
ORIGINALS = Spool(4 * MOST)
"""Of rows that a query or a reader gave as a whole."""
atexit.register(SPOOL.close)
atexit.register(ORIGINALS.close)


def keep(owner: str, uri: str, raw: Raw) -> None:
    """Keep an original for `taken`, as long as there is room for it."""
    rest: dict[str, Any] = {
        "media_type": raw.media_type,
        "title": raw.title,
        "metadata": dict(raw.metadata),
    }
    ORIGINALS.put(owner, uri, json.dumps(rest).encode() + b"\n" + raw.data, "")


def taken(owner: str, item: Item) -> Raw | None:
    """The original of an item whose revision is its content hash; None where it is not here, or is
    another one.
    """
    original = ORIGINALS.take(owner, item.uri)
    if original is None:
        return None
    rest, _, data = original[0].partition(b"\n")
    raw = Raw(data=data, **json.loads(rest))
    return raw if content_hash_of(raw) == item.revision else None


def forget(owner: str) -> None:
    """Drop what an earlier listing kept."""
    ORIGINALS.forget(owner)
