"""Many pieces of work in their order, so many at once, until the budget ends them or one of them
fails.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import TypeVar

from llmops.tasks.calls.budget import BudgetReached

A = TypeVar("A")
B = TypeVar("B")


async def crew(
    pieces: Iterable[A], work: Callable[[A], Awaitable[B]], width: int
) -> tuple[list[B], str | None]:
    """The results in the order in which they were finished, and why not all pieces were begun:
    None, or the end of the budget.

    Pieces that were begun are finished, since they may have been paid. The first other error is
    raised after them.
    """
    line, done, failures = iter(pieces), list[B](), list[Exception]()
    await asyncio.gather(*(_worker(line, work, done, failures) for _ in range(width)))
    grave = [error for error in failures if not isinstance(error, BudgetReached)]
    if grave:
        raise grave[0]
    return done, str(failures[0]) if failures else None


async def _worker(
    line: Iterator[A], work: Callable[[A], Awaitable[B]], done: list[B], failures: list[Exception]
) -> None:
    for piece in line:
        try:
            done.append(await work(piece))
        except Exception as error:  # noqa: BLE001 - raised when the others have finished what they had begun
            failures.append(error)
        if failures:
            return
