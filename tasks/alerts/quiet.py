"""Hours in which nobody is to be woken."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal, get_args
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict

from llmops.tasks.alerts.condition import Severity

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[Day, ...] = get_args(Day)
SECOND = timedelta(seconds=1)
LONGEST_DAYS = 8  # after which quiet hours that follow on each other are looked at no further


class QuietHours(BaseModel):
    """From one time of the day to another, the next day where that is not later, as the wall clocks
    of `timezone` show it: in the nights of a change of time they are an hour shorter or longer.
    `days`: those that they begin on, 0 is Monday. `excepted`: severities that are told all the
    same.
    """

    model_config = ConfigDict(frozen=True)
    begins: time
    ends: time
    timezone: str = "UTC"
    days: tuple[int, ...] = tuple(range(7))
    excepted: tuple[Severity, ...] = ("critical",)

    def due(self, severity: Severity, at: datetime) -> datetime:
        """When something may be told: now, or at the end of the quiet hours that `at` is in."""
        if severity in self.excepted:
            return at
        due = at
        for begin, end in self._around(at):
            if begin <= due < end:
                due = end  # quiet hours of the next day may begin just then
        return due

    def _around(self, at: datetime) -> Iterator[tuple[datetime, datetime]]:
        """Beginnings and ends, in UTC, from those of yesterday on."""
        today = at.astimezone(ZoneInfo(self.timezone)).date()
        for ahead in range(-1, LONGEST_DAYS):
            day = today + timedelta(days=ahead)
            if day.weekday() in self.days:
                last = day if self.ends > self.begins else day + timedelta(days=1)
                yield self._moment(day, self.begins), self._moment(last, self.ends)

    def _moment(self, day: date, wall: time) -> datetime:
        """When the clocks show a time, or are past it: one that they skip is the moment of the
        jump, one that they show twice the first.
        """
        zone = ZoneInfo(self.timezone)
        local = datetime.combine(day, wall, zone)
        late, early = local.astimezone(UTC), local.replace(fold=1).astimezone(UTC)
        if late <= early:  # shown once, or twice
            return late
        before = early.astimezone(zone).utcoffset()
        while late - early > SECOND:
            middle = early + (late - early) / 2
            if middle.astimezone(zone).utcoffset() == before:
                early = middle
            else:
                late = middle
        return late.replace(microsecond=0)
