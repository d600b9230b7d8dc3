"""What follows from something that is told already is not told as well: a build that failed while
its store was down is the same trouble, not another one.

As inhibition in Prometheus' Alertmanager, with one thing more: a failure belongs to the cause that
was there when it happened, also after that is over.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import select

from llmops.tasks.alerts.condition import Condition, Observation
from llmops.tasks.ledger import existing_ledger
from llmops.tasks.ledger.alerting import alerts
from llmops.tasks.ledger.leases import aware

FLOWS = ("flow-failed", "flow-blocked")
FOLLOWS: Mapping[str, Sequence[str]] = {
    "disk-low": (*FLOWS, "store-down", "tracking-down", "part-down", "ledger-down"),
    "clock": ("flow-late", "flow-missing"),
    "store-down": (*FLOWS, "endpoint-down"),
    "part-down": (*FLOWS, "tracking-down", "flow-late", "flow-missing"),
    "flow-failed": ("source-incomplete", "flow-late", "flow-missing"),
    "flow-blocked": ("source-incomplete", "flow-late", "flow-missing"),
    "flow-late": ("source-incomplete", "flow-missing"),
}
"""Cause -> what it explains, the first before those that it explains."""
SAME = ("flow-failed", "flow-blocked", "flow-late")
"""Causes that explain only what is of the same subject, such as `index/handbook`."""
SERVERS = ("prefect", "mlflow", "worker")
"""Parts that flows need; an application that is down explains no failed build."""
DISK = re.compile(r"\bdisk\b|no space|too large|quota", re.IGNORECASE)
"""What a failure says that a full disk explains: a disk may be nearly full for months."""
SLACK = timedelta(minutes=5)
"""By which a cause may be seen later than what follows from it."""
KEPT = timedelta(days=40)


class Cause(NamedTuple):
    """Something that was told, or is told now; `until`: None while it goes on."""

    rule: str
    subject: str
    since: datetime
    until: datetime | None


def told_causes(home: Path, at: datetime) -> list[Cause]:
    """The alerts of these weeks that explain others. Raises LlmopsError."""
    query = select(alerts).where(
        alerts.c.rule.in_(FOLLOWS),
        alerts.c.resolved_at.is_(None) | (alerts.c.resolved_at > at - KEPT),
    )
    with existing_ledger(home).read() as connection:
        return [
            Cause(
                row.rule,
                row.subject,
                aware(row.began_at),
                aware(row.resolved_at) if row.resolved_at else None,
            )
            for row in connection.execute(query)
        ]


def explained(observation: Observation, told: Iterable[Cause], at: datetime) -> Observation:
    """The same without what follows from something else: where that is an alert already it stays
    as it is, neither told anew nor over.
    """
    seen = observation.conditions
    now = [Cause(each.rule, each.subject, each.since or at, None) for each in seen]
    open_now = {(each.rule, each.subject) for each in now}
    causes = [*now, *(each for each in told if (each.rule, each.subject) not in open_now)]
    kept, left = list[Condition](), list[str]()
    for condition in seen:
        if any(_explains(cause, condition, at) for cause in causes):
            left.append(condition.key)
        else:
            kept.append(condition)
    return observation.model_copy(
        update={"conditions": tuple(kept), "unknown": (*observation.unknown, *left)}
    )


def excused(told: Iterable[Cause], rule: str, message: str, happened: datetime) -> bool:
    """Whether a failure belongs to something that was told, or is."""
    return any(
        rule in FOLLOWS[cause.rule] and cause.rule not in SAME and _fits(cause, message)
        for cause in told
        if cause.since - SLACK <= happened and (cause.until is None or happened <= cause.until)
    )


def _explains(cause: Cause, condition: Condition, at: datetime) -> bool:
    if condition.rule not in FOLLOWS.get(cause.rule, ()) or not _fits(cause, condition.message):
        return False
    if cause.rule in SAME and not _same(cause.subject, condition.subject):
        return False
    if condition.rule not in FLOWS:  # what is looked at now: the cause has to be there now
        return cause.until is None
    happened = condition.since or at
    return cause.since - SLACK <= happened and (cause.until is None or happened <= cause.until)


def _fits(cause: Cause, message: str) -> bool:
    if cause.rule == "disk-low":
        return bool(DISK.search(message))
    return cause.rule != "part-down" or cause.subject in SERVERS


def _same(cause: str, subject: str) -> bool:
    """`index/handbook` explains what is wrong with `handbook`."""
    return subject in (cause, cause.partition("/")[2])
