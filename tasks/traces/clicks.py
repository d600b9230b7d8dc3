"""Which passages of an answer people opened: ids alone, in the ledger beside the feedback. It says
little: somebody wanted to see it. What is made of it is in docs/ranking.md.
"""

from pathlib import Path

from sqlalchemy import func, select

from llmops.tasks.ledger import now, open_ledger, upsert
from llmops.tasks.ledger.application import clicks, traces
from llmops.tasks.traces.feedback import Recorded, unknown

MOST = 100
"""Passages of an answer that are noted of one person: more than any answer has."""


def opened(
    home: Path, trace_id: str, person: str, chunk_id: str, version: int, app: str | None = None
) -> Recorded:
    """Note that somebody opened a passage; the first time stands. Raises UsageError, in the same
    words, for traces that are unknown, deleted, or of another application than `app`.
    """
    with open_ledger(home).write() as connection:
        trace = connection.execute(select(traces).where(traces.c.id == trace_id)).first()
        if trace is None or trace.deleted_at is not None or (app and trace.app != app):
            raise unknown(trace_id)
        mine = (clicks.c.trace_id == trace_id) & (clicks.c.person == person)
        before = connection.execute(select(clicks).where(mine, clicks.c.chunk_id == chunk_id))
        noted = connection.scalar(select(func.count()).select_from(clicks).where(mine)) or 0
        if before.first() is not None or noted >= MOST:
            return "updated"
        row = {
            "trace_id": trace_id,
            "person": person,
            "chunk_id": chunk_id,
            "version": version,
            "opened_at": now(),
        }
        upsert(connection, clicks, [row])
    return "recorded"
