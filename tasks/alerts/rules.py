"""The rules of a config, looked at: thresholds, changes, and what the last monitor found. A rule
that cannot be looked at is unknown, which is neither wrong nor right.
"""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Connection, select

from llmops.tasks.alerts.changes import changed
from llmops.tasks.alerts.condition import Condition, Observation, joined
from llmops.tasks.alerts.findings import found
from llmops.tasks.alerts.measures import shown
from llmops.tasks.alerts.metrics import MetricValue, Values, Window, measured, values
from llmops.tasks.alerts.ruling import AlertRule, TooLittle, lasting
from llmops.tasks.alerts.standing import of_base, of_home
from llmops.tasks.errors import LlmopsError
from llmops.tasks.ledger import Ledger, existing_ledger
from llmops.tasks.ledger.alerting import alerts


def rule_observation(home: Path, rules: Sequence[AlertRule], at: datetime) -> Observation:
    """What the rules say. Never raises: what cannot be computed is unknown, and says why."""
    if not rules:
        return Observation()
    try:
        ledger = existing_ledger(home)
        with ledger.read() as connection:
            open_ = set(
                connection.scalars(select(alerts.c.key).where(alerts.c.resolved_at.is_(None)))
            )
    except LlmopsError as error:
        return Observation(unknown=tuple(each.key for each in rules), problems=(error.message,))
    moment = at.astimezone(UTC)
    return joined([_looked(home, ledger, each, open_, moment) for each in rules])


def _looked(
    home: Path, ledger: Ledger, rule: AlertRule, open_: Collection[str], at: datetime
) -> Observation:
    try:
        condition = _condition(home, ledger, rule, rule.key in open_, at)
    except TooLittle as error:
        told = (f"{rule.key}: {error}",)
        return Observation(unknown=(rule.key,), problems=told, young=told)
    except LlmopsError as error:
        problem = error.message
    except Exception as error:  # noqa: BLE001 - a rule that fails stops no other
        problem = f"unexpected: {type(error).__name__}: {error}"
    else:
        return Observation(conditions=(condition,) if condition else ())
    return Observation(unknown=(rule.key,), problems=(f"{rule.key}: {problem}",))


def _condition(
    home: Path, ledger: Ledger, rule: AlertRule, is_open: bool, at: datetime
) -> Condition | None:
    """Raises TooLittle, LlmopsError."""
    if rule.change is not None:
        return changed(ledger, rule, rule.change, at)
    with ledger.read() as connection:
        if rule.kind.kind == "monitored":
            return found(connection, rule, at)
        if rule.kind.kind == "now":
            return _standing(connection, home, rule, at)
        return _threshold(connection, rule, is_open, at)


def _standing(
    connection: Connection, home: Path, rule: AlertRule, at: datetime
) -> Condition | None:
    if rule.kind.of == "home":
        value = of_home(connection, rule.metric, home, at)
    else:
        value = of_base(connection, rule.metric, rule.knowledge_base, at)
    return _told(rule, value, "") if beyond(rule, value) else None


def _threshold(
    connection: Connection, rule: AlertRule, is_open: bool, at: datetime
) -> Condition | None:
    """An alert begins where chance is excluded, and goes on until the value itself is back: on the
    way down chance alone would let it come and go.
    """
    window = Window(rule.app, at - rule.window, at)
    seen = measured(connection, rule.metric, window)
    if seen.n < rule.at_least or seen.value is None:
        raise TooLittle(f"fewer than {rule.at_least} exchanges in {lasting(rule.window)}")
    if not beyond(rule, seen.value):
        return None
    if rule.sure and not is_open and rule.kind.kind != "sum":
        every = values(connection, rule.metric, window)
        if not surely(rule, every):
            return None
    return _told(rule, seen.value, _over(rule, seen))


def beyond(rule: AlertRule, value: float) -> bool:
    """Whether a value is on the wrong side of a bound."""
    above = rule.above is not None and value > rule.above
    return above or (rule.below is not None and value < rule.below)


def surely(rule: AlertRule, every: Values) -> bool:
    """Whether the whole 95 % interval, by conversations, is beyond a bound."""
    from llmops.tasks.statistics.intervals import mean_interval, share_interval

    if rule.kind.kind == "quantile":
        return _quantile_surely(rule, every)
    of_rates = rule.kind.kind == "share"
    interval = share_interval if of_rates else mean_interval
    low, high = interval(every.values, every.units)
    above = rule.above is not None and low > rule.above
    return above or (rule.below is not None and high < rule.below)


def _quantile_surely(rule: AlertRule, every: Values) -> bool:
    """The 95th percentile is above a bound where more than 5 % of all values are."""
    from llmops.tasks.statistics.intervals import share_interval

    rest = 1 - rule.kind.share
    if rule.above is not None:
        above = [float(value > rule.above) for value in every.values]
        if share_interval(above, every.units)[0] > rest:
            return True
    if rule.below is not None:
        not_below = [float(value >= rule.below) for value in every.values]
        return share_interval(not_below, every.units)[1] < rest
    return False


def _over(rule: AlertRule, seen: MetricValue) -> str:
    return f" over {lasting(rule.window)} ({seen.n:,} exchanges)"


def _told(rule: AlertRule, value: float, over: str) -> Condition:
    unit = rule.kind.unit
    is_above = rule.above is not None and value > rule.above
    bound, side = (rule.above, "above") if is_above else (rule.below, "below")
    of = "" if rule.kind.of == "home" else f" of {rule.subject}"
    said = f"{rule.metric}{of} is {shown(value, unit)}{over}"
    return Condition(
        rule=rule.name,
        subject=rule.subject,
        severity=rule.severity,
        message=f"{said}, {side} {shown(bound or 0.0, unit)}",
        value=value,
    )
