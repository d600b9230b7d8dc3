"""What an application did in a window of time, from the ledger: cheap enough to be asked each
minute.

Exchanges are traces that began in the window, whose request has ended, and that were not deleted;
trials of several models on one question are none.
"""

import math
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, FromClause, and_, case, func, select

from llmops.tasks.alerts.measures import SCORE, measure_kind
from llmops.tasks.ledger.application import feedback, live_scores, traces
from llmops.tasks.traces.trace import ANSWERED, COMPARED

OPEN = "open"
"""The status of a trace whose request has not ended."""


class Window(NamedTuple):
    """The exchanges of an application that began at or after `since` and before `until` (UTC)."""

    app: str
    since: datetime
    until: datetime


class MetricValue(NamedTuple):
    """`value`: None where there is nothing to measure; `n`: exchanges that it is of."""

    value: float | None
    n: int


class Values(NamedTuple):
    """A value for each exchange, and the conversation (or person) that it belongs to."""

    values: list[float]
    units: list[str]


class _MetricQuestion(NamedTuple):
    """What is asked of the ledger: a value for each row of `rows` where `wanted`."""

    rows: FromClause
    value: ColumnElement[float]
    wanted: ColumnElement[bool]


def measured(connection: Connection, metric: str, window: Window) -> MetricValue:
    """A metric of an application over a window."""
    asked, kind = _question(metric, window), measure_kind(metric)
    query = select(func.count(), func.sum(asked.value)).select_from(asked.rows).where(asked.wanted)
    count, total = connection.execute(query).one()
    if kind is not None and kind.kind == "sum":
        return MetricValue(float(total or 0.0), count)
    if not count:
        return MetricValue(None, 0)
    if kind is not None and kind.kind == "quantile":
        place = place_of(kind.share, count)
        ordered = select(asked.value).select_from(asked.rows).where(asked.wanted)
        ordered = ordered.order_by(asked.value).offset(place).limit(1)
        return MetricValue(float(connection.execute(ordered).scalar_one()), count)
    return MetricValue(float(total or 0.0) / count, count)


def place_of(share: float, count: int) -> int:
    """Where, from 0 on, the smallest of so many values is that a share of them do not exceed."""
    return min(count - 1, max(0, math.ceil(share * count - 1e-9) - 1))


def values(connection: Connection, metric: str, window: Window) -> Values:
    """The same for each exchange, such as 1 for an error and 0 for none."""
    asked = _question(metric, window)
    unit = case(
        (traces.c.conversation != "", traces.c.conversation),
        (traces.c.person != "", traces.c.person),
        else_=traces.c.id,
    )
    query = select(asked.value, unit).select_from(asked.rows).where(asked.wanted)
    rows = connection.execute(query.order_by(traces.c.began_at, traces.c.id)).all()
    return Values([float(row[0]) for row in rows], [row[1] for row in rows])


def _question(metric: str, window: Window) -> _MetricQuestion:
    there = _exchanges(window)
    if metric.startswith(SCORE):
        return _scored(metric.removeprefix(SCORE), there)
    return QUESTIONS[metric](there)


def _exchanges(window: Window) -> ColumnElement[bool]:
    return and_(
        traces.c.app == window.app,
        traces.c.began_at >= window.since,
        traces.c.began_at < window.until,
        traces.c.deleted_at.is_(None),
        traces.c.status.not_in((OPEN, COMPARED)),
    )


def _of(value: ColumnElement[float], *wanted: ColumnElement[bool]) -> _MetricQuestion:
    return _MetricQuestion(traces, value, and_(*wanted))


def _yes(question: ColumnElement[bool]) -> ColumnElement[float]:
    return case((question, 1.0), else_=0.0)


def _ratings() -> FromClause:
    """Of each rated exchange, whether anybody said `down`."""
    down = func.max(_yes(feedback.c.rating == "down")).label("down")
    rated = feedback.c.rating.is_not(None)
    return select(feedback.c.trace_id, down).where(rated).group_by(feedback.c.trace_id).subquery()


def _down(there: ColumnElement[bool]) -> _MetricQuestion:
    ratings = _ratings()
    return _MetricQuestion(
        traces.join(ratings, ratings.c.trace_id == traces.c.id), ratings.c.down, there
    )


def _rated(there: ColumnElement[bool]) -> _MetricQuestion:
    ratings = _ratings()
    joined = traces.outerjoin(ratings, ratings.c.trace_id == traces.c.id)
    answered = traces.c.status.in_(ANSWERED)
    return _MetricQuestion(joined, _yes(ratings.c.down.is_not(None)), there & answered)


def _scored(metric: str, there: ColumnElement[bool]) -> _MetricQuestion:
    on = (live_scores.c.trace_id == traces.c.id) & (live_scores.c.metric == metric)
    known = live_scores.c.value.is_not(None)
    return _MetricQuestion(traces.join(live_scores, on), live_scores.c.value, there & known)


def _latency(there: ColumnElement[bool]) -> _MetricQuestion:
    return _of(traces.c.latency_ms, there, traces.c.latency_ms.is_not(None))


QUESTIONS: Mapping[str, Callable[[ColumnElement[bool]], _MetricQuestion]] = {
    "requests": lambda there: _of(_yes(traces.c.id.is_not(None)), there),
    "cost_usd": lambda there: _of(traces.c.cost_usd, there),
    "tokens": lambda there: _MetricQuestion(traces, traces.c.tokens * 1.0, there),
    "error_rate": lambda there: _of(_yes(traces.c.status == "error"), there),
    "refusal_rate": lambda there: _of(
        _yes(traces.c.status == "refused"), there, traces.c.status.in_(ANSWERED)
    ),
    "down_rate": _down,
    "rated_share": _rated,
    "latency_p50_ms": _latency,
    "latency_p95_ms": _latency,
}
