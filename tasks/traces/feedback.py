"""What people say of an answer: once per trace and person, valid before the trace is stored, and
gone again when it is withdrawn.
"""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from sqlalchemy import select

from llmops.tasks.errors import UsageError
from llmops.tasks.ledger import existing_ledger, now, open_ledger, upsert
from llmops.tasks.ledger.application import feedback, traces
from llmops.tasks.ledger.databases import storable
from llmops.tasks.traces import index
from llmops.tasks.traces.masking import masked_text
from llmops.tasks.tracking.trace_records import Rating
from llmops.tasks.tracking.traces import TraceStore

Recorded = Literal["recorded", "updated"]
RATINGS = ("up", "down")
COMMENT_LENGTH, CORRECTION_LENGTH = 2_000, 16_000
NAMES = ("rating", "correction")
"""Of the assessments on the trace."""


class Feedback(NamedTuple):
    """Feedback on a trace. `rating` None withdraws all of it."""

    rating: str | None
    comment: str = ""
    correction: str = ""


def rate(
    home: Path,
    trace_id: str,
    person: str,
    said: Feedback,
    *,
    key_id: str = "",
    app: str | None = None,
) -> Recorded:
    """Keep it in the ledger; the writer brings it to MLflow when the trace is there. A second time
    from the same person takes the place of the first.

    Raises UsageError for a rating or a length that is not allowed, and, in the same words, for
    traces that are unknown, deleted, or of another application than `app`.
    """
    said = _checked(said)
    with open_ledger(home).write() as connection:
        trace = connection.execute(select(traces).where(traces.c.id == trace_id)).first()
        if trace is None or trace.deleted_at is not None or (app and trace.app != app):
            raise unknown(trace_id)
        mine = (feedback.c.trace_id == trace_id) & (feedback.c.person == person)
        before = connection.execute(select(feedback).where(mine)).first()
        row = {
            "trace_id": trace_id,
            "person": person,
            "rating": said.rating,
            "comment": storable(masked_text(said.comment)),
            "correction": storable(masked_text(said.correction)),
            "key_id": key_id,
            "created_at": before.created_at if before else now(),
            "updated_at": now(),
            "stored_at": None,
        }
        upsert(connection, feedback, [row])
    return "updated" if before else "recorded"


def said(home: Path, trace_ids: Collection[str], person: str) -> dict[str, Feedback]:
    """trace id -> what somebody has said of it, and not withdrawn."""
    found: dict[str, Feedback] = {}
    with existing_ledger(home).read() as connection:
        for part in index.parts(trace_ids):
            mine = feedback.c.trace_id.in_(part) & (feedback.c.person == person)
            query = select(feedback).where(mine, feedback.c.rating.is_not(None))
            for row in connection.execute(query):
                found[row.trace_id] = Feedback(row.rating, row.comment, row.correction)
    return found


def unknown(trace_id: str) -> UsageError:
    """The same for every trace that somebody may not rate, so that nobody finds out which exist."""
    return UsageError(
        f"{trace_id[:80]!r} is no trace of this application",
        hint="give the trace_id of an answer",
    )


def apply(home: Path, store: TraceStore, rows: Sequence[index.FeedbackRow]) -> int:
    """Make the assessments in MLflow what the ledger says. Returns how many rows are done."""
    for row in rows:
        for each in _ratings(row):
            store.rate(row.trace_id, each)
        index.mark_rated(home, row)
    return len(rows)


def given(home: Path, trace_id: str, stored: Sequence[Rating]) -> tuple[Rating, ...]:
    """What was said of a trace: the assessments that MLflow has, and in their place, or before it
    has the trace, what stands in the ledger.
    """
    mine = [each for row in index.feedback_on(home, trace_id) for each in _ratings(row)]
    known = {each.key for each in mine}
    said = (*mine, *(each for each in stored if each.key not in known))
    return tuple(each for each in said if each.value is not None)


def _ratings(row: index.FeedbackRow) -> tuple[Rating, Rating]:
    """The assessments that a row stands for; a value of None takes one away."""
    gone = row.rating is None
    key, source = f"feedback/{row.person or row.key_id}", row.person or "unnamed"
    return (
        Rating(key=key, name=NAMES[0], value=row.rating, rationale=row.comment, source=source),
        Rating(
            key=f"{key}/correction",
            name=NAMES[1],
            value=None if gone or not row.correction else row.correction,
            source=source,
            expectation=True,
        ),
    )


def _checked(said: Feedback) -> Feedback:
    if said.rating not in (None, *RATINGS):
        raise UsageError(
            f"got the rating {str(said.rating)[:40]!r}, allowed: {', '.join(RATINGS)}, or none to "
            "withdraw it"
        )
    for name, text, most in (
        ("comment", said.comment, COMMENT_LENGTH),
        ("correction", said.correction, CORRECTION_LENGTH),
    ):
        if len(text) > most:
            raise UsageError(f"the {name} has {len(text):,} characters, allowed: {most:,}")
    return Feedback(None) if said.rating is None else said
