"""Who has which item in hand: one at a time, until a moment, and what they have typed so far.

A lease that has run out frees the item for others; the draft stays for the one who typed it.
"""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    and_,
    delete,
    exists,
    func,
    select,
    update,
)

from llmops.tasks.audit.people import names
from llmops.tasks.errors import UsageError
from llmops.tasks.ledger import now, open_ledger, upsert
from llmops.tasks.ledger.databases import storable
from llmops.tasks.ledger.leases import aware
from llmops.tasks.ledger.review import review_items, review_leases, reviews
from llmops.tasks.review.items import FIRST, Draft, ItemId, ReviewItem, completed, row_of
from llmops.tasks.review.visible import within
from llmops.tasks.traces.masking import masked_text

MINUTES, MOST_MINUTES = 15.0, 24 * 60.0


def claim(
    home: Path,
    app: str,
    queue: str,
    reviewer: str,
    minutes: float = MINUTES,
    *,
    labels: Collection[str] | None = None,
) -> ReviewItem | None:
    """The item that a reviewer (a pseudonym) is to look at next, in their hand for some minutes;
    None where nothing is left for them.

    What they have in hand comes first, then what they have begun, then the highest priority that is
    not in hand of as many others as are still wanted, and last what they have put back. Only what
    whoever holds `labels` may see (None: all).
    """
    at = now()
    with open_ledger(home).write() as connection:
        check_reviewer(connection, reviewer)
        mine = (review_items.c.app == app) & (review_items.c.queue == (queue or app))
        row = _next(connection, mine & within(connection, labels), reviewer, at)
        if row is None:
            return None
        _hold(connection, row.id, reviewer, until(at, minutes))
        return completed(connection, [row], reviewer)[0]


def left(
    home: Path, app: str, queue: str, reviewer: str, *, labels: Collection[str] | None = None
) -> bool:
    """Whether `claim` would find something."""
    with open_ledger(home).read() as connection:
        mine = (review_items.c.app == app) & (review_items.c.queue == (queue or app))
        there = mine & within(connection, labels)
        return _next(connection, there, reviewer, now()) is not None


def renew(home: Path, item_id: ItemId, reviewer: str, minutes: float = MINUTES) -> ReviewItem:
    """Keep an item in hand, or take it up again. `held_until` of what is returned is None where as
    many others as are wanted have it, or have reviewed it.
    """
    at = now()
    with open_ledger(home).write() as connection:
        check_reviewer(connection, reviewer)
        row = row_of(connection, item_id)
        if connection.scalar(_free(item_id, reviewer, at)) is not None:
            _hold(connection, item_id, reviewer, until(at, minutes))
        return completed(connection, [row], reviewer)[0]


def release(home: Path, item_id: ItemId, reviewer: str) -> None:
    """Put an item back: others may take it at once, and it comes to this reviewer last. The draft
    stays.
    """
    at = now()
    with open_ledger(home).write() as connection:
        check_reviewer(connection, reviewer)
        row_of(connection, item_id)
        _kept(connection, item_id, reviewer)
        mine = _lease(item_id, reviewer)
        values = {"until": at, "put_back_at": at}
        connection.execute(update(review_leases).where(mine).values(**values))


def save_draft(
    home: Path, item_id: ItemId, reviewer: str, draft: Draft, minutes: float = MINUTES
) -> ReviewItem:
    """Keep what a reviewer has typed, whoever has the item in hand; and the item in their hand, as
    `renew` does.
    """
    kept = draft.model_copy(
        update={
            "correction": storable(masked_text(draft.correction)),
            "comment": storable(masked_text(draft.comment)),
            "relevant": tuple(str(storable(each)) for each in draft.relevant),
        }
    )
    at = now()
    with open_ledger(home).write() as connection:
        check_reviewer(connection, reviewer)
        row = row_of(connection, item_id)
        if connection.scalar(_free(item_id, reviewer, at)) is not None:
            _hold(connection, item_id, reviewer, until(at, minutes))
        _kept(connection, item_id, reviewer)
        values = {"draft": kept.model_dump(mode="json"), "drafted_at": at}
        mine = _lease(item_id, reviewer)
        connection.execute(update(review_leases).where(mine).values(**values))
        return completed(connection, [row], reviewer)[0]


def let_go(connection: Connection, item_id: ItemId, reviewer: str) -> None:
    """They are done with it: lease and draft go."""
    connection.execute(delete(review_leases).where(_lease(item_id, reviewer)))


def check_reviewer(connection: Connection, reviewer: str) -> None:
    """Raises UsageError for a pseudonym that is nobody's: of somebody who was erased meanwhile."""
    if reviewer not in names(connection, [reviewer]):
        raise UsageError(
            f"{reviewer[:12]!r}… is nobody's pseudonym, or not any more",
            hint="a reviewer is called by `tasks.audit.people.pseudonym`",
        )


def until(at: datetime, minutes: float) -> datetime:
    if not 0 < minutes <= MOST_MINUTES:
        raise UsageError(f"got {minutes:g} minutes", hint=f"allowed: up to {MOST_MINUTES:g}")
    return at + timedelta(minutes=minutes)


def still_free(reviewer: str, at: datetime) -> ColumnElement[bool]:
    """Whether an item is open for one more: this reviewer has not reviewed it, and fewer others
    have it in hand than reviews are still wanted.
    """
    said = (reviews.c.item_id == review_items.c.id) & reviews.c.latest
    said &= (reviews.c.verdict != "withdrawn") & ~reviews.c.adjudicates
    others = (review_leases.c.item_id == review_items.c.id) & (review_leases.c.until > at)
    others &= review_leases.c.reviewer != reviewer
    count = _count(select(func.count()).select_from(reviews).where(said))
    in_hand = _count(select(func.count()).select_from(review_leases).where(others))
    mine = exists().where(said, reviews.c.reviewer == reviewer)
    return and_(~mine, count + in_hand < review_items.c.wanted)


def _count(query: Select[tuple[int]]) -> ColumnElement[int]:
    return query.correlate(review_items).scalar_subquery()


def _next(
    connection: Connection, there: ColumnElement[bool], reviewer: str, at: datetime
) -> Row[tuple[object, ...]] | None:
    free = there & (review_items.c.state == "open") & still_free(reviewer, at)
    own = connection.execute(
        select(review_leases).where(review_leases.c.reviewer == reviewer)
    ).all()
    put_back = sorted((each for each in own if each.put_back_at), key=lambda each: each.put_back_at)
    begun = [each for each in own if not each.put_back_at]
    held = sorted((each for each in begun if aware(each.until) > at), key=lambda each: each.until)
    drafts = sorted((each for each in begun if each.draft), key=lambda each: each.drafted_at)
    if (row := _first(connection, free, [*held, *drafts])) is not None:
        return row
    new = free & ~exists().where(_own(reviewer), review_leases.c.put_back_at.is_not(None))
    row = connection.execute(select(review_items).where(new).order_by(*FIRST).limit(1)).first()
    return row if row is not None else _first(connection, free, put_back)


def _first(
    connection: Connection,
    free: ColumnElement[bool],
    own: Sequence[Row[tuple[object, ...]]],
) -> Row[tuple[object, ...]] | None:
    """The first of a reviewer's leases whose item they may have."""
    for each in own:
        query = select(review_items).where(review_items.c.id == each.item_id, free)
        if (row := connection.execute(query).first()) is not None:
            return row
    return None


def _own(reviewer: str) -> ColumnElement[bool]:
    mine = review_leases.c.item_id == review_items.c.id
    return mine & (review_leases.c.reviewer == reviewer)


def _free(item_id: ItemId, reviewer: str, at: datetime) -> Select[tuple[str]]:
    return select(review_items.c.id).where(
        review_items.c.id == item_id, review_items.c.state == "open", still_free(reviewer, at)
    )


def _hold(connection: Connection, item_id: str, reviewer: str, moment: datetime) -> None:
    _kept(connection, item_id, reviewer)
    values = {"until": moment, "put_back_at": None}
    mine = _lease(item_id, reviewer)
    connection.execute(update(review_leases).where(mine).values(**values))


def _kept(connection: Connection, item_id: ItemId, reviewer: str) -> None:
    """There is a row, which holds nothing yet."""
    mine = _lease(item_id, reviewer)
    if connection.execute(select(review_leases.c.item_id).where(mine)).first() is None:
        row = {"item_id": item_id, "reviewer": reviewer, "until": now()}
        upsert(connection, review_leases, [row])


def _lease(item_id: ItemId, reviewer: str) -> ColumnElement[bool]:
    return (review_leases.c.item_id == item_id) & (review_leases.c.reviewer == reviewer)
