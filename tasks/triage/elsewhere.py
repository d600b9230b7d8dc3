"""A review queue of ours and MLflow's queue of the same name: what is in one is put into the other,
and what people answered there is a review here.
"""

from pathlib import Path
from typing import Literal, NamedTuple, cast

from sqlalchemy import select

from llmops.tasks.audit.people import pseudonym
from llmops.tasks.ledger import existing_ledger, open_ledger
from llmops.tasks.ledger.application import traces
from llmops.tasks.ledger.review import review_items
from llmops.tasks.review.reopening import superseded
from llmops.tasks.review.reviewing import Review, submit
from llmops.tasks.traces.feedback import COMMENT_LENGTH, CORRECTION_LENGTH
from llmops.tasks.tracking.review_queues import QueueAnswer, review_queues


class Synchronised(NamedTuple):
    """`put`: items that are new in MLflow's queue; `taken`: answers there that are reviews here, of
    this run and earlier ones.
    """

    put: int
    taken: int


def synchronise(home: Path, app: str, queue: str) -> Synchronised:
    """Bring open items that MLflow has to its queue, and answers from there. The same answer twice
    is one review; one from before an item was opened again is history. Raises Unavailable where
    MLflow does not answer.
    """
    items = _items(home, queue)
    open_ids = [trace_id for trace_id, (_, state) in items.items() if state == "open"]
    with review_queues(home, app) as queues:
        put = queues.put(queue, open_ids)
        answers = [each for each in queues.answers(queue) if each.trace_id in items]
    for each in answers:
        _take(home, app, items[each.trace_id][0], each)
    return Synchronised(put, len(answers))


def _items(home: Path, queue: str) -> dict[str, tuple[str, str]]:
    """(id, state) of the items of a queue by their traces, of those that MLflow has."""
    query = (
        select(review_items.c.trace_id, review_items.c.id, review_items.c.state)
        .join(traces, traces.c.id == review_items.c.trace_id)
        .where(review_items.c.queue == queue)
        .where(traces.c.stored_at.is_not(None), traces.c.deleted_at.is_(None))
        .order_by(review_items.c.priority.desc(), review_items.c.id)
    )
    with existing_ledger(home).read() as connection:
        return {row.trace_id: (row.id, row.state) for row in connection.execute(query)}


def _take(home: Path, app: str, item_id: str, answer: QueueAnswer) -> None:
    who = pseudonym(open_ledger(home), f"mlflow/{answer.person}")
    review = Review(
        verdict=cast("Literal['good', 'bad', 'discard']", answer.verdict),
        correction=answer.correction[:CORRECTION_LENGTH],
        comment=answer.comment[:COMMENT_LENGTH],
    )
    if not superseded(home, item_id, who, review):
        submit(home, app, item_id, who, review)
