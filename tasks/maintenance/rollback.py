"""Going back to an earlier version, after making sure that it can be served."""

import time
from pathlib import Path
from typing import Any

from llmops.tasks.errors import Damaged
from llmops.tasks.knowledge import versions
from llmops.tasks.knowledge.reading import collection_of
from llmops.tasks.knowledge.versions import Version
from llmops.tasks.ledger import Ledger
from llmops.tasks.ledger.leases import hold


def rollback(ledger: Ledger, home: Path, kb: str, to: int | None) -> dict[str, Any]:
    """The object of `kb rollback`; `seconds` is what readers may notice: the switch itself.

    Raises UsageError for a version that is not kept, Damaged for one that the store cannot serve:
    then nothing has changed.
    """
    with hold(home, kb) as lease:
        chosen = versions.target(ledger, kb, to)
        if why := unservable(home, chosen, chosen.chunks):
            raise Damaged(
                f"version {chosen.version} of {kb!r} cannot be served, so nothing was "
                f"changed: {why}",
                hint=f"`llmops kb log {kb}` lists the others",
            )
        began = time.perf_counter()
        new, old = versions.rollback(ledger, lease, kb, to)
    return {
        "knowledge_base": kb,
        "version": new,
        "previous_version": old,
        "seconds": round(time.perf_counter() - began, 3),
    }


def unservable(home: Path, version: Version, chunks: int | None = None) -> str:
    """Why the store cannot serve a version, "" when it can: its snapshot is there, its rows can be
    read, and are as many as `chunks`.
    """
    try:
        reader = collection_of(home, version).at(version.snapshot or "")
        if (held := reader.count()) != chunks and chunks is not None:
            return f"it holds {held} chunks instead of {chunks}"
        next(iter(reader.rows(["chunk_id", "text"])), None)
    except Damaged as error:
        return error.message
    return ""
