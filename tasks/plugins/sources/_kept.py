"""Originals that a listing had in its hands, kept for the reading that follows in the same process;
nothing of them outlives it.
"""

import atexit
import json
from typing import Any

from llmops.tasks.plugins.sources import Item, Raw, content_hash_of
from llmops.tasks.plugins.sources._http.spool import Spool

ROOM = 4 * 2**30
SPOOL = Spool(ROOM)
OWNERS: set[str] = set()


def keep(owner: str, uri: str, raw: Raw) -> None:
    """Keep an original for `taken`, as long as there is room for it."""
    OWNERS.add(owner)
    rest: dict[str, Any] = {
        "media_type": raw.media_type,
        "title": raw.title,
        "metadata": dict(raw.metadata),
    }
    SPOOL.put(owner, uri, json.dumps(rest).encode() + b"\n" + raw.data, "")


def taken(owner: str, item: Item) -> Raw | None:
    """The original of an item whose revision is its content hash; None where it is not here, or is
    another one.
    """
    found = SPOOL.take(owner, item.uri)
    if found is None:
        return None
    rest, _, data = found[0].partition(b"\n")
    raw = Raw(data=data, **json.loads(rest))
    return raw if content_hash_of(raw) == item.revision else None


def forget(owner: str) -> None:
    """Drop what an earlier listing kept."""
    SPOOL.forget(owner)


@atexit.register
def _close() -> None:
    for owner in OWNERS:
        SPOOL.forget(owner)
