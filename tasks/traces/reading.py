"""Reading traces back, wherever they are: in the spool while they wait, then in MLflow."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from llmops.tasks.errors import UsageError
from llmops.tasks.traces import feedback, index, spool
from llmops.tasks.traces.records import as_trace
from llmops.tasks.traces.trace import Trace
from llmops.tasks.tracking.trace_records import Rating
from llmops.tasks.tracking.traces import trace_store

NEWEST = 50


class ConversationTurn(BaseModel):
    """A question of a conversation and its answer."""

    model_config = ConfigDict(frozen=True)
    trace_id: str
    question: str
    answer: str
    status: str
    at: datetime


def trace(home: Path, trace_id: str) -> Trace:
    """A trace, from the spool while it waits there, else from MLflow. Raises UsageError for one
    that is unknown, was deleted or not kept, Unavailable where MLflow does not answer.
    """
    return _found(home, trace_id)[0]


def rated(home: Path, trace_id: str) -> tuple[Trace, Sequence[Rating]]:
    """A trace and what was said of it, also before MLflow has either. Raises as `trace` does."""
    found, stored = _found(home, trace_id)
    return found, feedback.given(home, trace_id, stored)


def questions(home: Path, rows: Sequence[index.TraceRow]) -> dict[str, str]:
    """What was asked, by the ids of traces of which that was kept: masked, and where MLflow has it
    cut to 1,000 characters. Raises Unavailable where MLflow does not answer and has some.
    """
    kept = [row for row in rows if row.deleted_at is None]
    unstored = {row.id for row in kept if row.stored_at is None}
    texts = {key: each.question for key, each in spool.waiting_among(home, unstored).items()}
    if stored := [row.id for row in kept if row.id not in unstored]:
        with trace_store(home) as store:
            texts |= store.questions(stored)
    return texts


def conversation(
    home: Path, app: str, conversation_id: str, person: str, most: int = NEWEST
) -> list[ConversationTurn]:
    """The newest turns of one person's conversation, oldest first: nothing of anybody else's. What
    was deleted, or not kept, is not among them. Raises Unavailable where MLflow does not answer and
    some turns are there alone.
    """
    rows = index.of_conversation(home, app, conversation_id, person)[-most:]
    texts = several(home, rows)
    return [
        ConversationTurn(
            trace_id=row.id,
            question=texts[row.id].question,
            answer=texts[row.id].answer,
            status=row.status,
            at=row.began_at,
        )
        for row in rows
        if row.id in texts
    ]


def several(home: Path, rows: Sequence[index.TraceRow]) -> dict[str, Trace]:
    """Those of the traces that were kept, by their ids. Raises Unavailable where MLflow does not
    answer and some are there alone.
    """
    texts = spool.waiting_among(home, [row.id for row in rows])
    return texts | _stored(home, [row.id for row in rows if row.stored_at and row.id not in texts])


def many(home: Path, ids: Sequence[str]) -> dict[str, Trace]:
    """Those of the traces that are anywhere, by id: in the spool, else in MLflow. Raises
    Unavailable where MLflow does not answer.
    """
    texts = spool.waiting_among(home, ids)
    return texts | _stored(home, [each for each in ids if each not in texts])


def _stored(home: Path, ids: Sequence[str]) -> dict[str, Trace]:
    if not ids:
        return {}
    with trace_store(home) as store:
        return {key: as_trace(record) for key, record in store.read(ids).items()}


def _found(home: Path, trace_id: str) -> tuple[Trace, Sequence[Rating]]:
    row = index.row(home, trace_id)
    if row is not None and row.deleted_at is not None:
        raise UsageError(f"the trace {trace_id!r} was deleted at {row.deleted_at:%Y-%m-%d %H:%M}")
    if waiting := spool.waiting(home, trace_id):
        return waiting, ()
    record = None
    if row is None or row.stored_at:
        with trace_store(home) as store:
            record = store.read([trace_id]).get(trace_id)
    if record is not None:
        return as_trace(record), record.ratings
    if row is not None:
        raise UsageError(
            f"the trace {trace_id!r} was not kept: {_why(row)}",
            hint="its cost stands in `llmops traces list`",
        )
    raise unknown(trace_id)


def unknown(trace_id: str) -> UsageError:
    return UsageError(
        f"{trace_id[:80]!r} is no trace that is known here",
        hint="llmops traces list shows the newest",
    )


def _why(row: index.TraceRow) -> str:
    if row.stored_at:
        return "MLflow does not have it any more"
    return "its request has not ended" if row.status == "open" else "it is outside of the sample"
