"""What is to be said, to whom and when: what each sender was told of an alert is compared with what
it should know, and the difference is written into the outbox, in the transaction of the alert's
change.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal

from pydantic import BaseModel, ConfigDict, field_validator
from sqlalchemy import Connection, insert, select, update

from llmops.tasks.alerts.policy import AlertPolicy, Recipient, rank
from llmops.tasks.alerts.record import AlertRecord
from llmops.tasks.ledger.alerting import notices
from llmops.tasks.ledger.leases import aware
from llmops.tasks.plugins import digest
from llmops.tasks.plugins.senders import Notice, NoticeKind

NoticeStatus = Literal["waiting", "sent", "dropped", "dead"]
HISTORY = "history"
CAME_AND_WENT = "came and went in quiet hours"
SILENT = timedelta(days=7)  # a sender that has failed for longer than this is no news any more
TICK = timedelta(microseconds=1)
SHARED = {
    *("rule", "subject", "severity", "message", "hint", "value", "began_at", "links", "returns"),
}
"""What a notice has of its alert."""


class NoticeRecord(BaseModel):
    """A row of the table `notices`, where the columns are explained."""

    model_config = ConfigDict(frozen=True)
    id: str
    alert_id: str
    kind: NoticeKind
    sender: str
    content: Notice
    status: NoticeStatus
    attempts: int
    error: str
    created_at: datetime
    due_at: datetime
    claimed_until: datetime | None
    sent_at: datetime | None

    @field_validator("created_at", "due_at", "claimed_until", "sent_at")
    @classmethod
    def _in_utc(cls, value: datetime | None) -> datetime | None:
        return aware(value).astimezone(UTC) if value is not None else None

    @property
    def unsent(self) -> bool:
        """It is certain that it never left: nobody sends it now, and nobody died while sending."""
        return self.status == "waiting" and self.claimed_until is None

    @property
    def held(self) -> bool:
        """It only waits for the end of quiet hours, or has until a moment ago."""
        return self.unsent and self.attempts == 0 and self.due_at > self.created_at

    @property
    def arrived(self) -> bool:
        """It was sent, or may have been."""
        return self.status == "sent" or (self.status == "waiting" and not self.unsent)


def tell(connection: Connection, alert: AlertRecord, policy: AlertPolicy, at: datetime) -> int:
    """Write what senders do not know yet of an alert that has fired. Returns how many notices."""
    told = _told(connection, alert.id)
    outbox = _Outbox(connection, alert, policy, at)
    before = outbox.written
    if alert.resolved_at is None:
        for recipient in policy.recipients:
            outbox.firing(recipient, told.get(recipient.sender, []))
    else:
        always = {each.sender for each in policy.recipients if each.always}
        for sender, known in told.items():
            outbox.over(sender, known, always=sender in always)
    return outbox.written - before


def _told(connection: Connection, alert_id: str) -> dict[str, list[NoticeRecord]]:
    """By sender, the oldest first, without what was dropped."""
    rows = connection.execute(
        select(notices)
        .where(notices.c.alert_id == alert_id, notices.c.status != "dropped")
        .order_by(notices.c.created_at, notices.c.id)
    )
    by_sender: dict[str, list[NoticeRecord]] = {}
    for row in rows:
        each = NoticeRecord.model_validate(row._mapping)
        by_sender.setdefault(each.sender, []).append(each)
    return by_sender


def since_recovery(known: Sequence[NoticeRecord]) -> list[NoticeRecord]:
    """What was told of the present trouble."""
    last = max((n for n, each in enumerate(known) if each.kind == "resolved"), default=-1)
    return list(known[last + 1 :])


class _Outbox:
    """Notices of one alert, within a transaction."""

    def __init__(
        self, connection: Connection, alert: AlertRecord, policy: AlertPolicy, at: datetime
    ) -> None:
        self._connection, self._alert = connection, alert
        self._policy, self._at = policy, at
        self.written = 0

    def firing(self, recipient: Recipient, known: list[NoticeRecord]) -> None:
        """It is wrong: is that known, as bad as it is, and not forgotten since?"""
        alert, sender = self._alert, recipient.sender
        if alert.muted(self._at) and not recipient.always:
            return
        if known and known[-1].kind == "resolved" and known[-1].unsent:
            self._drop(known.pop())  # it came back before anybody heard that it was over
        current = since_recovery(known)
        worst = max((rank(each.content.severity) for each in current), default=-1)
        if rank(alert.severity) > worst and rank(alert.severity) >= rank(recipient.least):
            for each in current:
                if each.unsent:
                    self._drop(each)
            self._write("fired", sender, known, always=recipient.always)
        elif current and self._forgotten(current[-1]):
            self._write("reminder", sender, known, always=recipient.always)

    def _forgotten(self, last: NoticeRecord) -> bool:
        """Whether it is critical and was last told of long ago."""
        silent = abs(self._at - last.created_at) >= self._policy.remind_after
        ended = last.status in ("sent", "dead")
        return self._alert.severity == "critical" and ended and silent

    def over(self, sender: str, known: list[NoticeRecord], *, always: bool) -> None:
        """It is right again: whoever heard of the trouble hears of that. Whoever did not hears of
        neither, unless it was critical or there are machines that keep count.
        """
        current = since_recovery(known)
        waiting = [each for each in current if each.unsent]
        worst = max((each.content.severity for each in current), key=rank, default="info")
        if any(each.arrived for each in current):
            for each in waiting:
                self._drop(each)
            self._write("resolved", sender, known, severity=worst, always=always)
        elif waiting and all(each.held for each in waiting):
            for each in waiting:
                self._drop(each)
            self._note_down(sender, waiting[0].due_at)
        elif waiting and (always or worst == "critical"):
            self._write("resolved", sender, known, severity=worst, always=always)
        else:
            for each in waiting:
                self._drop(each)

    def _write(
        self,
        kind: NoticeKind,
        sender: str,
        known: Sequence[NoticeRecord],
        *,
        always: bool,
        severity: str = "",
    ) -> None:
        # the order is that of creation, also where the clock was set back meanwhile
        created = max([self._at, *(each.created_at + TICK for each in known[-1:])])
        content = self._notice(kind, sender, created, severity)
        content = content.model_copy(update={"thread": known[0].id if known else content.id})
        quiet = None if always else self._policy.quiet
        due = quiet.due(content.severity, self._at) if quiet else self._at
        self._insert(content, sender, self._alert.id, created, max(due, self._at))

    def _notice(self, kind: NoticeKind, sender: str, created: datetime, severity: str) -> Notice:
        alert = self._alert
        return Notice(
            id=digest(alert.id, kind, sender, created.isoformat()),
            kind=kind,
            key=alert.key,
            at=self._at,
            project=self._policy.project,
            note=beside(self._connection, sender, self._at),
            **(alert.model_dump(include=SHARED) | ({"severity": severity} if severity else {})),
        )

    def _note_down(self, sender: str, due: datetime) -> None:
        """A line among those that tell, when quiet hours are over, what came and went in them."""
        alert = self._alert
        end = alert.missed_at or alert.resolved_at or self._at
        times = f"{_clock(alert.began_at, self._policy)} to {_clock(end, self._policy)}"
        came = f"{times}: {alert.key}: {alert.message}"
        there = self._connection.execute(
            select(notices).where(
                notices.c.alert_id == HISTORY,
                notices.c.sender == sender,
                notices.c.status == "waiting",
                notices.c.claimed_until.is_(None),
            )
        ).first()
        if there is None:
            content = self._history(sender, due, came)
            self._insert(content, sender, HISTORY, self._at, due)
            return
        content = Notice.model_validate(there.content)
        lines = (*content.lines, came)
        longer = {"lines": lines, "message": f"{len(lines)} alerts {CAME_AND_WENT}"}
        values = content.model_copy(update=longer).model_dump(mode="json")
        self._connection.execute(
            update(notices).where(notices.c.id == there.id).values(content=values)
        )

    def _history(self, sender: str, due: datetime, came: str) -> Notice:
        return Notice(
            id=digest(HISTORY, sender, due.isoformat(), self._at.isoformat()),
            kind="history",
            key=HISTORY,
            rule=HISTORY,
            subject="quiet hours",
            severity="info",
            message=f"1 alert {CAME_AND_WENT}",
            began_at=self._alert.began_at,
            at=self._at,
            project=self._policy.project,
            lines=(came,),
        )

    def _insert(
        self, content: Notice, sender: str, alert_id: str, created: datetime, due: datetime
    ) -> None:
        self.written += 1
        self._connection.execute(
            insert(notices).values(
                id=content.id,
                alert_id=alert_id,
                kind=content.kind,
                sender=sender,
                content=content.model_dump(mode="json"),
                status="waiting",
                attempts=0,
                error="",
                created_at=created,
                due_at=due,
            )
        )

    def _drop(self, notice: NoticeRecord) -> None:
        drop(self._connection, notice.id)


def drop(connection: Connection, notice_id: str) -> None:
    """Nobody needs it any more."""
    connection.execute(update(notices).where(notices.c.id == notice_id).values(status="dropped"))


def beside(connection: Connection, sender: str, at: datetime) -> str:
    """What people should know of the other senders: which of them do not work."""
    failing = connection.execute(
        select(notices.c.sender, notices.c.status, notices.c.created_at)
        .where(
            notices.c.sender != sender,
            notices.c.status == "dead",
            notices.c.created_at > at - SILENT,
        )
        .order_by(notices.c.sender)
    )
    dead: dict[str, int] = {}
    for row in failing:
        dead[row.sender] = dead.get(row.sender, 0) + 1
    told = (f"{count} by {name}" for name, count in dead.items())
    return f"never arrived in the last week: {', '.join(told)}" if dead else ""


def _clock(moment: datetime, policy: AlertPolicy) -> str:
    """The time of the day, where the quiet hours are."""
    from zoneinfo import ZoneInfo

    zone = ZoneInfo(policy.quiet.timezone) if policy.quiet else UTC
    return f"{moment.astimezone(zone):%H:%M}"
