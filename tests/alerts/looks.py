"""Looks at a home that does not exist but for its ledger, and senders that keep what they get."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import PrivateAttr
from sqlalchemy import select

from llmops.tasks.alerts.condition import Condition, Observation, Severity
from llmops.tasks.alerts.outbox import Delivered, deliver
from llmops.tasks.alerts.policy import AlertPolicy, Recipient
from llmops.tasks.alerts.record import AlertRecord, records
from llmops.tasks.alerts.state import Taken, take
from llmops.tasks.alerts.telling import NoticeRecord
from llmops.tasks.errors import LlmopsError
from llmops.tasks.ledger import open_ledger
from llmops.tasks.ledger.alerting import alerts, notices
from llmops.tasks.plugins.senders import Notice, Sender

NOON = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
ME = (Recipient(sender="me"),)


class KeepingSender(Sender):
    """Keeps what it is given; raises its errors first, one an attempt."""

    _sent: list[Notice] = PrivateAttr(default_factory=list)
    _errors: list[Exception] = PrivateAttr(default_factory=list)

    def send(self, notice: Notice) -> None:
        if self._errors:
            raise self._errors.pop(0)
        self._sent.append(notice)

    def fail(self, *errors: LlmopsError | Exception) -> None:
        self._errors.extend(errors)

    @property
    def sent(self) -> list[tuple[str, str]]:
        return [(each.kind, each.severity) for each in self._sent]

    @property
    def notices(self) -> list[Notice]:
        return self._sent


def wrong(
    rule: str = "flow-failed", severity: Severity = "warning", message: str = "no"
) -> Condition:
    return Condition(rule=rule, subject="index/handbook", severity=severity, message=message)


class House:
    """Looks every minute, by a clock that a test sets."""

    def __init__(self, home: Path, at: datetime = NOON, **policy: object) -> None:
        self.home, self.at = home, at
        self.policy = AlertPolicy.model_validate({"recipients": ME, **policy})
        self.sender = KeepingSender()
        self.delivered = Delivered()

    def look(self, *conditions: Condition, unknown: tuple[str, ...] = (), times: int = 1) -> Taken:
        """The last of so many looks, each a minute later and followed by a delivery."""
        taken = Taken()
        for _ in range(times):
            observation = Observation(conditions=conditions, unknown=unknown)
            taken = take(self.home, observation, self.policy, self.at)
            self.delivered = deliver(self.home, {"me": self.sender}, self.at)
            self.at += MINUTE
        return taken

    @property
    def alerts(self) -> list[AlertRecord]:
        with open_ledger(self.home).read() as connection:
            return records(connection, alerts.c.id.is_not(None))

    @property
    def outbox(self) -> list[NoticeRecord]:
        with open_ledger(self.home).read() as connection:
            rows = connection.execute(select(notices).order_by(notices.c.created_at))
            return [NoticeRecord.model_validate(row._mapping) for row in rows]
