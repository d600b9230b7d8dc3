"""How far reviewers agree, and how far each of them has come."""

from datetime import datetime
from itertools import zip_longest
from pathlib import Path
from statistics import median

from pydantic import BaseModel, ConfigDict
from sqlalchemy import ColumnElement, Connection, and_, case, func, select

from llmops.tasks.audit.people import names
from llmops.tasks.ledger import existing_ledger, now
from llmops.tasks.ledger.review import review_items, review_leases, reviews
from llmops.tasks.statistics.agreement import reliability

LABELS = ("good", "bad", "discard")
RECENT = 200
"""The newest reviews of a reviewer, of which the median of seconds is taken."""


class ReviewAgreement(BaseModel):
    """Krippendorff's alpha of verdicts with its interval over items, None where it is undefined;
    `agreement`: the plain share of equal pairs; `n`: items with two reviews or more.
    """

    model_config = ConfigDict(frozen=True)
    queue: str
    alpha: float | None
    low: float | None
    high: float | None
    agreement: float | None
    n: int
    reviewers: int
    note: str = ""


class ReviewerProgress(BaseModel):
    """`reviewer`: a pseudonym, `name`: "" for one who was erased. `done` counts all reviews that
    stand, `discarded` those of them that say so; `agreed`: of `settled` items, of which others have
    said something, too, those that came to what this reviewer said; `seconds`: the median of the
    newest ones, None without any.
    """

    model_config = ConfigDict(frozen=True)
    reviewer: str
    name: str
    done: int
    discarded: int
    adjudicated: int
    settled: int
    agreed: int
    in_hand: int
    seconds: float | None


class ReviewProgress(BaseModel):
    """How far a queue has come: items by state, and each reviewer."""

    model_config = ConfigDict(frozen=True)
    queue: str
    total: int
    open: int
    done: int
    disputed: int
    discarded: int
    reviewers: tuple[ReviewerProgress, ...]


def agreement(home: Path, app: str, queue: str = "") -> ReviewAgreement:
    """Of the reviews that stand; adjudications are no raters."""
    queue = queue or app
    with existing_ledger(home).read() as connection:
        said = _standing(app, queue) & ~reviews.c.adjudicates
        raters = connection.scalar(select(func.count(reviews.c.reviewer.distinct())).where(said))
        verdicts = [func.sum(case((reviews.c.verdict == each, 1), else_=0)) for each in LABELS]
        items = select(*(each.label(f"n{n}") for n, each in enumerate(verdicts)))
        items = items.where(said).group_by(reviews.c.item_id).having(func.count() > 1)
        kinds = items.subquery()
        counts = select(*kinds.c, func.count()).group_by(*kinds.c).order_by(*kinds.c)
        rows = [tuple(map(int, row)) for row in connection.execute(counts)]
    columns = [
        [label for label, times in zip(LABELS, row[:-1], strict=True) for _ in range(times)]
        for row in rows
        for _ in range(row[-1])
    ]
    if not columns:
        told = "no item has two reviews yet"
        return ReviewAgreement(
            queue=queue, alpha=None, low=None, high=None, agreement=None, n=0, reviewers=0,
            note=told,
        )  # fmt: skip
    # alpha does not ask who said what of an item
    found = reliability(list(zip_longest(*columns)))
    return ReviewAgreement(
        queue=queue,
        alpha=found.value,
        low=found.low,
        high=found.high,
        agreement=found.agreement,
        n=found.n,
        reviewers=raters or 0,
        note=found.note,
    )


def progress(home: Path, app: str, queue: str = "") -> ReviewProgress:
    """How far a queue has come, and its reviewers by how much they have done."""
    queue = queue or app
    with existing_ledger(home).read() as connection:
        there = _states(connection, app, queue)
        people = _reviewers(connection, app, queue, now())
    counts = {name: there.get(name, 0) for name in ("open", "done", "disputed", "discarded")}
    return ReviewProgress(queue=queue, total=sum(counts.values()), reviewers=people, **counts)


def states(home: Path, app: str, queue: str = "") -> dict[str, int]:
    """How many items there are of each state that some have."""
    with existing_ledger(home).read() as connection:
        return _states(connection, app, queue or app)


def _states(connection: Connection, app: str, queue: str) -> dict[str, int]:
    mine = (review_items.c.app == app) & (review_items.c.queue == queue)
    query = select(review_items.c.state, func.count()).where(mine)
    query = query.group_by(review_items.c.state).order_by(review_items.c.state)
    return {str(row[0]): int(row[1]) for row in connection.execute(query)}


def _reviewers(
    connection: Connection, app: str, queue: str, at: datetime
) -> tuple[ReviewerProgress, ...]:
    plain, agrees = ~reviews.c.adjudicates, reviews.c.agrees
    # who was the only one agrees with nobody but themselves
    several = select(reviews.c.item_id).where(_standing(app, queue))
    several = several.group_by(reviews.c.item_id).having(func.count() > 1)
    shared = plain & reviews.c.item_id.in_(several)
    query = (
        select(
            reviews.c.reviewer,
            _times(plain).label("done"),
            _times(plain & (reviews.c.verdict == "discard")).label("discarded"),
            _times(reviews.c.adjudicates).label("adjudicated"),
            _times(shared & agrees.is_not(None)).label("settled"),
            _times(and_(shared, agrees)).label("agreed"),
        )
        .where(_standing(app, queue))
        .group_by(reviews.c.reviewer)
    )
    done = {row.reviewer: dict(row._mapping) for row in connection.execute(query)}
    held = _in_hand(connection, app, queue, at)
    called = names(connection, {*done, *held})
    nothing = dict.fromkeys(("done", "discarded", "adjudicated", "settled", "agreed"), 0)
    found = [
        ReviewerProgress.model_validate(
            {
                **nothing,
                **done.get(who, {}),
                "reviewer": who,
                "name": called.get(who, ""),
                "in_hand": held.get(who, 0),
                "seconds": _seconds(connection, app, queue, who),
            }
        )
        for who in {*done, *held}
    ]
    return tuple(sorted(found, key=lambda each: (-each.done, each.name, each.reviewer)))


def _in_hand(connection: Connection, app: str, queue: str, at: datetime) -> dict[str, int]:
    mine = (review_items.c.app == app) & (review_items.c.queue == queue)
    query = (
        select(review_leases.c.reviewer, func.count())
        .join(review_items, review_items.c.id == review_leases.c.item_id)
        .where(mine, review_leases.c.until > at)
        .group_by(review_leases.c.reviewer)
    )
    return {str(row[0]): int(row[1]) for row in connection.execute(query)}


def _seconds(connection: Connection, app: str, queue: str, reviewer: str) -> float | None:
    mine = _standing(app, queue) & (reviews.c.reviewer == reviewer)
    newest = reviews.c.created_at.desc()
    query = select(reviews.c.seconds).where(mine).order_by(newest).limit(RECENT)
    taken = [seconds for seconds in connection.scalars(query) if seconds]
    return round(median(taken), 1) if taken else None


def _standing(app: str, queue: str) -> ColumnElement[bool]:
    mine = (reviews.c.app == app) & (reviews.c.queue == queue) & reviews.c.latest
    return mine & (reviews.c.verdict != "withdrawn")


def _times(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.coalesce(func.sum(case((condition, 1), else_=0)), 0)
