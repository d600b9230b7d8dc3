"""Rules about change: a window that is over is compared with those before it, once, by a test whose
level follows from the false alarms that are allowed in a year.
"""

import json
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, delete, insert, select

from llmops.tasks.alerts.condition import Condition
from llmops.tasks.alerts.measures import shown
from llmops.tasks.alerts.metrics import Values, Window, place_of, values
from llmops.tasks.alerts.ruling import AlertRule, ChangeRule, TooLittle, lasting
from llmops.tasks.ledger import Ledger
from llmops.tasks.ledger.tables import meta
from llmops.tasks.plugins import digest

ANCHOR = datetime(1970, 1, 5, tzinfo=UTC)
"""A Monday: windows of a week begin on Mondays, those of a day at midnight (UTC)."""
YEAR = timedelta(days=365.25)
SETTLES = timedelta(hours=1)
"""After the end of a window: ratings come late. Of shorter windows a tenth of them."""


def changed(ledger: Ledger, rule: AlertRule, change: ChangeRule, at: datetime) -> Condition | None:
    """What the last window that is over says; the same until the next one is, also where another
    process looks. Raises TooLittle.
    """
    end = window_end(rule.window, at)
    key = f"alerts:{digest(rule.name, rule.subject)}"
    stamp = digest(end.isoformat(), rule.model_dump_json())
    with ledger.read() as connection:
        row = connection.scalar(select(meta.c.value).where(meta.c.key == key))
    remembered = json.loads(row) if row else {}
    if remembered.get("of") != stamp:
        with ledger.read() as connection:
            said = _looked(connection, rule, change, end)
        remembered = {"of": stamp, **said}
        with ledger.write() as connection:
            connection.execute(delete(meta).where(meta.c.key == key))
            connection.execute(insert(meta).values(key=key, value=json.dumps(remembered)))
    if remembered.get("little"):
        raise TooLittle(remembered["little"])
    condition = remembered.get("condition")
    return Condition.model_validate(condition) if condition else None


def window_end(window: timedelta, at: datetime) -> datetime:
    """When the last window ended that has settled."""
    settled = at - min(SETTLES, window / 10)
    return ANCHOR + (settled - ANCHOR) // window * window


def _looked(
    connection: Connection, rule: AlertRule, change: ChangeRule, end: datetime
) -> dict[str, object]:
    try:
        condition = compared(connection, rule, change, end)
    except TooLittle as error:
        return {"little": str(error)}
    return {"condition": condition.model_dump(mode="json") if condition else None}


def compared(
    connection: Connection, rule: AlertRule, change: ChangeRule, end: datetime
) -> Condition | None:
    """The window that ended against those before it. Raises TooLittle."""
    from llmops.tasks.statistics.change import change_p, level_per_look

    begin = end - rule.window
    now = values(connection, rule.metric, Window(rule.app, begin, end))
    first = begin - change.than * rule.window
    before = values(connection, rule.metric, Window(rule.app, first, begin))
    least = min(len(now.values), len(before.values))
    if least < rule.at_least:
        raise TooLittle(f"{len(now.values)} and {len(before.values)} exchanges are too few")
    level = level_per_look(change.false_alarms_per_year, YEAR / rule.window)
    tested = _tested(rule, now, before)
    p = change_p(
        tested[1].values,
        tested[1].units,
        tested[0].values,
        tested[0].units,
        change.direction,
        level=level,
    )
    if p is None:
        raise TooLittle("there are too few conversations")
    return _condition(rule, change, now, before, p, level, end) if p <= level else None


def _tested(rule: AlertRule, now: Values, before: Values) -> tuple[Values, Values]:
    """Of a quantile, whether values are above that of both windows together: it is the same for
    every exchange of conversations, so the test stays exact.
    """
    if rule.kind.kind != "quantile":
        return now, before
    bound = _quantile([*now.values, *before.values], rule.kind.share)
    above = [
        Values([float(value > bound) for value in each.values], each.units)
        for each in (now, before)
    ]
    return above[0], above[1]


def _condition(
    rule: AlertRule,
    change: ChangeRule,
    now: Values,
    before: Values,
    p: float,
    level: float,
    end: datetime,
) -> Condition:
    was, became = _value(rule, before.values), _value(rule, now.values)
    verb = "rose" if change.direction == "rises" else "fell"
    windows = f"{lasting(rule.window)} to {end:%Y-%m-%d %H:%M} UTC"
    each = " per exchange" if rule.kind.kind == "sum" else ""
    false = f"{change.false_alarms_per_year:g}"
    return Condition(
        rule=rule.name,
        subject=rule.subject,
        severity=rule.severity,
        message=f"{rule.metric}{each} of {rule.app} {verb} from {shown(was, rule.kind.unit)} to "
        f"{shown(became, rule.kind.unit)} in the {windows} ({len(now.values):,} exchanges against "
        f"{len(before.values):,}; p {p:.2g}, an alert at {level:.2g})",
        hint=f"at most {false} alerts of this rule in a year are expected by chance alone",
        value=became,
        since=end,
    )


def _value(rule: AlertRule, of: list[float]) -> float:
    """What people see of a window."""
    return _quantile(of, rule.kind.share) if rule.kind.kind == "quantile" else sum(of) / len(of)


def _quantile(of: list[float], share: float) -> float:
    return sorted(of)[place_of(share, len(of))]
