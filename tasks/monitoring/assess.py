"""Scores of traces, brought to MLflow as assessments that stand on the traces there."""

from pathlib import Path

from sqlalchemy import select, update

from llmops.tasks.ledger import existing_ledger, now, open_ledger
from llmops.tasks.ledger.application import live_scores, traces
from llmops.tasks.tracking.trace_records import Rating
from llmops.tasks.tracking.traces import trace_store


def assess(home: Path, app: str) -> int:
    """Write every score of an application that MLflow does not have yet, each in place of an
    earlier one of its metric. Returns how many. Raises Unavailable: what is left is written by the
    next run.
    """
    query = (
        select(live_scores)
        .join(traces, traces.c.id == live_scores.c.trace_id)
        .where(
            live_scores.c.app == app,
            live_scores.c.stored_at.is_(None),
            traces.c.stored_at.is_not(None),
            traces.c.deleted_at.is_(None),
        )
    )
    with existing_ledger(home).read() as connection:
        rows = connection.execute(query).all()
    if not rows:
        return 0
    with trace_store(home) as store:
        for row in rows:
            rating = Rating(
                key=f"score/{row.metric}",
                name=row.metric,
                value=row.value,
                rationale=row.reason,
                source=f"{row.metric} {row.scorer}",
                human=False,
            )
            store.rate(row.trace_id, rating)
            _stored(home, row.trace_id, row.metric, row.scorer)
    return len(rows)


def _stored(home: Path, trace_id: str, metric: str, scorer: str) -> None:
    """MLflow has it, unless it was scored anew meanwhile."""
    mine = (live_scores.c.trace_id == trace_id) & (live_scores.c.metric == metric)
    with open_ledger(home).write() as connection:
        connection.execute(
            update(live_scores).where(mine, live_scores.c.scorer == scorer).values(stored_at=now())
        )
