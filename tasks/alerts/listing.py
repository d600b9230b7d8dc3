"""What people see of alerts: which there are, and which notices never arrived."""

from datetime import datetime, timedelta
from pathlib import Path

from pydantic import BaseModel, ConfigDict
from sqlalchemy import Connection, select

from llmops.tasks.alerts.policy import rank
from llmops.tasks.alerts.record import AlertRecord, records
from llmops.tasks.alerts.telling import NoticeRecord
from llmops.tasks.ledger import existing_ledger
from llmops.tasks.ledger.alerting import alerts, notices

SHOWN = 200
LATELY = timedelta(days=7)
ORDER = {"firing": 0, "clearing": 1, "pending": 2, "resolved": 3}


class Undelivered(BaseModel):
    """A notice that did not arrive. `dead`: it is not tried again."""

    model_config = ConfigDict(frozen=True)
    key: str
    kind: str
    sender: str
    dead: bool
    attempts: int
    error: str
    created_at: datetime
    due_at: datetime


def listed(home: Path, *, history: bool = False, most: int = SHOWN) -> list[AlertRecord]:
    """Alerts, the firing ones first, the worst of them before; `history`: also what is over."""
    with existing_ledger(home).read() as connection:
        found = records(connection, alerts.c.resolved_at.is_(None))
        if history:
            found += _over(connection, most)
    return sorted(found, key=lambda each: (ORDER[each.status], *_importance(each)))[:most]


def _over(connection: Connection, most: int) -> list[AlertRecord]:
    over = alerts.c.resolved_at.is_not(None)
    latest = select(alerts.c.id).where(over).order_by(alerts.c.resolved_at.desc()).limit(most)
    return records(connection, alerts.c.id.in_(list(connection.scalars(latest))))


def _importance(alert: AlertRecord) -> tuple[float, float]:
    if alert.resolved_at is not None:
        return 0.0, -alert.resolved_at.timestamp()
    return -float(rank(alert.severity)), -alert.began_at.timestamp()


def undelivered(home: Path, at: datetime, most: int = SHOWN) -> list[Undelivered]:
    """Notices that failed and are tried again, and those of the last week that never arrived."""
    failing = (notices.c.status == "waiting") & (notices.c.error != "")
    dead = (notices.c.status == "dead") & (notices.c.created_at > at - LATELY)
    query = select(notices).where(failing | dead).order_by(notices.c.created_at.desc()).limit(most)
    with existing_ledger(home).read() as connection:
        rows = [NoticeRecord.model_validate(row._mapping) for row in connection.execute(query)]
    return [
        Undelivered(
            key=row.content.key,
            kind=row.kind,
            sender=row.sender,
            dead=row.status == "dead",
            attempts=row.attempts,
            error=row.error,
            created_at=row.created_at,
            due_at=row.due_at,
        )
        for row in rows
    ]
