"""How long traces stay: what is older than the most goes, what is younger than the least never; and
for how long the ledger knows what a trace cost that is gone.
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import delete, select

from llmops.tasks.errors import UsageError
from llmops.tasks.ledger import existing_ledger, now, open_ledger
from llmops.tasks.ledger.application import traces
from llmops.tasks.ledger.tables import calls
from llmops.tasks.traces import deletion
from llmops.tasks.traces.index import parts
from llmops.tasks.traces.trace import PREFIX


def due(home: Path, app: str, most_days: float, least_days: float = 0.0) -> list[str]:
    """The traces of an application that are older than `most_days`. Raises UsageError where that is
    less than `least_days`.
    """
    if most_days < least_days:
        raise UsageError(
            f"traces younger than {least_days:g} days are protected, and those older than "
            f"{most_days:g} were to be deleted",
            hint=f"give {least_days:g} days or more",
        )
    before = now() - timedelta(days=most_days)
    query = (
        select(traces.c.id)
        .where(traces.c.app == app, traces.c.began_at < before, traces.c.deleted_at.is_(None))
        .order_by(traces.c.began_at)
    )
    with existing_ledger(home).read() as connection:
        return list(connection.scalars(query))


def prune(home: Path, app: str, most_days: float, least_days: float = 0.0) -> deletion.Deleted:
    """Delete what `due` names, in MLflow, spool and ledger. What it cost stays known until the end
    of the month after; then the rows go as well.
    """
    old = due(home, app, most_days, least_days)
    gone = deletion.finish(home, deletion.forget(home, old, "pruned"))
    return gone.model_copy(update={"places": {**gone.places, "rows": _forget_rows(home, app)}})


def _forget_rows(home: Path, app: str) -> int:
    """Remove the rows of traces that are gone everywhere: their own, and those of their calls. What
    a key has spent in its months stands elsewhere.
    """
    over = traces.c.began_at < _month_before(now())
    gone = traces.c.status.in_(tuple(deletion.PENDING))  # not those that MLflow may still have
    query = select(traces.c.id).where(traces.c.app == app, gone, over)
    with existing_ledger(home).read() as connection:
        ids = list(connection.scalars(query))
    for part in parts(ids):
        _remove(home, part)
    return len(ids)


def _remove(home: Path, ids: Collection[str]) -> None:
    """A part at a time, so that an application which writes meanwhile waits for little."""
    owners = [each.removeprefix(PREFIX) for each in ids]
    with open_ledger(home).write() as connection:
        connection.execute(delete(calls).where(calls.c.owner.in_(owners)))
        connection.execute(delete(traces).where(traces.c.id.in_(ids)))


def _month_before(moment: datetime) -> datetime:
    """When the month before the present one began: its sum and the present one's stay whole."""
    first = moment.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return (first - timedelta(days=1)).replace(day=1)
