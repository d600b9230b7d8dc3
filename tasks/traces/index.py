"""Which traces there are, by the ledger: whose, what they cost, whether MLflow has them. Nothing of
what was said stands there.
"""

from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict
from sqlalchemy import Row, Select, case, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from llmops.tasks.audit.people import names
from llmops.tasks.ledger import existing_ledger, now, open_ledger
from llmops.tasks.ledger.application import feedback, traces
from llmops.tasks.ledger.databases import storable
from llmops.tasks.ledger.leases import aware
from llmops.tasks.traces.trace import ANSWERED, COMPARED, Trace

IDS = 500


class TraceRow(BaseModel):
    """A trace as the ledger knows it. `stored_at`: None while it waits, or was not kept."""

    model_config = ConfigDict(frozen=True)
    id: str
    app: str
    conversation: str
    person: str
    key_id: str
    status: str
    cost_usd: float
    tokens: int
    began_at: datetime
    stored_at: datetime | None
    deleted_at: datetime | None


def enter(home: Path, recorded: Sequence[Trace]) -> None:
    """Enter traces; one that is there keeps its marks, and one that was deleted stays so."""
    with open_ledger(home).write() as connection:
        dialect: Any = postgresql if connection.dialect.name == "postgresql" else sqlite
        insert = dialect.insert(traces)
        gone = traces.c.deleted_at.is_not(None)
        changed = {
            "cost_usd": insert.excluded.cost_usd,
            "tokens": insert.excluded.tokens,
            "status": case((gone, traces.c.status), else_=insert.excluded.status),
            "latency_ms": insert.excluded.latency_ms,
        }
        statement = insert.on_conflict_do_update(index_elements=["id"], set_=changed)
        known = set(names(connection, [trace.person for trace in recorded if trace.person]))
        connection.execute(statement, [_values(trace, known) for trace in recorded])


def _values(trace: Trace, known: Collection[str]) -> dict[str, object]:
    """The row of a trace. Somebody who was deleted while they asked is nobody, and the trace has to
    go as well.
    """
    gone = bool(trace.person) and trace.person not in known
    row = {
        "id": trace.id,
        "app": trace.app,
        "conversation": storable(trace.conversation[:64]),
        "person": trace.person,
        "key_id": trace.key_id,
        "status": trace.status,
        "cost_usd": trace.cost_usd,
        "tokens": trace.tokens_in + trace.tokens_out,
        "began_at": moment(trace.began_ns),
        "latency_ms": _latency(trace),
        "deleted_at": now() if gone else None,
    }
    return row | ({"status": "deleting", "person": "", "conversation": ""} if gone else {})


def _latency(trace: Trace) -> float | None:
    return None if trace.status == "open" else max(0.0, (trace.ended_ns - trace.began_ns) / 1e6)


def mark_stored(home: Path, ids: Collection[str]) -> set[str]:
    """MLflow has them. Returns those that were deleted meanwhile: they have to go there, too."""
    with open_ledger(home).write() as connection:
        gone = set[str]()
        for part in parts(ids):
            mine = traces.c.id.in_(part)
            gone |= set(connection.scalars(_gone(part)))
            connection.execute(
                update(traces).where(mine, traces.c.deleted_at.is_(None)).values(stored_at=now())
            )
    return gone


def deleted(home: Path, ids: Collection[str]) -> set[str]:
    """Those of the traces that were deleted: they are not to be written any more."""
    with open_ledger(home).read() as connection:
        return {each for part in parts(ids) for each in connection.scalars(_gone(part))}


def row(home: Path, trace_id: str) -> TraceRow | None:
    with existing_ledger(home).read() as connection:
        found = connection.execute(select(traces).where(traces.c.id == trace_id)).first()
    return row_of(found) if found else None


def of_conversation(home: Path, app: str, conversation: str, person: str) -> list[TraceRow]:
    """The turns of one person's conversation that were not deleted, oldest first."""
    query = (
        select(traces)
        .where(traces.c.app == app, traces.c.conversation == conversation)
        .where(traces.c.person == person, traces.c.deleted_at.is_(None))
        .where(traces.c.status != COMPARED)
        .order_by(traces.c.began_at, traces.c.id)
    )
    with existing_ledger(home).read() as connection:
        return [row_of(found) for found in connection.execute(query)]


class ConversationRow(NamedTuple):
    """A conversation of somebody. `first`: how it began."""

    conversation: str
    first: TraceRow
    last: datetime


def conversations(
    home: Path, app: str, person: str, key_id: str, limit: int
) -> list[ConversationRow]:
    """The latest of one person under one key, newest first."""
    mine = (
        (traces.c.app == app)
        & (traces.c.person == person)
        & (traces.c.key_id == key_id)
        & (traces.c.conversation != "")
        & (traces.c.status != COMPARED)
        & traces.c.deleted_at.is_(None)
    )
    last = func.max(traces.c.began_at).label("last")
    latest = (
        select(traces.c.conversation, func.min(traces.c.began_at).label("began"), last)
        .where(mine)
        .group_by(traces.c.conversation)
        .order_by(last.desc(), traces.c.conversation)
        .limit(limit)
        .subquery()
    )
    same = (traces.c.conversation == latest.c.conversation) & (traces.c.began_at == latest.c.began)
    query = select(traces, latest.c.last).join(latest, same).where(mine)
    found: dict[str, ConversationRow] = {}
    with existing_ledger(home).read() as connection:
        for row in connection.execute(query.order_by(latest.c.last.desc(), traces.c.id)):
            name = row.conversation
            found.setdefault(name, ConversationRow(name, row_of(row), aware(row.last)))
    return list(found.values())


class FeedbackRow(BaseModel):
    """What somebody said of a trace. `rating` None: it was withdrawn."""

    model_config = ConfigDict(frozen=True)
    trace_id: str
    person: str
    rating: str | None
    comment: str
    correction: str
    key_id: str
    updated_at: datetime


def unrated(home: Path, app: str, limit: int = 50) -> list[FeedbackRow]:
    """Feedback that MLflow does not have yet, on traces that it has."""
    stored = (traces.c.app == app) & traces.c.stored_at.is_not(None) & traces.c.deleted_at.is_(None)
    query = (
        select(feedback)
        .join(traces, traces.c.id == feedback.c.trace_id)
        .where(stored, feedback.c.stored_at.is_(None))
        .order_by(feedback.c.updated_at)
        .limit(limit)
    )
    with open_ledger(home).read() as connection:
        return [_feedback_of(each) for each in connection.execute(query)]


def feedback_on(home: Path, trace_id: str) -> list[FeedbackRow]:
    """What was said of a trace, whether MLflow has it or not, oldest first."""
    query = select(feedback).where(feedback.c.trace_id == trace_id)
    with existing_ledger(home).read() as connection:
        rows = connection.execute(query.order_by(feedback.c.created_at)).all()
    return [_feedback_of(each) for each in rows]


def _feedback_of(found: Row[Any]) -> FeedbackRow:
    values = dict(found._mapping) | {"updated_at": aware(found.updated_at)}
    return FeedbackRow.model_validate(values)


def mark_rated(home: Path, row: FeedbackRow) -> None:
    """MLflow has it, unless it was changed meanwhile."""
    with open_ledger(home).write() as connection:
        mine = (feedback.c.trace_id == row.trace_id) & (feedback.c.person == row.person)
        same = feedback.c.updated_at == row.updated_at
        connection.execute(update(feedback).where(mine, same).values(stored_at=now()))


def listed(
    home: Path, app: str | None = None, limit: int = 20, since: datetime | None = None
) -> list[TraceRow]:
    """The newest, newest first."""
    query = select(traces).order_by(traces.c.began_at.desc(), traces.c.id).limit(limit)
    query = query.where(traces.c.app == app) if app else query
    query = query.where(traces.c.began_at >= since) if since else query
    with existing_ledger(home).read() as connection:
        return [row_of(found) for found in connection.execute(query)]


def answered(home: Path, app: str, limit: int, offset: int = 0) -> list[TraceRow]:
    """The newest of an application whose answer went to whoever asked, newest first."""
    query = (
        select(traces)
        .where(traces.c.app == app, traces.c.deleted_at.is_(None), traces.c.status.in_(ANSWERED))
        .order_by(traces.c.began_at.desc(), traces.c.id)
        .limit(limit)
        .offset(offset)
    )
    with existing_ledger(home).read() as connection:
        return [row_of(found) for found in connection.execute(query)]


def known_apps(home: Path) -> list[str]:
    """The applications that have answered in this home, by name."""
    with existing_ledger(home).read() as connection:
        return list(connection.scalars(select(traces.c.app).distinct().order_by(traces.c.app)))


def row_of(found: Row[Any]) -> TraceRow:
    values = dict(found._mapping)
    times = ("began_at", "stored_at", "deleted_at")
    return TraceRow.model_validate(
        values | {name: aware(values[name]) for name in times if values[name] is not None}
    )


def moment(nanoseconds: int) -> datetime:
    return datetime.fromtimestamp(nanoseconds / 1e9, UTC)


def parts(ids: Collection[str]) -> Iterator[list[str]]:
    """As many at a time as a statement takes."""
    ordered = sorted(ids)
    for start in range(0, len(ordered), IDS):
        yield ordered[start : start + IDS]


def _gone(ids: Sequence[str]) -> Select[tuple[str]]:
    return select(traces.c.id).where(traces.c.id.in_(ids), traces.c.deleted_at.is_not(None))
