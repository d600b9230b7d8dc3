"""Answers that a person has written: the same question gets them from then on."""

import secrets
from collections.abc import Collection
from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection, func, insert, select, update

from llmops.tasks.audit.actor import actor
from llmops.tasks.audit.log import Entry, append
from llmops.tasks.audit.people import pseudonym
from llmops.tasks.errors import UsageError
from llmops.tasks.ledger import existing_ledger, now, open_ledger
from llmops.tasks.ledger.application import audit, curated, traces
from llmops.tasks.ledger.databases import storable
from llmops.tasks.ledger.leases import aware
from llmops.tasks.ledger.review import reviews

LONGEST_QUESTION, LONGEST_ANSWER = 4_000, 32_000
MOST = 5_000
"""Curated answers of one application: all of them are compared with every question."""


class NewCurated(BaseModel):
    """What a person wrote. `labels`: whoever gets it holds all of them; `threshold`: how like a
    question has to be, above 0; 1 is the same words, None as the application says. `trace_id`: the
    answer that it corrects.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    question: str
    answer: str
    labels: frozenset[str] = frozenset()
    threshold: float | None = None
    trace_id: str = ""


class CuratedAnswer(BaseModel):
    """A curated answer as it is kept. `person`: pseudonym of who wrote it."""

    model_config = ConfigDict(frozen=True, extra="ignore", from_attributes=True)
    id: str
    app: str
    question: str
    answer: str
    labels: frozenset[str] = Field(default_factory=frozenset)
    threshold: float | None
    trace_id: str
    person: str
    hits: int
    created_at: datetime
    retired_at: datetime | None

    def open_to(self, labels: Collection[str]) -> bool:
        return self.labels <= set(labels)


def add(home: Path, app: str, new: NewCurated, reason: str = "") -> CuratedAnswer:
    """Keep an answer; who acts (`audit.actor`) wrote it. Raises UsageError for texts that are empty
    or too long, a threshold that is not above 0 and at most 1, and too many answers.
    """
    _check(new)
    with open_ledger(home).write() as connection:
        _check_room(connection, app, new.trace_id)
        row = {
            "id": secrets.token_hex(6),
            "app": app,
            "question": storable(new.question.strip()),
            "answer": storable(new.answer.strip()),
            "labels": sorted(new.labels),
            "threshold": new.threshold,
            "trace_id": new.trace_id,
            "person": pseudonym(connection, actor()),
            "hits": 0,
            "created_at": now(),
            "retired_at": None,
        }
        connection.execute(insert(curated).values(**row))
        subject = f"curated/{row['id']}"
        append(connection, Entry(action="curate", subject=subject, after="added", reason=reason))
    return CuratedAnswer.model_validate(row)


def change(home: Path, app: str, name: str, new: NewCurated, reason: str = "") -> CuratedAnswer:
    """Say something else under the same id. Raises UsageError as `add`, and for an unknown id."""
    _check(new)
    values = {
        "question": storable(new.question.strip()),
        "answer": storable(new.answer.strip()),
        "labels": sorted(new.labels),
        "threshold": new.threshold,
    }
    with open_ledger(home).write() as connection:
        _row(connection, app, name)
        connection.execute(update(curated).where(curated.c.id == name).values(**values))
        entry = Entry(
            action="curate",
            subject=f"curated/{name}",
            before="added",
            after="changed",
            reason=reason,
        )
        append(connection, entry)
        return _row(connection, app, name)


def retire(home: Path, app: str, name: str, reason: str = "") -> CuratedAnswer:
    """Give it no more; it stays in the list. Raises UsageError for an unknown id."""
    with open_ledger(home).write() as connection:
        before = _row(connection, app, name)
        if before.retired_at is None:
            gone = update(curated).where(curated.c.id == name).values(retired_at=now())
            connection.execute(gone)
            entry = Entry(
                action="retire_curated", subject=f"curated/{name}", before="added", reason=reason
            )
            append(connection, entry)
        return _row(connection, app, name)


def listed(home: Path, app: str, *, retired: bool = False) -> list[CuratedAnswer]:
    """The curated answers of an application, oldest first."""
    query = select(curated).where(curated.c.app == app).order_by(curated.c.created_at, curated.c.id)
    query = query if retired else query.where(curated.c.retired_at.is_(None))
    with existing_ledger(home).read() as connection:
        return [_dated(row) for row in connection.execute(query)]


def one(home: Path, app: str, name: str) -> CuratedAnswer:
    """Raises UsageError for an unknown id."""
    with existing_ledger(home).read() as connection:
        return _row(connection, app, name)


def reviewed_at(home: Path, answer: CuratedAnswer) -> datetime:
    """When a person said so: in the review that it is taken from, else when it was written or
    changed last.
    """
    said = reviews.c.trace_id == (answer.trace_id or None)
    said &= reviews.c.latest & (reviews.c.correction == answer.answer)
    changed = (audit.c.subject == f"curated/{answer.id}") & (audit.c.action == "curate")
    with existing_ledger(home).read() as connection:
        if at := connection.scalar(select(func.max(reviews.c.created_at)).where(said)):
            return aware(at)
        written = connection.scalar(select(func.max(audit.c.at)).where(changed))
    return datetime.fromisoformat(written) if written else answer.created_at


def count_hit(home: Path, name: str) -> None:
    """It was given once more."""
    with open_ledger(home).write() as connection:
        mine = update(curated).where(curated.c.id == name)
        connection.execute(mine.values(hits=curated.c.hits + 1))


def _row(connection: Connection, app: str, name: str) -> CuratedAnswer:
    mine = (curated.c.app == app) & (curated.c.id == name)
    row = connection.execute(select(curated).where(mine)).first()
    if row is None:
        raise UsageError(
            f"{app!r} has no curated answer {name[:40]!r}",
            hint=f"`llmops answers list {app}` shows them",
        )
    return _dated(row)


def _dated(row: object) -> CuratedAnswer:
    answer = CuratedAnswer.model_validate(row)
    retired = answer.retired_at and aware(answer.retired_at)
    times = {"created_at": aware(answer.created_at), "retired_at": retired}
    return answer.model_copy(update=times)


def _check(new: NewCurated) -> None:
    for name, text, most in (
        ("question", new.question, LONGEST_QUESTION),
        ("answer", new.answer, LONGEST_ANSWER),
    ):
        if not text.strip():
            raise UsageError(f"the {name} is empty", where=name)
        if len(text) > most:
            raise UsageError(
                f"the {name} has {len(text):,} characters", where=name, hint=f"allowed: {most:,}"
            )
    if new.threshold is not None and not 0 < new.threshold <= 1:
        raise UsageError(
            f"got the threshold {new.threshold:g}",
            where="threshold",
            hint="allowed: above 0 and at most 1; 1 is the same words",
        )


def _check_room(connection: Connection, app: str, trace_id: str) -> None:
    active = (curated.c.app == app) & curated.c.retired_at.is_(None)
    count = connection.scalar(select(func.count()).select_from(curated).where(active)) or 0
    if count >= MOST:
        raise UsageError(
            f"{app!r} has {count:,} curated answers, as many as are allowed",
            hint="retire some, or put what they say into the documents",
        )
    gone = (traces.c.id == trace_id) & traces.c.deleted_at.is_not(None)
    if trace_id and connection.scalar(select(traces.c.id).where(gone)):
        raise UsageError(f"the trace {trace_id[:40]!r} was deleted", where="trace_id")
