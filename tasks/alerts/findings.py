"""Rules about what the last monitor of an application found."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from pydantic import BaseModel, ConfigDict, ValidationError
from sqlalchemy import Connection, select

from llmops.tasks.alerts.condition import Condition
from llmops.tasks.alerts.ruling import AlertRule, TooLittle
from llmops.tasks.ledger.leases import aware
from llmops.tasks.ledger.tables import runs
from llmops.tasks.monitoring.figures import Drift, NewTopic

STALE = timedelta(days=15)
"""A monitor looks each week; two weeks without one, and nobody knows."""
AHEAD = timedelta(hours=1)
SHOWN, LATEST = 3, 20


class MonitorFindings(BaseModel):
    """What is read of a monitor's outcome. `until`: the end of the window that it looked at."""

    model_config = ConfigDict(frozen=True)
    until: datetime
    drifts: tuple[Drift, ...] = ()
    new_topics: tuple[NewTopic, ...] = ()
    links: Mapping[str, str] = {}


def found(connection: Connection, rule: AlertRule, at: datetime) -> Condition | None:
    """Raises TooLittle where no monitor looked lately, or where it could not say."""
    outcomes = connection.scalars(
        select(runs.c.outcome)
        .where(runs.c.kb == rule.app, runs.c.outcome["flow"].as_string() == "monitor")
        .order_by(runs.c.finished_at.desc())
        .limit(LATEST)
    )
    read = [each for outcome in outcomes if (each := _read(outcome)) is not None]
    # a window that ends in the future, by a slip or a clock, would hide every other until then
    looked = [each for each in read if aware(each.until) <= at + AHEAD]
    if not looked:
        raise TooLittle(f"no monitor has looked at {rule.app} yet: `llmops monitor` does")
    # somebody may have looked at an earlier window since
    latest = max(looked, key=lambda each: aware(each.until))
    age = at - aware(latest.until)
    if age > STALE:
        raise TooLittle(f"the last monitor of {rule.app} looked {age.days} days ago")
    return _topics(rule, latest) if rule.metric == "new_topics" else _drift(rule, latest)


def _read(outcome: object) -> MonitorFindings | None:
    """None for one that another release wrote, and this one cannot read."""
    try:
        return MonitorFindings.model_validate(outcome)
    except ValidationError:
        return None


def _drift(rule: AlertRule, outcome: MonitorFindings) -> Condition | None:
    what = rule.metric.removeprefix("drift_")
    drift = next((each for each in outcome.drifts if each.what == what), None)
    if drift is None or drift.status == "unknown":
        raise TooLittle(drift.reason if drift and drift.reason else f"{what}: nothing to compare")
    if drift.status == "same":
        return None
    usual = f", usually up to {drift.usual:.3g}" if drift.usual is not None else ""
    distance = f": distance {drift.distance:.3g}{usual}" if drift.distance is not None else ""
    p = f" (p {drift.p:.2g}, an alert at {drift.level:.2g})" if drift.p and drift.level else ""
    message = f"{what} of {rule.app} are unlike those of the windows before{distance}{p}"
    return _condition(rule, outcome, message, drift.distance)


def _topics(rule: AlertRule, outcome: MonitorFindings) -> Condition | None:
    count = len(outcome.new_topics)
    if count <= (rule.above or 0):
        return None
    named = "; ".join(", ".join(each.words[:4]) for each in outcome.new_topics[:SHOWN])
    topics = "a new topic" if count == 1 else f"{count} new topics"
    message = f"people ask {rule.app} about {topics}: {named}"
    return _condition(rule, outcome, message, float(count))


def _condition(
    rule: AlertRule,
    outcome: MonitorFindings,
    message: str,
    value: float | None,
) -> Condition:
    return Condition(
        rule=rule.name,
        subject=rule.subject,
        severity=rule.severity,
        message=message,
        hint="the report of the monitor shows examples, and what to do about them",
        value=value,
        since=aware(outcome.until),
        links=outcome.links,
    )
