"""Silence for a while: of one alert, or of all that a rule finds."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict
from sqlalchemy import ColumnElement, Connection, delete, select, update

from llmops.tasks.alerts.record import AlertRecord, records
from llmops.tasks.errors import UsageError, did_you_mean
from llmops.tasks.ledger import open_ledger, upsert
from llmops.tasks.ledger.alerting import alerts, mutes, notices
from llmops.tasks.ledger.leases import aware
from llmops.tasks.traces.index import parts


class Muted(BaseModel):
    """`name`: a rule, or the key of an alert; `alerts`: those that it silences now."""

    model_config = ConfigDict(frozen=True)
    name: str
    until: datetime
    alerts: tuple[AlertRecord, ...] = ()


@dataclass(frozen=True)
class Mutes:
    """Until when names are silent."""

    until: Mapping[str, datetime]

    @classmethod
    def at(cls, connection: Connection, at: datetime) -> "Mutes":
        """Those that have not ended."""
        rows = connection.execute(select(mutes.c.name, mutes.c.until))
        times = {row.name: aware(row.until).astimezone(UTC) for row in rows}
        return cls({name: until for name, until in times.items() if until > at})

    def of(self, alert: AlertRecord) -> list[datetime]:
        """What concerns an alert: its own silence, and that of its rule."""
        names = (alert.key, alert.rule)
        return [self.until[name] for name in names if name in self.until]


def mute(
    home: Path, name: str, until: datetime, at: datetime, rules: Collection[str] = ()
) -> Muted:
    """Tell nobody until then: of an alert, also where it is over and comes back, or of all that a
    rule finds. What waits to be sent of it is dropped; its end is told when the silence is over.
    `rules`: names that may be silenced though they have found nothing yet. Raises UsageError for
    another name of which there never was an alert.
    """
    with open_ledger(home).write() as connection:
        mine = records(connection, (alerts.c.key == name) | (alerts.c.rule == name))
        if not mine and name.partition("/")[0] not in rules:
            raise _unknown(name, connection, rules)
        connection.execute(delete(mutes).where(mutes.c.until <= at))
        upsert(connection, mutes, [{"name": name, "until": until}])
        latest = {each.key: each for each in reversed(mine)}
        latest |= {each.key: each for each in mine if each.resolved_at is None}
        ids = [each.id for each in latest.values()]
        for some in parts(ids):
            _silence(connection, alerts.c.id.in_(some), notices.c.alert_id.in_(some), until)
    silent = [each.model_copy(update={"muted_until": until}) for each in latest.values()]
    return Muted(
        name=name,
        until=until,
        alerts=tuple(each for each in silent if each.resolved_at is None),
    )


def _silence(
    connection: Connection,
    mine: ColumnElement[bool],
    of_mine: ColumnElement[bool],
    until: datetime,
) -> None:
    connection.execute(update(alerts).where(mine).values(muted_until=until))
    waiting = of_mine & (notices.c.status == "waiting") & notices.c.claimed_until.is_(None)
    begun = waiting & notices.c.kind.in_(("fired", "reminder"))
    connection.execute(update(notices).where(begun).values(status="dropped"))
    over = waiting & (notices.c.kind == "resolved")
    connection.execute(update(notices).where(over).values(due_at=until))


def _unknown(name: str, connection: Connection, rules: Collection[str]) -> UsageError:
    open_ = sorted(connection.scalars(select(alerts.c.key).where(alerts.c.resolved_at.is_(None))))
    near = did_you_mean(name, [*open_, *rules])
    known = f"open are {', '.join(open_)}" if open_ else "no alert is open"
    ruled = f"; rules are {', '.join(sorted(rules))}" if rules else ""
    return UsageError(f"there is no alert and no rule {name!r}", hint=near or f"{known}{ruled}")
