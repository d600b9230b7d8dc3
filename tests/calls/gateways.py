"""A gateway for the length of some work, what to ask, and what is remembered afterwards."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import select

from llmops.tasks.calls.budget import Budget, Spent
from llmops.tasks.calls.costs import Payer, booked
from llmops.tasks.calls.gateway import Gateway
from llmops.tasks.ledger import open_ledger
from llmops.tasks.ledger.tables import calls
from llmops.tasks.plugins.llms import Llm, Message, Request
from tests.evaluation import runs
from tests.ledgers import with_ledger

T = TypeVar("T")
PAYER = Payer("evaluate", "desk")


def through(
    home: Path,
    work: Callable[[Gateway], Awaitable[T]],
    spent: Spent | None = None,
    *,
    width: int = 8,
    usd: float | None = None,
    calls: int | None = None,
) -> tuple[T, Spent]:
    """What the work has found, and what is spent after it, with what was spent before. The ledger
    notes just that.
    """
    before = spent or Spent()

    async def run() -> tuple[T, Spent]:
        async with Gateway(
            with_ledger(home), Budget(usd, calls, spent), width, payer=PAYER
        ) as gateway:
            found = await work(gateway)
        return found, gateway.spent

    noted = noted_costs(home)
    found, after = asyncio.run(run())
    now = noted_costs(home)
    paid = (after.tokens - before.tokens, round(after.cost_usd - before.cost_usd, 9))
    assert (now[0] - noted[0], round(now[1] - noted[1], 9)) == paid
    return found, after


def noted_costs(home: Path) -> tuple[int, float]:
    """Tokens and US dollars of all costs that the ledger notes."""
    rows = booked(open_ledger(with_ledger(home)))
    assert {(row.flow, row.name) for row in rows} <= {PAYER}
    return sum(row.tokens for row in rows), sum(row.cost_usd for row in rows)


def model(base_url: str, **options: Any) -> Llm:
    return runs.model(base_url, **options).build(Llm)


def ask(text: str = "Why?", **changes: Any) -> Request:
    return Request(messages=(Message(role="user", content=text),), **changes)


def remembered(home: Path) -> int:
    with open_ledger(home).read() as connection:
        return len(connection.execute(select(calls.c.key)).all())
