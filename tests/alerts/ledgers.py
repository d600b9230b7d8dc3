"""Traffic, scores and outcomes in a ledger, as an application and its flows leave them."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

from sqlalchemy import insert

from llmops.tasks.ledger import open_ledger
from llmops.tasks.ledger.application import feedback, live_scores, traces
from llmops.tasks.ledger.tables import costs, knowledge_bases, listings, quarantine, runs, versions

IDS = count()


def asked(
    home: Path,
    began: Iterable[datetime],
    *,
    app: str = "helpdesk",
    statuses: Sequence[str] = ("ok",),
    latencies: Sequence[float | None] = (100.0,),
    conversations: Sequence[str] = ("",),
    costs_usd: Sequence[float] = (0.001,),
    ratings: Sequence[str | None] = (None,),
    scores: Sequence[float | None] = (None,),
    deleted: bool = False,
) -> None:
    """A trace at each time; the other values are dealt out in turn."""
    rows, rated, scored = [], [], []
    for n, at in enumerate(began):
        identity = f"tr-{next(IDS):032x}"
        rows.append(
            {
                "id": identity,
                "app": app,
                "conversation": conversations[n % len(conversations)],
                "person": "",
                "key_id": "",
                "status": statuses[n % len(statuses)],
                "cost_usd": costs_usd[n % len(costs_usd)],
                "tokens": 100,
                "began_at": at,
                "latency_ms": latencies[n % len(latencies)],
                "deleted_at": at if deleted else None,
            }
        )
        if rating := ratings[n % len(ratings)]:
            said: dict[str, Any] = {"trace_id": identity, "person": "p", "rating": rating}
            empty = {"comment": "", "correction": "", "key_id": ""}
            rated.append({**said, **empty, "created_at": at, "updated_at": at})
        if (score := scores[n % len(scores)]) is not None:
            of = {"trace_id": identity, "metric": "grounded", "app": app, "scorer": "s"}
            scored.append({**of, "value": score, "reason": "", "failed": False, "scored_at": at})
    with open_ledger(home).write() as connection:
        for table, found in ((traces, rows), (feedback, rated), (live_scores, scored)):
            if found:
                connection.execute(insert(table), found)


def times(first: datetime, number: int, step: timedelta) -> list[datetime]:
    return [first + n * step for n in range(number)]


def monitored(home: Path, app: str, at: datetime, **outcome: object) -> None:
    """What a monitor left behind."""
    row = {"id": f"run-{app}-{at.timestamp()}", "kb": app, "finished_at": at}
    with open_ledger(home).write() as connection:
        content = {"flow": "monitor", "app": app, "until": at.isoformat(), **outcome}
        connection.execute(insert(runs).values(**row, outcome=content))


def built(home: Path, name: str, at: datetime, *, documents: int = 40, failed: int = 0) -> None:
    """A knowledge base whose sources were last listed then."""
    with open_ledger(home).write() as connection:
        connection.execute(
            insert(knowledge_bases).values(name=name, live=1, next_version=2, created_at=at)
        )
        connection.execute(
            insert(versions).values(
                kb=name,
                version=1,
                status="published",
                collection="c",
                documents=documents,
                cleared=False,
                created_at=at,
            )
        )
        for number, source in enumerate(("files", "web")):
            there = at + timedelta(hours=number)
            connection.execute(
                insert(listings).values(kb=name, source=source, completed_at=there, documents=1)
            )
        for number in range(failed + 1):
            connection.execute(insert(quarantine).values(**_failed(name, number, at)))


def _failed(name: str, number: int, at: datetime) -> dict[str, Any]:
    """The first is a near duplicate, which is no failure."""
    return {
        "id": f"q{number}",
        "kb": name,
        "source": "files",
        "uri": f"{number}.pdf",
        "doc_id": f"d{number}",
        "stage": "parse",
        "error": "DocumentError" if number else "NearDuplicate",
        "reason": "no",
        "retryable": False,
        "attempts": 1,
        "revision": "r",
        "stages": "s",
        "first_seen": at,
        "last_seen": at,
    }


def paid(home: Path, day: str, usd: float) -> None:
    with open_ledger(home).write() as connection:
        connection.execute(
            insert(costs).values(
                day=day, flow="serve", name="", model="m", calls=1, tokens=1, cost_usd=usd
            )
        )
