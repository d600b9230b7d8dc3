"""An alert as the ledger keeps it."""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, field_validator
from sqlalchemy import ColumnElement, Connection, select

from llmops.tasks.alerts.condition import Condition, Severity
from llmops.tasks.ledger import upsert
from llmops.tasks.ledger.alerting import alerts
from llmops.tasks.ledger.leases import aware
from llmops.tasks.plugins import digest

LONGEST = 1_000
AlertStatus = Literal["pending", "firing", "clearing", "resolved"]


class AlertRecord(BaseModel):
    """A row of the table `alerts`, where the columns are explained; all times are UTC."""

    model_config = ConfigDict(frozen=True)
    id: str
    key: str
    owner: str
    rule: str
    subject: str
    severity: Severity
    message: str
    hint: str
    value: float | None
    links: Mapping[str, str]
    looks: int
    returns: int
    lasted_seconds: float
    began_at: datetime
    seen_at: datetime
    looked_at: datetime
    missed_at: datetime | None
    fired_at: datetime | None
    resolved_at: datetime | None
    muted_until: datetime | None

    @field_validator(
        *("began_at", "seen_at", "looked_at", "missed_at", "fired_at", "resolved_at"),
        "muted_until",
    )
    @classmethod
    def _in_utc(cls, value: datetime | None) -> datetime | None:
        return aware(value).astimezone(UTC) if value is not None else None

    @property
    def status(self) -> AlertStatus:
        if self.resolved_at is not None:
            return "resolved"
        if self.fired_at is None:
            return "pending"
        return "firing" if self.missed_at is None else "clearing"

    def muted(self, at: datetime) -> bool:
        return self.muted_until is not None and at < self.muted_until


def begun(condition: Condition, owner: str, at: datetime) -> AlertRecord:
    """What is seen for the first time; since when it is wrong may be known."""
    since = condition.since or at
    return AlertRecord(
        id=digest(condition.key, owner, at.isoformat()),
        key=condition.key,
        owner=owner,
        looks=1,
        returns=0,
        lasted_seconds=0.0,
        began_at=min(aware(since).astimezone(UTC), at),
        seen_at=at,
        looked_at=at,
        missed_at=None,
        fired_at=None,
        resolved_at=None,
        muted_until=None,
        **said(condition),
    )


def said(condition: Condition) -> dict[str, object]:
    """The columns that are as the condition has them."""
    return {
        "rule": line(condition.rule)[:63],
        "subject": line(condition.subject),
        "severity": condition.severity,
        "message": line(condition.message),
        "hint": line(condition.hint),
        "value": condition.value,
        "links": dict(condition.links),
    }


def line(text: str) -> str:
    """As one line of a bounded length."""
    shown = " ".join(text.split())
    return shown if len(shown) <= LONGEST else f"{shown[: LONGEST - 1]}…"


def records(connection: Connection, *wanted: ColumnElement[bool]) -> list[AlertRecord]:
    """Those of which all is true, the latest first."""
    rows = connection.execute(
        select(alerts).where(*wanted).order_by(alerts.c.began_at.desc(), alerts.c.id)
    )
    return [AlertRecord.model_validate(row._mapping) for row in rows]


def save(connection: Connection, changed: Collection[AlertRecord]) -> None:
    """Write alerts as they are now."""
    if changed:
        upsert(connection, alerts, [each.model_dump() for each in changed])
