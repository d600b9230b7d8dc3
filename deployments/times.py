"""When a schedule comes to pass: as a cron for Prefect, and the last and next time, also over the
changes of daylight saving.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from cronsim import CronSim

from llmops.configs.section import Schedule

HOUR = timedelta(hours=1)
NAMED = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}


class Cron(NamedTuple):
    """A cron as Prefect is told it."""

    cron: str
    timezone: str


def cron_for(schedule: Schedule) -> Cron:
    """What of every hour is meant goes by UTC, where the zone's clock differs from it by whole
    hours: by the local clock Prefect leaves out the hour that comes twice in autumn.
    """
    cron = plain(schedule.cron)
    if _hourly(cron) and _whole_hours(schedule.timezone):
        return Cron(cron, "UTC")
    return Cron(cron, schedule.timezone)


def plain(cron: str) -> str:
    """Five fields, also of a name such as @daily."""
    return NAMED.get(cron.strip(), " ".join(cron.split())).replace("?", "*")


def last_time(when: Cron, now: datetime) -> datetime | None:
    """The last time at or before `now`, in UTC; None where there was none for decades."""
    return next(_times(when, now + timedelta(seconds=1), reverse=True), None)


def next_time(when: Cron, now: datetime) -> datetime | None:
    """The next time after `now`, in UTC; None where there will be none for decades."""
    return next(_times(when, now, reverse=False), None)


def _times(when: Cron, now: datetime, *, reverse: bool) -> Iterator[datetime]:
    zone = ZoneInfo(when.timezone)
    for found in CronSim(when.cron.upper(), now.astimezone(zone), reverse=reverse):
        yield found.astimezone(UTC)


def _hourly(cron: str) -> bool:
    """Whether every hour of every day is meant, however that is written: `*`, `*/1`, `0-23`."""
    read = CronSim(cron.upper(), datetime.now(UTC))
    days = {day % 7 for day in read.weekdays if isinstance(day, int)}
    return (
        read.hours >= set(range(24))
        and read.days >= set(range(1, 32))
        and read.months >= set(range(1, 13))
        and days == set(range(7))
    )


def _whole_hours(timezone: str) -> bool:
    """Whether the zone's clock differs from UTC by whole hours, in each month around now."""
    zone, now = ZoneInfo(timezone), datetime.now(UTC)
    moments = [now + timedelta(days=30 * month) for month in range(-12, 25)]
    return all((at.astimezone(zone).utcoffset() or HOUR) % HOUR == timedelta() for at in moments)
