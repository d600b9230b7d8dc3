"""From what a look found to alerts: which begin, go on, come back and are over.

Durations are counted, not read off the clock: between two looks at most two periods pass, however
far the clock jumped, so a jump alone neither fires nor resolves anything.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import BaseModel, ConfigDict
from sqlalchemy import Connection, delete, func, select

from llmops.tasks.alerts.condition import Condition, Observation, is_unknown
from llmops.tasks.alerts.muting import Mutes
from llmops.tasks.alerts.policy import NOTHING, AlertPolicy, rank
from llmops.tasks.alerts.record import AlertRecord, begun, records, said, save
from llmops.tasks.alerts.telling import tell
from llmops.tasks.ledger import Ledger, existing_ledger, open_ledger
from llmops.tasks.ledger.alerting import alerts
from llmops.tasks.traces.index import parts

ABANDONED_LOOKS = 10  # that the owner of an alert missed, after which it is whoever's sees to it


class Taken(BaseModel):
    """What a look changed. `fired`: alerts that began or came back; `resolved`: that are over;
    `notices`: how many were written.
    """

    model_config = ConfigDict(frozen=True)
    fired: tuple[AlertRecord, ...] = ()
    resolved: tuple[AlertRecord, ...] = ()
    notices: int = 0


def take(home: Path, observation: Observation, policy: AlertPolicy, at: datetime) -> Taken:
    """Bring the alerts of a home up to what a look found at a time, and write down who is to be
    told of it: in one transaction, so that of several that look at once one tells. Raises
    Unavailable and Damaged where the ledger cannot be used.
    """
    if not observation.conditions and not _any_open(existing_ledger(home)):
        return Taken()
    with open_ledger(home).write() as connection:
        return _Look(connection, policy, at.astimezone(UTC)).take(observation)


def _any_open(ledger: Ledger) -> bool:
    """Asked without waiting for a writer: most looks find nothing, and nothing is open."""
    with ledger.read() as connection:
        some = select(alerts.c.id).where(alerts.c.resolved_at.is_(None)).limit(1)
        return connection.scalar(some) is not None


class _Look:
    """One look, within its transaction."""

    def __init__(self, connection: Connection, policy: AlertPolicy, at: datetime) -> None:
        self._connection, self._policy, self._at = connection, policy, at
        self._fired: list[AlertRecord] = []
        self._resolved: list[AlertRecord] = []
        self._forgotten: list[str] = []
        self._before: dict[str, AlertRecord] = {}
        self._mutes = Mutes.at(connection, at)

    def take(self, observation: Observation) -> Taken:
        rows = {
            each.key: each for each in records(self._connection, alerts.c.resolved_at.is_(None))
        }
        seen = strongest(observation.conditions)
        young = [key for key in seen if key not in rows or rows[key].fired_at is None]
        self._before = _latest(self._connection, young)
        now = [self._seen(rows.get(key), condition) for key, condition in seen.items()]
        gone = [
            self._missed(row)
            for key, row in rows.items()
            if key not in seen and not is_unknown(key, observation.unknown) and self._ours(row)
        ]
        changed = [*now, *(each for each in gone if each is not None)]
        for ids in parts(self._forgotten):
            self._connection.execute(delete(alerts).where(alerts.c.id.in_(ids)))
        save(self._connection, changed)
        # what nobody could look at goes on: it is told to whoever is new, or after a mute
        touched = {each.key for each in changed}
        untouched = [row for key, row in rows.items() if key not in touched]
        told = [each for each in [*changed, *untouched] if each.fired_at is not None]
        notices = tell(self._connection, told, self._policy, self._at)
        return Taken(fired=tuple(self._fired), resolved=tuple(self._resolved), notices=notices)

    def _ours(self, row: AlertRecord) -> bool:
        """Whether this look would have seen it, if it were still there."""
        abandoned = abs(self._at - row.looked_at) > ABANDONED_LOOKS * self._policy.every
        return row.owner == self._policy.owner or abandoned

    def _passed(self, row: AlertRecord) -> timedelta:
        """Since the last look."""
        return min(max(self._at - row.looked_at, NOTHING), 2 * self._policy.every)

    def _seen(self, row: AlertRecord | None, condition: Condition) -> AlertRecord:
        if row is None:
            row = self._first(condition)
        else:
            lasted = row.lasted_seconds + self._passed(row).total_seconds()
            row = row.model_copy(
                update={
                    **said(condition),
                    "looks": row.looks + 1,
                    "lasted_seconds": lasted if row.missed_at is None else 0.0,
                    "seen_at": max(self._at, row.seen_at),
                    "looked_at": self._at,
                    "missed_at": None,
                }
            )
        wanted = self._policy.after.get(condition.rule, NOTHING)
        if row.fired_at is None and row.lasted_seconds >= wanted.total_seconds():
            row = self._fire(row)
        return row

    def _first(self, condition: Condition) -> AlertRecord:
        row = begun(condition, self._policy.owner, self._at)
        before = self._before.get(row.key)
        muted = [before.muted_until] if before is not None and before.muted_until else []
        until = max([*muted, *self._mutes.of(row)], default=self._at)
        return row.model_copy(update={"muted_until": until}) if until > self._at else row

    def _fire(self, row: AlertRecord) -> AlertRecord:
        """It counts from now on: as a new alert, or as the one that it was a moment ago."""
        before = self._before.get(row.key)
        row = row.model_copy(update={"fired_at": max(self._at, row.began_at)})
        if before is not None and self._soon_after(before):
            self._forgotten.append(row.id)
            row = row.model_copy(
                update={
                    "id": before.id,
                    "looks": before.looks + row.looks,
                    "returns": before.returns + 1,
                    "began_at": before.began_at,
                    "fired_at": before.fired_at,
                }
            )
        self._fired.append(row)
        return row

    def _soon_after(self, before: AlertRecord) -> bool:
        over = before.resolved_at
        return over is not None and abs(self._at - over) <= self._policy.flap_window

    def _missed(self, row: AlertRecord) -> AlertRecord | None:
        """One that is no longer seen; None where it was but a moment's, which nobody remembers."""
        if row.fired_at is None:
            self._forgotten.append(row.id)
            return None
        passed = self._passed(row).total_seconds()
        lasted = row.lasted_seconds + passed if row.missed_at is not None else 0.0
        row = row.model_copy(
            update={
                "owner": self._policy.owner,
                "missed_at": row.missed_at or max(self._at, row.seen_at),
                "lasted_seconds": lasted,
                "looked_at": self._at,
            }
        )
        if lasted < self._clears_after(row).total_seconds():
            return row
        row = row.model_copy(update={"resolved_at": max(self._at, row.seen_at)})
        self._resolved.append(row)
        return row

    def _clears_after(self, row: AlertRecord) -> timedelta:
        """Two looks of two who look at once are one; what came and went stays away for long."""
        least = max(self._policy.clears_after, self._policy.every / 2)
        return max(least, self._policy.flap_window) if row.returns else least


def _latest(connection: Connection, keys: Sequence[str]) -> dict[str, AlertRecord]:
    """The alert of each key that was over last, where there was one."""
    latest: dict[str, AlertRecord] = {}
    for some in parts(keys):
        last = (
            select(alerts.c.key, func.max(alerts.c.resolved_at).label("at"))
            .where(alerts.c.key.in_(some), alerts.c.resolved_at.is_not(None))
            .group_by(alerts.c.key)
            .subquery()
        )
        mine = select(alerts.c.id).join(
            last, (alerts.c.key == last.c.key) & (alerts.c.resolved_at == last.c.at)
        )
        latest |= {each.key: each for each in records(connection, alerts.c.id.in_(mine))}
    return latest


def strongest(conditions: Iterable[Condition]) -> dict[str, Condition]:
    """By key; where several say the same, the most severe."""
    by_key: dict[str, Condition] = {}
    for condition in conditions:
        there = by_key.get(condition.key)
        if there is None or rank(condition.severity) > rank(there.severity):
            by_key[condition.key] = condition
    return by_key
