"""What became of the answers for which somebody wanted a person: for those who asked."""

from collections.abc import Collection, Sequence
from datetime import datetime
from pathlib import Path
from typing import Literal, NamedTuple

from sqlalchemy import Text, cast, select

from llmops.tasks.ledger import existing_ledger
from llmops.tasks.ledger.application import traces
from llmops.tasks.ledger.review import review_items
from llmops.tasks.review.items import ASKED, ReviewItem, ReviewRow, completed
from llmops.tasks.traces.index import parts

CLOSED = ("done", "discarded")
WANTED = cast(review_items.c.reasons, Text).contains(f'"{ASKED}"', autoescape=True)


class PersonsWord(NamedTuple):
    """`verdict`: "" for as long as a person will look at it, else good, bad, or discard: nobody can
    say. `correction`: the better answer, "" for none; `at`: when it was settled.
    """

    verdict: Literal["", "good", "bad", "discard"] = ""
    correction: str = ""
    at: datetime | None = None


def asked(home: Path, app: str, trace_ids: Collection[str]) -> dict[str, PersonsWord]:
    """Of those traces for which a person was wanted, in the application's own queue."""
    mine = (review_items.c.app == app) & (review_items.c.queue == app)
    found: dict[str, PersonsWord] = {}
    with existing_ledger(home).read() as connection:
        for part in parts(trace_ids):
            query = select(review_items).where(mine, WANTED, review_items.c.trace_id.in_(part))
            rows = connection.execute(query).all()
            found |= {each.trace_id: word(each) for each in completed(connection, rows)}
    return found


def word(item: ReviewItem) -> PersonsWord:
    """What an item came to: the newest adjudication decides, else the reviews that agree."""
    if item.state not in CLOSED:
        return PersonsWord()
    said = _deciding(item.reviews)
    newest = sorted(said, key=lambda each: (each.created_at, each.reviewer), reverse=True)
    correction = next((each.correction for each in newest if each.correction), "")
    verdict: Literal["good", "bad", "discard"] = "discard"
    if item.state == "done":
        verdict = "good" if item.verdict == "good" else "bad"
    return PersonsWord(verdict, "" if verdict == "discard" else correction, item.closed_at)


def answered(
    home: Path, app: str, person: str, key_id: str, conversations: Collection[str]
) -> set[str]:
    """Those conversations of one person under one key in which a person has answered."""
    settled = (review_items.c.app == app) & (review_items.c.queue == app) & WANTED
    settled &= review_items.c.state.in_(CLOSED)
    own = (traces.c.app == app) & (traces.c.person == person) & (traces.c.key_id == key_id)
    query = (
        select(traces.c.conversation)
        .join(review_items, review_items.c.trace_id == traces.c.id)
        .where(settled, own, traces.c.deleted_at.is_(None))
    )
    found = set[str]()
    with existing_ledger(home).read() as connection:
        for part in parts(conversations):
            found |= set(connection.scalars(query.where(traces.c.conversation.in_(part))))
    return found


def _deciding(reviews: Sequence[ReviewRow]) -> Sequence[ReviewRow]:
    valid = [each for each in reviews if each.verdict != "withdrawn"]
    rulings = [each for each in valid if each.adjudicates]
    return [max(rulings, key=lambda each: each.created_at)] if rulings else valid
