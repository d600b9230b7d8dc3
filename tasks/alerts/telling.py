"""What is to be said, to whom and when: what each sender was told of an alert is compared with what
it should know, and the difference is written into the outbox, in the transaction of the alert's
change.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, field_validator
from sqlalchemy import Connection, insert, select, update

from llmops.tasks.alerts.policy import AlertPolicy, Recipient, rank
from llmops.tasks.alerts.record import AlertRecord
from llmops.tasks.ledger.alerting import notices
from llmops.tasks.ledger.leases import aware
from llmops.tasks.plugins import digest
from llmops.tasks.plugins.senders import Notice, NoticeKind
from llmops.tasks.traces.index import parts

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


def tell(
    connection: Connection, alerts: Sequence[AlertRecord], policy: AlertPolicy, at: datetime
) -> int:
    """Write what senders do not know yet of alerts that have fired: the same number of queries for
    one as for thousands. Returns how many notices.
    """
    told = _told(connection, [each.id for each in alerts])
    outbox = _Outbox(connection, policy, at)
    always = {each.sender for each in policy.recipients if each.always}
    for alert in alerts:
        known_by = told.get(alert.id, {})
        if alert.resolved_at is None:
            for recipient in policy.recipients:
                outbox.firing(alert, recipient, known_by.get(recipient.sender, []))
        else:
            for sender, known in known_by.items():
                outbox.over(alert, sender, known, always=sender in always)
    return outbox.write()


def _told(
    connection: Connection, alert_ids: Sequence[str]
) -> dict[str, dict[str, list[NoticeRecord]]]:
    """By alert and sender, the oldest first, without what was dropped."""
    by_alert: dict[str, dict[str, list[NoticeRecord]]] = {}
    for part in parts(alert_ids):
        rows = connection.execute(
            select(notices)
            .where(notices.c.alert_id.in_(part), notices.c.status != "dropped")
            .order_by(notices.c.created_at, notices.c.id)
        )
        for row in rows:
            each = NoticeRecord.model_validate(row._mapping)
            by_alert.setdefault(each.alert_id, {}).setdefault(each.sender, []).append(each)
    return by_alert


def since_recovery(known: Sequence[NoticeRecord]) -> list[NoticeRecord]:
    """What was told of the present trouble."""
    last = max((n for n, each in enumerate(known) if each.kind == "resolved"), default=-1)
    return list(known[last + 1 :])


class CameAndWent(NamedTuple):
    """An alert of which nobody heard in quiet hours, which end at `due_at`."""

    alert: AlertRecord
    due_at: datetime


class _Outbox:
    """Notices of one look, within its transaction: collected, and written together."""

    def __init__(self, connection: Connection, policy: AlertPolicy, at: datetime) -> None:
        self._connection, self._policy, self._at = connection, policy, at
        self._rows: list[dict[str, object]] = []
        self._dropped: list[str] = []
        self._came_and_went: dict[str, list[CameAndWent]] = {}
        self._notes: dict[str, str] = {}

    def firing(self, alert: AlertRecord, recipient: Recipient, known: list[NoticeRecord]) -> None:
        """It is wrong: is that known, as bad as it is, and not forgotten since?"""
        if alert.muted(self._at) and not recipient.always:
            return
        if known and known[-1].kind == "resolved" and known[-1].unsent:
            self._drop([known.pop()])  # it came back before anybody heard that it was over
        current = since_recovery(known)
        worst = max((rank(each.content.severity) for each in current), default=-1)
        if rank(alert.severity) > worst and rank(alert.severity) >= rank(recipient.least):
            self._drop(current)
            self._tell("fired", alert, recipient.sender, known, always=recipient.always)
        elif current and self._forgotten(alert, current[-1]):
            self._tell("reminder", alert, recipient.sender, known, always=recipient.always)

    def _forgotten(self, alert: AlertRecord, last: NoticeRecord) -> bool:
        """Whether it is critical and was last told of long ago."""
        silent = abs(self._at - last.created_at) >= self._policy.remind_after
        return alert.severity == "critical" and last.status in ("sent", "dead") and silent

    def over(
        self, alert: AlertRecord, sender: str, known: list[NoticeRecord], *, always: bool
    ) -> None:
        """It is right again: whoever heard of the trouble hears of that. Whoever did not hears of
        neither, unless it was critical or there are machines that keep count.
        """
        current = since_recovery(known)
        waiting = [each for each in current if each.unsent]
        worst = max((each.content.severity for each in current), key=rank, default="info")
        if any(each.arrived for each in current):
            self._drop(waiting)
            self._tell("resolved", alert, sender, known, severity=worst, always=always)
        elif waiting and all(each.held for each in waiting):
            self._drop(waiting)
            came = CameAndWent(alert, waiting[0].due_at)
            self._came_and_went.setdefault(sender, []).append(came)
        elif waiting and (always or worst == "critical"):
            self._tell("resolved", alert, sender, known, severity=worst, always=always)
        else:
            self._drop(waiting)

    def _tell(
        self,
        kind: NoticeKind,
        alert: AlertRecord,
        sender: str,
        known: Sequence[NoticeRecord],
        *,
        always: bool,
        severity: str = "",
    ) -> None:
        # the order is that of creation, also where the clock was set back meanwhile
        created = max([self._at, *(each.created_at + TICK for each in known[-1:])])
        content = self._notice(kind, alert, sender, created, severity)
        content = content.model_copy(update={"thread": known[0].id if known else content.id})
        due = self._at
        if not always and self._policy.quiet:
            due = self._policy.quiet.due(content.severity, due)
        if not always and alert.muted(self._at):
            due = max(due, alert.muted_until or due)
        self._rows.append(_row(content, sender, alert.id, created, due))

    def _notice(
        self, kind: NoticeKind, alert: AlertRecord, sender: str, created: datetime, severity: str
    ) -> Notice:
        if sender not in self._notes:
            self._notes[sender] = beside(self._connection, sender, self._at)
        return Notice(
            id=digest(alert.id, kind, sender, created.isoformat()),
            kind=kind,
            key=alert.key,
            at=self._at,
            project=self._policy.project,
            note=self._notes[sender],
            **(alert.model_dump(include=SHARED) | ({"severity": severity} if severity else {})),
        )

    def _drop(self, unneeded: Sequence[NoticeRecord]) -> None:
        self._dropped += [each.id for each in unneeded if each.unsent]

    def write(self) -> int:
        """What was collected. Returns how many notices are new."""
        for part in parts(self._dropped):
            self._connection.execute(
                update(notices).where(notices.c.id.in_(part)).values(status="dropped")
            )
        for sender, came in self._came_and_went.items():
            self._note_down(sender, came)
        if self._rows:
            self._connection.execute(insert(notices), self._rows)
        return len(self._rows)

    def _note_down(self, sender: str, came: Sequence[CameAndWent]) -> None:
        """Lines among those that tell, when quiet hours are over, what came and went in them."""
        lines = tuple(self._line(each.alert) for each in came)
        there = self._connection.execute(
            select(notices).where(
                notices.c.alert_id == HISTORY,
                notices.c.sender == sender,
                notices.c.status == "waiting",
                notices.c.claimed_until.is_(None),
            )
        ).first()
        if there is None:
            content = self._history(sender, came[0], lines)
            self._rows.append(_row(content, sender, HISTORY, self._at, came[0].due_at))
            return
        content = Notice.model_validate(there.content)
        all_lines = (*content.lines, *lines)
        longer = {"lines": all_lines, "message": _came_and_went(len(all_lines))}
        values = content.model_copy(update=longer).model_dump(mode="json")
        self._connection.execute(
            update(notices).where(notices.c.id == there.id).values(content=values)
        )

    def _line(self, alert: AlertRecord) -> str:
        end = alert.missed_at or alert.resolved_at or self._at
        times = f"{_clock(alert.began_at, self._policy)} to {_clock(end, self._policy)}"
        return f"{times}: {alert.key}: {alert.message}"

    def _history(self, sender: str, first: CameAndWent, lines: tuple[str, ...]) -> Notice:
        return Notice(
            id=digest(HISTORY, sender, first.due_at.isoformat(), self._at.isoformat()),
            kind="history",
            key=HISTORY,
            rule=HISTORY,
            subject="quiet hours",
            severity="info",
            began_at=first.alert.began_at,
            at=self._at,
            project=self._policy.project,
            message=_came_and_went(len(lines)),
            lines=lines,
        )


def _came_and_went(count: int) -> str:
    return f"{count:,} alert{'s' if count > 1 else ''} {CAME_AND_WENT}"


def _row(
    content: Notice, sender: str, alert_id: str, created: datetime, due: datetime
) -> dict[str, object]:
    return {
        "id": content.id,
        "alert_id": alert_id,
        "kind": content.kind,
        "sender": sender,
        "content": content.model_dump(mode="json"),
        "status": "waiting",
        "attempts": 0,
        "error": "",
        "created_at": created,
        "due_at": due,
    }


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
