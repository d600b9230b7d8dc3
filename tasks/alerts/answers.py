"""Applications whose last answers all failed: their model's endpoint, or what else they need, is
down.
"""

from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import select

from llmops.tasks.alerts.condition import Condition, Observation
from llmops.tasks.errors import LlmopsError
from llmops.tasks.ledger import existing_ledger
from llmops.tasks.ledger.application import traces
from llmops.tasks.ledger.leases import aware
from llmops.tasks.traces.trace import ANSWERED

RULE = "endpoint-down"
FAILURES = 5
"""So many in a row, as the breaker of `calls` has it; fewer are a moment's."""
WITHIN = timedelta(hours=24)
ERROR = "error"


def answers_observation(home: Path, at: datetime) -> Observation:
    """By application. Without any question nobody knows: what was down stays so for WITHIN, or
    until an answer goes well.
    """
    try:
        ended = _last(home, at)
    except LlmopsError as error:
        return Observation(unknown=(f"{RULE}/",), problems=(error.message,))
    conditions = []
    for app, rows in ended.items():
        failed = 0
        while failed < len(rows) and rows[failed][0] == ERROR:
            failed += 1
        if failed < FAILURES:
            continue
        more = "" if failed < len(rows) else " or more"
        conditions.append(
            Condition(
                rule=RULE,
                subject=app,
                severity="critical",
                message=f"the last {failed}{more} answers of {app} failed",
                hint="`llmops traces list` shows them; check the model's endpoint and its key",
                value=float(failed),
                since=rows[failed - 1][1],
            )
        )
    return Observation(conditions=tuple(conditions))


def _last(home: Path, at: datetime) -> dict[str, list[tuple[str, datetime]]]:
    """By application: the last answers, the newest first, each with its status and when it was
    asked for.
    """
    recent = traces.c.began_at > at - WITHIN
    ended = traces.c.status.in_([*ANSWERED, ERROR])
    with existing_ledger(home).read() as connection:
        apps = list(connection.scalars(select(traces.c.app).where(recent).distinct()))
        return {
            app: [
                (row.status, aware(row.began_at))
                for row in connection.execute(
                    select(traces.c.status, traces.c.began_at)
                    .where(traces.c.app == app, recent, ended)
                    .order_by(traces.c.began_at.desc())
                    .limit(10 * FAILURES)
                )
            ]
            for app in apps
        }
