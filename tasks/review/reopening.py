"""Items that people have to look at again: what was said of them before holds no more."""

from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import select, update

from llmops.tasks.ledger import existing_ledger, now, open_ledger
from llmops.tasks.ledger.review import review_items, reviews
from llmops.tasks.review.items import PER_TRANSACTION, NewItem, enter, review_of
from llmops.tasks.review.reviewing import Review, checked_review, says_the_same


def reopen(home: Path, app: str, queue: str, items: Sequence[NewItem], wanted: int = 1) -> int:
    """Put items into a queue ("": the application's own), also those that are there and were
    closed: their reviews become history, and so does feedback that was given before. Returns how
    many. Traces that were deleted, or are of another application, are left out.
    """
    count = 0
    for start in range(0, len(items), PER_TRANSACTION):
        part = items[start : start + PER_TRANSACTION]
        with open_ledger(home).write() as connection:
            enter(connection, app, queue or app, part, wanted)
            traces = [each.trace_id for each in part]
            mine = (review_items.c.queue == (queue or app)) & review_items.c.trace_id.in_(traces)
            ids = list(
                connection.scalars(
                    update(review_items)
                    .where(mine)
                    .values(state="open", verdict="", closed_at=None, reopened_at=now())
                    .returning(review_items.c.id)
                )
            )
            said = update(reviews).where(reviews.c.item_id.in_(ids), reviews.c.latest)
            connection.execute(said.values(latest=False))
            count += len(ids)
    return count


def superseded(home: Path, item_id: str, reviewer: str, review: Review) -> bool:
    """Whether a review says what its reviewer said before the item was opened again: told by a
    place that keeps it, it is no new word.
    """
    said = (reviews.c.item_id == item_id) & (reviews.c.reviewer == reviewer)
    item = select(review_items.c.reopened_at).where(review_items.c.id == item_id)
    with existing_ledger(home).read() as connection:
        if connection.scalar(item) is None:
            return False
        query = select(reviews).where(said, ~reviews.c.adjudicates).order_by(reviews.c.number)
        before = [review_of(row) for row in connection.execute(query)]
    return bool(before) and says_the_same(before[-1], checked_review(review))
