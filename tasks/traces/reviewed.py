"""Reviews on their way to MLflow, as assessments of their traces; and what somebody who is deleted
has said in them.
"""

from collections.abc import Collection, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict
from sqlalchemy import ColumnElement, Connection, Select, delete, func, select, update

from llmops.tasks.ledger import now, open_ledger
from llmops.tasks.ledger.application import people, traces
from llmops.tasks.ledger.review import (
    preferences,
    review_items,
    review_leases,
    reviews,
    sessions,
)
from llmops.tasks.traces.index import parts
from llmops.tasks.tracking.trace_records import Rating
from llmops.tasks.tracking.traces import TraceStore

NAMES = ("review", "correction")
"""Of the assessments on the trace; an adjudication has the same ones, under a key of its own."""


class AssessmentRow(BaseModel):
    """A review that MLflow does not have yet."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    item_id: str
    reviewer: str
    number: int
    trace_id: str
    verdict: str
    correction: str
    comment: str
    adjudicates: bool
    latest: bool

    @property
    def key(self) -> str:
        """What makes it one assessment, however often it changes."""
        return f"{'adjudication' if self.adjudicates else 'review'}/{self.reviewer}/{self.item_id}"


def unassessed(home: Path, app: str, limit: int = 50) -> list[AssessmentRow]:
    """Reviews that MLflow does not have, on traces that it has."""
    query = (
        select(reviews)
        .join(traces, traces.c.id == reviews.c.trace_id)
        .where(reviews.c.stored_at.is_(None), reviews.c.app == app)
        .where(traces.c.stored_at.is_not(None), traces.c.deleted_at.is_(None))
        .order_by(reviews.c.created_at)
        .limit(limit)
    )
    return _rows(home, query)


def assess(home: Path, store: TraceStore, rows: Sequence[AssessmentRow]) -> int:
    """Make the assessments in MLflow what the ledger says: of each reviewer the one that holds.
    Returns how many rows are done.
    """
    for row in rows:
        if row.latest:
            said = None if row.verdict == "withdrawn" else row.verdict
            verdict = Rating(
                key=row.key,
                name=NAMES[0],
                value=said,
                rationale=row.comment,
                source=row.reviewer,
            )
            correction = Rating(
                key=f"{row.key}/correction",
                name=NAMES[1],
                value=row.correction or None,
                source=row.reviewer,
                expectation=True,
            )
            for each in (verdict, correction):
                store.rate(row.trace_id, each)
        _mark(home, row)
    return len(rows)


def forget_reviews(connection: Connection, ids: Collection[str]) -> dict[str, int]:
    """Everything that was said of traces: items with their drafts, reviews, votes."""
    counts = {"review_items": 0, "review_leases": 0, "reviews": 0, "preferences": 0}
    for part in parts(ids):
        items = select(review_items.c.id).where(review_items.c.trace_id.in_(part))
        drafts = delete(review_leases).where(review_leases.c.item_id.in_(items))
        counts["review_leases"] += connection.execute(drafts).rowcount
        for table in (reviews, review_items, preferences):
            gone = connection.execute(delete(table).where(table.c.trace_id.in_(part)))
            counts[table.name] += gone.rowcount
    return counts


def withdraw_reviews(connection: Connection, pseudonym: str) -> dict[str, int]:
    """What somebody wrote of answers to others goes. Their verdicts stay, as those of nobody: they
    are no texts, and what was decided by them stands.
    """
    asked = review_items.c.asked_by == pseudonym
    mine = reviews.c.reviewer == pseudonym
    work = {
        "reviews": update(reviews).where(mine).values(comment="", correction="", stored_at=None),
        "review_items": update(review_items).where(asked).values(note="", asked_by=""),
        "review_leases": delete(review_leases).where(review_leases.c.reviewer == pseudonym),
        "preferences": delete(preferences).where(preferences.c.person == pseudonym),
    }
    return {table: connection.execute(each).rowcount for table, each in work.items()}


def forget_sessions(connection: Connection, name: str) -> int:
    """Sign out whoever is called `APP/USER` or `key/ID`."""
    return connection.execute(delete(sessions).where(_sessions_of(name))).rowcount


def reviews_of(connection: Connection, name: str, pseudonym: str | None) -> dict[str, int]:
    """How much of somebody there is, by table."""
    who = pseudonym or None
    found = {
        "reviews": reviews.c.reviewer == who,
        "review_items": review_items.c.asked_by == who,
        "review_leases": review_leases.c.reviewer == who,
        "preferences": preferences.c.person == who,
        "sessions": _sessions_of(name),
    }
    return {
        table: connection.scalar(select(func.count()).where(condition)) or 0
        for table, condition in found.items()
    }


def of_nobody(home: Path) -> list[AssessmentRow]:
    """Reviews of people who were deleted, whose texts MLflow may still have."""
    nobody = reviews.c.reviewer.not_in(select(people.c.pseudonym))
    stored = select(traces.c.id).where(traces.c.stored_at.is_not(None))
    there = reviews.c.trace_id.in_(stored)
    return _rows(home, select(reviews).where(nobody, there, reviews.c.stored_at.is_(None)))


def _rows(home: Path, query: Select[tuple[object, ...]]) -> list[AssessmentRow]:
    with open_ledger(home).read() as connection:
        return [
            AssessmentRow.model_validate(dict(row._mapping)) for row in connection.execute(query)
        ]


def _mark(home: Path, row: AssessmentRow) -> None:
    """MLflow has it, unless it was changed meanwhile: then a later one holds."""
    same = (reviews.c.item_id == row.item_id) & (reviews.c.reviewer == row.reviewer)
    same &= (reviews.c.number == row.number) & (reviews.c.latest == row.latest)
    same &= (reviews.c.comment == row.comment) & (reviews.c.correction == row.correction)
    with open_ledger(home).write() as connection:
        connection.execute(update(reviews).where(same).values(stored_at=now()))


def _sessions_of(name: str) -> ColumnElement[bool]:
    """`name` is `APP/USER`, who gave their name, or `key/ID`."""
    kind, _, rest = name.partition("/")
    if kind == "key":
        return sessions.c.key_id == rest
    return (sessions.c.key_id == "") & (sessions.c.name == rest)
