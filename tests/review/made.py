"""Items and reviewers, for the tests of this room."""

from datetime import timedelta
from pathlib import Path

from sqlalchemy import update

from llmops.tasks.audit.people import pseudonym
from llmops.tasks.ledger import now, open_ledger
from llmops.tasks.ledger.review import review_leases
from llmops.tasks.review.items import NewItem, enqueue
from llmops.tasks.traces import index
from tests.traces.made import recorded

APP = "helpdesk"


def reviewer(home: Path, name: str) -> str:
    return pseudonym(open_ledger(home), f"{APP}/{name}")


def asked(home: Path, count: int = 1, app: str = APP) -> list[str]:
    """Traces of answers, as the ledger knows them."""
    made = [recorded(app=app) for _ in range(count)]
    index.enter(home, made)
    return [trace.id for trace in made]


def queued(home: Path, count: int = 1, wanted: int = 1) -> list[str]:
    """Traces that wait for reviewers, the first one before the others."""
    ids = asked(home, count)
    items = [NewItem(each, ("random",), 1 - n / 1000) for n, each in enumerate(ids)]
    assert enqueue(home, APP, "", items, wanted) == count
    return ids


def expire(home: Path) -> None:
    """Every lease has run out, as if an hour had passed."""
    with open_ledger(home).write() as connection:
        connection.execute(update(review_leases).values(until=now() - timedelta(hours=1)))
