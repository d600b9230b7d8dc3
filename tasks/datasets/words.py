"""What people have said of an application's answers, as the ledger has it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

from sqlalchemy import Connection, Row, select

from llmops.tasks.access.roles import allowed
from llmops.tasks.datasets.settled import SaidFeedback, SaidReview
from llmops.tasks.ledger import existing_ledger
from llmops.tasks.ledger.application import api_keys, feedback, traces
from llmops.tasks.ledger.leases import aware
from llmops.tasks.ledger.review import review_items, reviews

Trust = Literal["nobody", "reviewers", "everybody"]


class Words(NamedTuple):
    """What was said of answers that are not deleted."""

    feedback: tuple[SaidFeedback, ...]
    reviews: tuple[SaidReview, ...]


def words(home: Path, app: str, queue: str, trust: Trust) -> Words:
    """Of all answers of the application; reviews of one queue. What was said without a key is
    trusted only where everybody is: a name that somebody gives proves nothing. What was said before
    an answer was put to people again is history.
    """
    with existing_ledger(home).read() as connection:
        return Words(
            tuple(_feedback(connection, app, queue, trust)),
            tuple(_reviews(connection, app, queue)),
        )


def _feedback(connection: Connection, app: str, queue: str, trust: Trust) -> list[SaidFeedback]:
    roles = {row.id: row for row in connection.execute(select(api_keys))}
    item = (review_items.c.trace_id == feedback.c.trace_id) & (review_items.c.queue == queue)
    again = review_items.c.reopened_at
    query = (
        select(feedback)
        .join(traces, traces.c.id == feedback.c.trace_id)
        .outerjoin(review_items, item)
        .where(traces.c.app == app, traces.c.deleted_at.is_(None))
        .where(feedback.c.rating.is_not(None))
        .where(again.is_(None) | (feedback.c.updated_at > again))
    )
    return [
        SaidFeedback.model_validate(
            dict(row._mapping)
            | {"trusted": _trusted(row.key_id, roles, trust), "at": aware(row.updated_at)}
        )
        for row in connection.execute(query)
    ]


def _trusted(key_id: str, keys: "Mapping[str, Row[Any]]", trust: Trust) -> bool:
    if trust != "reviewers":
        return trust == "everybody"
    key = keys.get(key_id)
    return key is not None and allowed(key.role, key.scopes, "review")


def _reviews(connection: Connection, app: str, queue: str) -> list[SaidReview]:
    query = (
        select(reviews, review_items.c.wanted)
        .join(review_items, review_items.c.id == reviews.c.item_id)
        .join(traces, traces.c.id == reviews.c.trace_id)
        .where(review_items.c.app == app, review_items.c.queue == queue)
        .where(traces.c.deleted_at.is_(None), reviews.c.latest)
    )
    return [
        SaidReview.model_validate(dict(row._mapping) | {"at": aware(row.created_at)})
        for row in connection.execute(query)
    ]
