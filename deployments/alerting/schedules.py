"""Whether a schedule is kept: decided of facts alone, by configs and the clock, so that it is told
also when the server that should have run it is down.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from llmops.deployments.times import Cron, last_time
from llmops.tasks.alerts.clock import lasting
from llmops.tasks.alerts.condition import Condition

LATE = timedelta(minutes=10)
PERIODS = 2
EARLY = timedelta(minutes=1)
"""By which a run may begin before its time: the clocks of two machines differ."""
HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class ScheduleFacts:
    """What is known of a config with a schedule. `since`: when it got this schedule, None where
    nobody knows, or where it is paused or not deployed; `began`: when a run last did; `good`: when
    one last began that ended well; `running`: one is going on.
    """

    key: str
    when: Cron
    since: datetime | None
    began: datetime | None = None
    good: datetime | None = None
    running: bool = False


def late(facts: ScheduleFacts, at: datetime, after: timedelta = LATE) -> Condition | None:
    """The schedule's time has passed, and nothing began. After PERIODS periods it is critical."""
    slot = last_time(facts.when, at)
    if facts.since is None or slot is None or facts.running:
        return None
    covered = max(facts.since, facts.began or facts.since)
    slack = _change_of_time(slot, facts.when)
    if slot <= covered + EARLY + slack:
        return None
    slots = _since(facts.when, covered + EARLY + slack, slot)
    if at - slots[0] <= after + slack:
        return None
    missed = f", and {len(slots) - 1} more since" if len(slots) > 1 else ""
    return Condition(
        rule="flow-late",
        subject=facts.key,
        severity="critical" if len(slots) > PERIODS else "warning",
        message=f"should have begun at {slots[0]:%Y-%m-%d %H:%M} UTC, "
        f"{lasting(at - slots[0])} ago{missed}",
        hint="does `llmops up` run, with its worker? `llmops status` shows it",
        value=(at - slots[0]).total_seconds(),
        since=slots[0],
    )


def missing(facts: ScheduleFacts, at: datetime, after: timedelta = LATE) -> Condition | None:
    """Nothing has ended well for PERIODS periods, though it began: it hangs, or is cancelled each
    time.
    """
    last = last_time(facts.when, at)
    if facts.since is None or last is None:
        return None
    good = max(facts.since, facts.good or facts.since)
    slots = _since(facts.when, good + EARLY + _change_of_time(last, facts.when), last)
    if len(slots) <= PERIODS or at - slots[PERIODS] <= after:
        return None
    return Condition(
        rule="flow-missing",
        subject=facts.key,
        severity="critical",
        message=f"nothing has ended well since {good:%Y-%m-%d %H:%M} UTC: "
        f"{len(slots)} times of its schedule have passed",
        hint="`llmops status`, and the runs in Prefect's pages: does one hang?",
        value=float(len(slots)),
        since=slots[0],
    )


def _since(when: Cron, after: datetime, last: datetime, most: int = 10) -> list[datetime]:
    """The times after one, up to `last`: the oldest first, the newest `most` of them."""
    slots = [last] if last > after else []
    while slots and len(slots) < most:
        before = last_time(when, slots[-1] - timedelta(seconds=2))
        if before is None or before <= after:
            break
        slots.append(before)
    return slots[::-1]


def _change_of_time(slot: datetime, when: Cron) -> timedelta:
    """An hour where the clocks change about that time: a time that is skipped, or comes twice,
    Prefect and we may put so far apart.
    """
    zone = ZoneInfo(when.timezone)
    before, after = ((slot + sign * 3 * HOUR).astimezone(zone).utcoffset() for sign in (-1, 1))
    return HOUR if before != after else timedelta()
