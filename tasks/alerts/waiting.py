"""Traces that do not get to MLflow: they wait in the spool for long, or were set aside as nothing
that can be sent.
"""

from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import func, select

from llmops.tasks.alerts.clock import lasting
from llmops.tasks.alerts.condition import Condition, Observation
from llmops.tasks.errors import LlmopsError
from llmops.tasks.ledger import existing_ledger
from llmops.tasks.ledger.application import traces
from llmops.tasks.ledger.leases import aware
from llmops.tasks.traces.spool import ASIDE, FOLDER

RULE = "tracking-down"
WAIT = timedelta(minutes=10)
OPEN = "open"
"""The status of a trace whose request has not ended."""


def waiting_observation(home: Path, at: datetime) -> Observation:
    """By application: how many traces wait for longer than WAIT, and files that were set aside."""
    try:
        late = _late(home, at)
    except LlmopsError as error:
        return Observation(unknown=(f"{RULE}/",), problems=(error.message,))
    aside = _aside(home)
    conditions = [
        _condition(app, late.get(app), aside.get(app, 0), at) for app in sorted({*late, *aside})
    ]
    return Observation(conditions=tuple(conditions))


def _late(home: Path, at: datetime) -> dict[str, tuple[int, datetime]]:
    """Application -> (how many wait, since when the oldest does). What is not in the spool waits
    for nothing: it was not kept.
    """
    folders = [each for each in _folders(home) if next(each.glob("*.json"), None) is not None]
    query = (
        select(traces.c.app, func.count(), func.min(traces.c.began_at))
        .where(traces.c.stored_at.is_(None), traces.c.deleted_at.is_(None))
        .where(traces.c.status != OPEN, traces.c.began_at < at - WAIT)
        .where(traces.c.app.in_([each.name for each in folders]))
        .group_by(traces.c.app)
    )
    if not folders:
        return {}
    with existing_ledger(home).read() as connection:
        return {app: (count, aware(first)) for app, count, first in connection.execute(query)}


def _aside(home: Path) -> dict[str, int]:
    counts = {each.name: sum(1 for _ in (each / ASIDE).glob("*")) for each in _folders(home)}
    return {app: count for app, count in counts.items() if count}


def _folders(home: Path) -> list[Path]:
    spool = home / FOLDER
    return [each for each in spool.iterdir() if each.is_dir()] if spool.is_dir() else []


def _condition(app: str, late: tuple[int, datetime] | None, aside: int, at: datetime) -> Condition:
    said = []
    if late is not None:
        count, since = late
        said.append(f"{count} traces wait for MLflow, the oldest for {lasting(at - since)}")
    if aside:
        said.append(f"{aside} traces were set aside in spool/{app}/{ASIDE}: they cannot be sent")
    return Condition(
        rule=RULE,
        subject=app,
        severity="warning",
        message="; ".join(said),
        hint="does MLflow answer, and does the application run? nothing is lost while it waits",
        value=float(late[0] if late else aside),
        since=late[1] if late else None,
    )
