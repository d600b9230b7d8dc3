"""Finding items: by queue, state, verdict, reason, rating, reviewer, and by what was said."""

from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple, get_args

from pydantic import BaseModel, ConfigDict
from sqlalchemy import ColumnElement, Select, Text, cast, func, or_, select

from llmops.tasks.errors import UsageError
from llmops.tasks.ledger import existing_ledger
from llmops.tasks.ledger.application import feedback
from llmops.tasks.ledger.review import review_items, reviews
from llmops.tasks.review.items import FIRST, ReviewItem, State, Verdict, completed
from llmops.tasks.review.visible import within
from llmops.tasks.traces.feedback import RATINGS

LIMIT, MOST, COUNTED = 50, 10_000, 1_000
STATES = {"good": "done", "bad": "done", "discard": "discarded"}
"""In which an item is that came to a verdict."""


class ItemFilter(NamedTuple):
    """What is looked for; "" asks for nothing. `queue`: "" is the application's own; `verdict`:
    what an item came to; `rating`: up or down, by anybody; `text`: in notes, comments and
    corrections; `reviewer`: a pseudonym whose review stands.
    """

    queue: str = ""
    state: str = ""
    verdict: str = ""
    reason: str = ""
    rating: str = ""
    text: str = ""
    reviewer: str = ""


class ReviewItems(BaseModel):
    """A part of what was found, highest priority first; `total`: how many there are, counted up to
    1,000 where something else than state and verdict is asked for.
    """

    model_config = ConfigDict(frozen=True)
    items: tuple[ReviewItem, ...]
    total: int


def find(
    home: Path,
    app: str,
    *,
    queue: str = "",
    state: str = "",
    verdict: str = "",
    reason: str = "",
    rating: str = "",
    text: str = "",
    reviewer: str = "",
    labels: Collection[str] | None = None,
    limit: int = LIMIT,
    offset: int = 0,
) -> ReviewItems:
    """Items of an application, of those that whoever holds `labels` may see (None: all)."""
    wanted = ItemFilter(queue, state, verdict, reason, rating, text, reviewer)
    with existing_ledger(home).read() as connection:
        conditions = [*_conditions(app, wanted), within(connection, labels)]
        most = min(limit, MOST)
        query = select(review_items).where(*conditions).order_by(*FIRST)
        rows = connection.execute(query.limit(most).offset(offset)).all()
        total = len(rows) + offset
        if len(rows) == most or (offset and not rows):
            some = select(review_items.c.id).where(*conditions)
            if any((reason, rating, text, reviewer)):
                some = some.limit(COUNTED)
            count = select(func.count()).select_from(some.subquery())
            total = max(connection.scalar(count) or 0, len(rows) + offset if rows else 0)
        return ReviewItems(items=tuple(completed(connection, rows)), total=total)


def checked(
    queue: str = "",
    state: str = "",
    verdict: str = "",
    reason: str = "",
    rating: str = "",
    text: str = "",
) -> ItemFilter:
    """What somebody typed. Raises UsageError for a state, a verdict or a rating that is none."""
    allowed = {"state": get_args(State), "verdict": get_args(Verdict), "rating": RATINGS}
    for name, value in {"state": state, "verdict": verdict, "rating": rating}.items():
        if value and value not in allowed[name]:
            told = f"allowed: {', '.join(allowed[name])}"
            raise UsageError(f"got {value[:40]!r}", where=f"--{name}", hint=told)
    return ItemFilter(queue, state, verdict, reason, rating, text)


def _conditions(app: str, wanted: ItemFilter) -> list[ColumnElement[bool]]:
    c = review_items.c
    found: list[ColumnElement[bool]] = [c.app == app, c.queue == (wanted.queue or app)]
    if wanted.state:
        found.append(c.state == wanted.state)
    if wanted.verdict:  # with its state, which the index knows
        found += [c.verdict == wanted.verdict, c.state == STATES.get(wanted.verdict, "")]
    if wanted.reason:
        found.append(cast(c.reasons, Text).contains(f'"{wanted.reason}"', autoescape=True))
    if wanted.rating:
        rated = feedback.c.rating == wanted.rating
        found.append(c.trace_id.in_(select(feedback.c.trace_id).where(rated)))
    if wanted.reviewer:
        mine = reviews.c.latest & (reviews.c.reviewer == wanted.reviewer)
        mine &= (reviews.c.app == app) & (reviews.c.queue == (wanted.queue or app))
        found.append(c.id.in_(select(reviews.c.item_id).where(mine)))
    if wanted.text:
        found.append(
            or_(
                _holds(c.note, wanted.text),
                c.id.in_(_said_in(wanted.text)),
                c.trace_id.in_(_rated_in(wanted.text)),
            )
        )
    return found


def _said_in(text: str) -> Select[tuple[str]]:
    holds = or_(_holds(reviews.c.comment, text), _holds(reviews.c.correction, text))
    return select(reviews.c.item_id).where(reviews.c.latest, holds)


def _rated_in(text: str) -> Select[tuple[str]]:
    holds = or_(_holds(feedback.c.comment, text), _holds(feedback.c.correction, text))
    return select(feedback.c.trace_id).where(holds)


def _holds(column: ColumnElement[str], text: str) -> ColumnElement[bool]:
    """Capitals or not, as far as the database knows."""
    return column.icontains(text, autoescape=True)
