"""A desk for the length of some work, what to ask at it, and what is remembered afterwards."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import select

from llmops.tasks.calls.gateway import Desk
from llmops.tasks.evaluation.run import Spent, Trial
from llmops.tasks.ledger import open_ledger
from llmops.tasks.ledger.tables import calls
from llmops.tasks.plugins.llms import Message, Request

T = TypeVar("T")


def at_desk(
    order: Trial, work: Callable[[Desk], Awaitable[T]], spent: Spent | None = None
) -> tuple[T, Spent]:
    async def run() -> tuple[T, Spent]:
        async with Desk(order, spent or Spent()) as desk:
            found = await work(desk)
        return found, desk.spent

    return asyncio.run(run())


def ask(text: str = "Why?", **changes: Any) -> Request:
    return Request(messages=(Message(role="user", content=text),), **changes)


def remembered(home: Path) -> int:
    with open_ledger(home).read() as connection:
        return len(connection.execute(select(calls.c.key)).all())
