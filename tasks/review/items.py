"""Items of a review queue: entering them, and finding them again."""

import secrets
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection, Row, insert, select, update

from llmops.tasks.errors import UsageError
from llmops.tasks.ledger import existing_ledger, now, open_ledger
from llmops.tasks.ledger.application import traces
from llmops.tasks.ledger.databases import storable
from llmops.tasks.ledger.leases import aware
from llmops.tasks.ledger.review import review_items, review_leases, reviews
from llmops.tasks.traces.feedback import COMMENT_LENGTH, CORRECTION_LENGTH, unknown
from llmops.tasks.traces.index import parts
from llmops.tasks.traces.masking import masked_text

ItemId = str
State = Literal["open", "done", "disputed", "discarded"]
Verdict = Literal["good", "bad", "discard"]
ASKED, ASKED_PRIORITY = "asked", 100.0
"""The reason of what somebody wants a person for, and its priority: before all that was chosen, and
a little less with every second, so that who asks first comes first."""
SECONDS = 1e10
FIRST = (review_items.c.priority.desc(), review_items.c.created_at.desc(), review_items.c.id.desc())
"""The order of a queue, as its index has it."""
PER_TRANSACTION = 500
"""Items entered at once: other writers wait no longer than for these."""


class NewItem(NamedTuple):
    """An answer that somebody should look at. `priority`: higher comes first, below 99."""

    trace_id: str
    reasons: tuple[str, ...]
    priority: float
    note: str = ""
    asked_by: str = ""


class Draft(BaseModel):
    """What a reviewer has typed so far; all of it may be missing."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    verdict: Verdict | None = None
    correction: str = Field(default="", max_length=CORRECTION_LENGTH)
    relevant: tuple[str, ...] = Field(default=(), max_length=100)
    comment: str = Field(default="", max_length=COMMENT_LENGTH)


class ReviewRow(BaseModel):
    """A review as it is kept. `reviewer`: a pseudonym; `verdict`: also `withdrawn`."""

    model_config = ConfigDict(frozen=True, extra="ignore", from_attributes=True)
    item_id: ItemId
    reviewer: str
    number: int
    trace_id: str
    verdict: str
    correction: str
    relevant: tuple[str, ...]
    comment: str
    adjudicates: bool
    latest: bool
    seconds: float
    created_at: datetime


class ReviewItem(BaseModel):
    """An item with the reviews that hold. `verdict`: what it came to, "" while it is open or
    disputed; `held_until` and `draft`: of the reviewer who asks.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")
    id: ItemId
    app: str
    queue: str
    trace_id: str
    key_id: str
    reasons: tuple[str, ...]
    priority: float
    note: str
    asked_by: str
    wanted: int
    state: State
    verdict: str
    created_at: datetime
    closed_at: datetime | None
    reviews: tuple[ReviewRow, ...] = ()
    held_until: datetime | None = None
    draft: Draft | None = None


def enqueue(home: Path, app: str, queue: str, items: Sequence[NewItem], wanted: int = 1) -> int:
    """Enter items into a queue ("": the application's own). Returns how many are new; one that is
    there keeps its state and gains reasons. Traces that were deleted, or are of another
    application, are left out.
    """
    if not 1 <= wanted <= 10:
        raise UsageError(f"got {wanted} reviewers for an item", hint="allowed: 1 to 10")
    count = 0
    for start in range(0, len(items), PER_TRANSACTION):
        part = items[start : start + PER_TRANSACTION]
        with open_ledger(home).write() as connection:
            count += len(enter(connection, app, queue or app, part, wanted))
    return count


def ask_a_person(
    home: Path, app: str, queue: str, trace_id: str, person: str, note: str = ""
) -> ItemId:
    """Put an answer before all others, as somebody (a pseudonym, "" for nobody known) wants a
    person to look at it. Asking again changes the note. Raises UsageError for a trace that is
    unknown, deleted, or of another application, in the same words.
    """
    if len(note) > COMMENT_LENGTH:
        raise UsageError(
            f"the note has {len(note):,} characters, allowed: {COMMENT_LENGTH:,}", where="note"
        )
    priority = ASKED_PRIORITY - now().timestamp() / SECONDS
    new = NewItem(trace_id, (ASKED,), priority, note, person)
    with open_ledger(home).write() as connection:
        if trace_id not in _keys(connection, app, [trace_id]):
            raise unknown(trace_id)
        enter(connection, app, queue or app, [new], 1)
        mine = (review_items.c.queue == (queue or app)) & (review_items.c.trace_id == trace_id)
        return str(connection.scalars(select(review_items.c.id).where(mine)).one())


def item(home: Path, app: str, item_id: ItemId, reviewer: str = "") -> ReviewItem:
    """An item, with the lease and the draft of a reviewer. Raises UsageError for one that is
    unknown, or of another application.
    """
    with existing_ledger(home).read() as connection:
        return completed(connection, [row_of(connection, item_id, app)], reviewer)[0]


def row_of(
    connection: Connection, item_id: ItemId, app: str | None = None
) -> Row[tuple[object, ...]]:
    """Raises UsageError for an item that is unknown, or of another application than `app`."""
    query = select(review_items).where(review_items.c.id == item_id)
    row = connection.execute(query).first()
    if row is None or (app is not None and row.app != app):
        of = f" of {app!r}" if app is not None else ""
        raise UsageError(
            f"{item_id[:40]!r} is no review item{of}", hint="`llmops review list` shows them"
        )
    return row


def completed(
    connection: Connection, rows: Sequence[Row[tuple[object, ...]]], reviewer: str = ""
) -> list[ReviewItem]:
    """Rows of items with the reviews that hold, and the lease and the draft of a reviewer."""
    ids = [str(row.id) for row in rows]
    held = dict[str, Row[tuple[object, ...]]]()
    said = dict[str, list[ReviewRow]]()
    for part in parts(ids):
        standing = reviews.c.item_id.in_(part) & reviews.c.latest
        query = select(reviews).where(standing).order_by(reviews.c.created_at)
        for row in connection.execute(query):
            said.setdefault(str(row.item_id), []).append(review_of(row))
        mine = review_leases.c.item_id.in_(part) & (review_leases.c.reviewer == reviewer)
        if reviewer:
            held |= {
                row.item_id: row for row in connection.execute(select(review_leases).where(mine))
            }
    return [_item(row, said.get(str(row.id), ()), held.get(str(row.id))) for row in rows]


def review_of(row: Row[tuple[object, ...]]) -> ReviewRow:
    return ReviewRow.model_validate(dict(row._mapping) | {"created_at": aware(row.created_at)})


def _item(
    row: Row[tuple[object, ...]],
    said: Sequence[ReviewRow],
    lease: Row[tuple[object, ...]] | None,
) -> ReviewItem:
    values = dict(row._mapping) | {
        "created_at": aware(row.created_at),
        "closed_at": aware(row.closed_at) if row.closed_at else None,
        "reviews": tuple(said),
    }
    if lease is not None:
        until = aware(lease.until)
        values |= {"held_until": until if until > now() else None, "draft": lease.draft}
    return ReviewItem.model_validate(values)


def _keys(connection: Connection, app: str, ids: Collection[str]) -> dict[str, str]:
    """The key that asked ("": none), by trace: of those of the application that were not
    deleted.
    """
    there = traces.c.id.in_(ids) & (traces.c.app == app) & traces.c.deleted_at.is_(None)
    rows = connection.execute(select(traces.c.id, traces.c.key_id).where(there))
    return {row.id: row.key_id for row in rows}


def enter(
    connection: Connection, app: str, queue: str, items: Sequence[NewItem], wanted: int
) -> list[ItemId]:
    """The ids of those that are new."""
    merged = dict[str, NewItem]()
    keys = _keys(connection, app, [each.trace_id for each in items])
    for each in items:
        if each.trace_id in keys:
            before = merged.get(each.trace_id)
            merged[each.trace_id] = _merged(before, each) if before else each
    same = (review_items.c.queue == queue) & review_items.c.trace_id.in_(merged)
    for row in connection.execute(select(review_items).where(same)).all():
        before = NewItem(row.trace_id, tuple(row.reasons), row.priority, row.note, row.asked_by)
        after = _merged(before, merged.pop(row.trace_id))
        if after != before:
            changed = dict(_values(after))
            connection.execute(
                update(review_items).where(review_items.c.id == row.id).values(**changed)
            )
    rows = [
        {
            "id": secrets.token_hex(6),
            "app": app,
            "queue": queue,
            "key_id": keys[each.trace_id],
            "wanted": wanted,
            "state": "open",
            "verdict": "",
            "created_at": now(),
            **_values(each),
        }
        for each in merged.values()
    ]
    if rows:
        connection.execute(insert(review_items), rows)
    return [str(row["id"]) for row in rows]


def _merged(before: NewItem, new: NewItem) -> NewItem:
    """Reasons gather, the higher priority and the newest note hold."""
    noted = new if new.note or not before.note else before
    return NewItem(
        before.trace_id,
        tuple(dict.fromkeys((*before.reasons, *new.reasons))),
        max(before.priority, new.priority),
        noted.note,
        noted.asked_by or before.asked_by,
    )


def _values(new: NewItem) -> Mapping[str, object]:
    return {
        "trace_id": new.trace_id,
        "reasons": list(new.reasons),
        "priority": new.priority,
        "note": storable(masked_text(new.note)),
        "asked_by": new.asked_by,
    }
