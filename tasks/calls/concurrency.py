"""Bounded concurrency: many pieces of work in their order, so many at once. And micro-batches: what
is asked for at the same time is done at once, in a thread: one transaction for many calls, one
batch for many questions.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from typing import Generic, TypeVar

from llmops.tasks.calls.budget import BudgetReached
from llmops.tasks.stopping import Stopped, check

A = TypeVar("A")
B = TypeVar("B")


async def run_bounded(
    pieces: Iterable[A], work: Callable[[A], Awaitable[B]], width: int
) -> tuple[list[B], str | None]:
    """The results in the order in which they were finished, and why not all pieces were begun:
    None, or the end of the budget.

    Pieces that were begun are finished, since they may have been paid. The first other error is
    raised after them.
    """
    line, done, failures = iter(pieces), list[B](), list[Exception | Stopped]()
    await asyncio.gather(*(_worker(line, work, done, failures) for _ in range(width)))
    grave = [error for error in failures if not isinstance(error, BudgetReached)]
    if grave:
        raise grave[0]
    return done, str(failures[0]) if failures else None


async def _worker(
    line: Iterator[A],
    work: Callable[[A], Awaitable[B]],
    done: list[B],
    failures: list[Exception | Stopped],
) -> None:
    for piece in line:
        try:
            check()
            done.append(await work(piece))
        except (Exception, Stopped) as error:  # noqa: BLE001 - raised when the others have finished what they had begun
            failures.append(error)
        if failures:
            return


class MicroBatcher(Generic[A, B]):
    """`work` gets what has gathered while it was busy with the batch before, at most `most` at a
    time, and answers in that order.

    It is called in a thread, never twice at once. What it raises goes to all who wait for that
    batch. Belongs to one event loop.
    """

    def __init__(self, work: Callable[[Sequence[A]], Sequence[B]], most: int = 500) -> None:
        self._work, self._most = work, most
        self._waiting: list[tuple[A, asyncio.Future[B]]] = []
        self._runner: asyncio.Task[None] | None = None

    async def do(self, item: A) -> B:
        """One answer. When the caller is cancelled, the work is done all the same."""
        future: asyncio.Future[B] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._runner is None:
            self._runner = asyncio.create_task(self._run())
        return await future

    async def close(self) -> None:
        """Waits until everything that was asked for is done."""
        while self._runner is not None:
            await asyncio.wait([self._runner])

    async def _run(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
                await self._one(batch)
        finally:
            self._runner = None

    async def _one(self, batch: Sequence[tuple[A, "asyncio.Future[B]"]]) -> None:
        try:
            answers = await asyncio.to_thread(self._work, [item for item, _ in batch])
        except (Exception, Stopped) as error:  # noqa: BLE001 - whatever it is belongs to those who asked
            for _, future in batch:
                if not future.done():
                    future.set_exception(error)
            return
        for (_, future), answer in zip(batch, answers, strict=True):
            if not future.done():
                future.set_result(answer)
