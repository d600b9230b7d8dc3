"""Work in order, so many at once, and how it ends. And batches: what waits together is done
together.
"""

import asyncio
from collections.abc import Sequence

import pytest

from llmops.tasks.calls.budget import BudgetReached
from llmops.tasks.calls.concurrency import MicroBatcher, run_bounded
from llmops.tasks.errors import Unavailable


def test_all_pieces_are_done_and_no_more_at_once_than_wanted() -> None:
    under_way, most, begun = 0, 0, list[int]()

    async def work(piece: int) -> int:
        nonlocal under_way, most
        begun.append(piece)
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0.001 * (piece % 3))
        under_way -= 1
        return piece

    done, stopped = asyncio.run(run_bounded(range(50), work, 7))
    assert (sorted(done), begun, most, stopped) == ([*range(50)], [*range(50)], 7, None)
    assert asyncio.run(run_bounded([], work, 7)) == ([], None)


def test_the_end_of_the_budget_begins_nothing_more_and_keeps_the_rest() -> None:
    begun = []

    async def work(piece: int) -> int:
        begun.append(piece)
        await asyncio.sleep(0.01 if piece < 3 else 0)
        if piece == 3:
            raise BudgetReached("the budget is used up")
        return piece

    assert asyncio.run(run_bounded(range(50), work, 4)) == ([0, 1, 2], "the budget is used up")
    assert begun == [0, 1, 2, 3]


@pytest.mark.parametrize("first", [BudgetReached("enough"), Unavailable("gone")])
def test_an_error_is_raised_when_what_was_begun_is_finished(first: Exception) -> None:
    done = []

    async def work(piece: int) -> None:
        if piece == 0:
            raise first
        await asyncio.sleep(0.01)
        done.append(piece)
        if piece == 1:
            raise Unavailable("gone")

    with pytest.raises(Unavailable, match="gone"):
        asyncio.run(run_bounded(range(50), work, 3))
    assert done == [1, 2]


def test_what_gathers_while_a_batch_is_under_way_is_the_next_one() -> None:
    batches: list[list[int]] = []

    def double(items: Sequence[int]) -> list[int]:
        batches.append(list(items))
        return [2 * item for item in items]

    async def run() -> list[int]:
        made = MicroBatcher(double, 4)
        found = await asyncio.gather(*(made.do(item) for item in range(10)))
        await made.close()
        return found

    assert asyncio.run(run()) == [2 * item for item in range(10)]
    assert batches == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


def test_what_a_batch_raises_goes_to_all_of_it_and_the_next_one_is_done() -> None:
    def careful(items: Sequence[int]) -> list[int]:
        if 0 in items:
            raise Unavailable("the disk is full")
        return list(items)

    async def run() -> list[int | BaseException]:
        made = MicroBatcher(careful, 2)
        found = await asyncio.gather(*(made.do(item) for item in range(4)), return_exceptions=True)
        await made.close()
        return found

    assert [str(one) for one in asyncio.run(run())] == [
        "the disk is full",
        "the disk is full",
        "2",
        "3",
    ]
