"""The wall clock against one that nobody sets: a clock that jumps runs schedules twice or not at
all, and makes what was recorded lie about its order.
"""

from datetime import datetime, timedelta

from llmops.tasks.alerts.beats import Beat
from llmops.tasks.alerts.condition import Condition, Observation

JUMP = timedelta(minutes=2)
KEY = ("clock", "machine")
MANY_HOURS = 48


def jump(before: Beat | None, now: Beat) -> timedelta | None:
    """By how much the wall clock moved more than time passed; None where that cannot be told: at
    the first look, and after a start of the machine.
    """
    if before is None or before.uptime is None or now.uptime is None:
        return None
    restarted = before.boot != now.boot or before.host != now.host or now.uptime < before.uptime
    if restarted:
        return None
    return (now.at - before.at) - timedelta(seconds=now.uptime - before.uptime)


def clock_observation(before: Beat | None, now: Beat, server: datetime | None) -> Observation:
    """What is wrong with the clock of this machine. `server`: the time at the Prefect server, by
    whose clock schedules go; None where it is not told.
    """
    rule, subject = KEY
    said = []
    moved = jump(before, now)
    if moved is not None and abs(moved) > JUMP:
        way = "forward" if moved > timedelta(0) else "back"
        said.append(f"the clock of this machine jumped {way} by {lasting(abs(moved))}")
    if server is not None and abs(server - now.at) > JUMP:
        way = "ahead of" if server > now.at else "behind"
        apart = lasting(abs(server - now.at))
        said.append(f"the clock of the Prefect server is {apart} {way} this machine's")
    if not said:
        return Observation()
    return Observation(
        conditions=(
            Condition(
                rule=rule,
                subject=subject,
                severity="warning",
                message="; ".join(said),
                hint="set the clock by NTP; what a schedule missed is caught up by `llmops up`",
                value=moved.total_seconds() if moved is not None else None,
            ),
        )
    )


def lasting(length: timedelta) -> str:
    """As people say it: `40 s`, `12 min`, `3.5 h`, `5 days`."""
    seconds = length.total_seconds()
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    hours = seconds / 3600
    return f"{hours:.1f} h" if hours < MANY_HOURS else f"{hours / 24:.0f} days"
