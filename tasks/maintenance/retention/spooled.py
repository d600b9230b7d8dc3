"""What is left in spools of traces that are long where they belong: a trace that waits is never
touched.
"""

import time
from pathlib import Path

from sqlalchemy import select

from llmops.tasks.ledger import open_ledger
from llmops.tasks.ledger.application import traces
from llmops.tasks.ledger.leases import aware
from llmops.tasks.maintenance.retention.folders import Freed
from llmops.tasks.traces.index import parts
from llmops.tasks.traces.spool import ENTRY, TraceSpool, spools

STILL = 86_400.0
"""Seconds: what nobody has touched for so long, nobody is at."""


def free_spools(home: Path) -> Freed:
    """Entries of traces that MLflow has, or that were deleted, and halves of entries that a kill
    has left. While an application sends, its spool is left alone.
    """
    count = freed = 0
    for spool in spools(home):
        with spool.sending() as mine:
            if mine:
                done = _done(home, spool)
                freed += sum(path.stat().st_size for path in done)
                count += spool.drop(done)
    return f"{count} entries of spools that are stored or deleted", freed


def _done(home: Path, spool: TraceSpool) -> list[Path]:
    late = time.time() - STILL
    old = [
        path
        for path in spool.folder.rglob("*")
        if path.is_file() and path.stat().st_mtime < late and path.suffix in (ENTRY, ".new")
    ]
    waiting = {path: path.stem.partition("-")[2] for path in old if path.suffix == ENTRY}
    settled = _settled(home, set(waiting.values()))
    return [
        path
        for path in old
        if path.suffix == ".new" or settled.get(waiting[path], 0.0) > path.stat().st_mtime
    ]


def _settled(home: Path, ids: set[str]) -> dict[str, float]:
    """When each was stored or deleted, in seconds since the epoch; those that wait are not in
    it.
    """
    settled = dict[str, float]()
    with open_ledger(home).read() as connection:
        for part in parts(sorted(ids)):
            query = select(traces.c.id, traces.c.stored_at, traces.c.deleted_at)
            for row in connection.execute(query.where(traces.c.id.in_(part))):
                moments = [each for each in (row.stored_at, row.deleted_at) if each]
                if moments:
                    settled[row.id] = max(aware(each).timestamp() for each in moments)
    return settled
