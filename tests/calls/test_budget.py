"""The budget: what it lets pass, what it waits for, and that it is never passed."""

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmops.tasks.calls.budget import (
    FRAME,
    LONGEST_REPLY,
    Budget,
    BudgetReached,
    Spent,
    check_price,
    most,
)
from llmops.tasks.calls.prices import Price, cost_of
from llmops.tasks.errors import ConfigError
from llmops.tasks.plugins.llms import Llm, Message, Reply, Request
from llmops.tasks.plugins.llms.openai import OpenAILlm

MODEL = OpenAILlm(model="m", max_tokens=100)
CALL = st.tuples(st.integers(1, 50), st.floats(0, 1), st.integers(0, 3), st.booleans())


def ask(text: str = "Why?", **changes: Any) -> Request:
    return Request(messages=(Message(role="user", content=text),), **changes)


def dollars(llm: Llm, request: Request, out: float) -> float:
    return most(llm, Price(0.0, out), request)


@given(calls=st.lists(CALL, max_size=40), usd=st.integers(0, 400), count=st.integers(0, 40))
def test_what_is_paid_and_reserved_never_passes_the_budget(
    calls: list[tuple[int, float, int, bool]], usd: int, count: int
) -> None:
    budget, most_at_once, flying = Budget(usd, count, Spent()), 0, 0
    given_up: list[int] = []

    async def call(reserved: int, share: float, pause: int, fails: bool) -> None:
        nonlocal flying, most_at_once
        try:
            await budget.reserve(reserved)
        except BudgetReached:
            given_up.append(reserved)
            assert (
                budget.spent.cost_usd + reserved > usd or budget.spent.calls + 1 > count
            )  # nothing that may come back is waited for
            return
        flying += 1
        most_at_once = max(most_at_once, flying)
        for _ in range(pause):
            await asyncio.sleep(0)
        flying -= 1
        budget.settle(reserved, None if fails else Reply(text=""), 0 if fails else reserved * share)
        assert budget.spent.cost_usd <= usd + 1e-9
        assert budget.spent.calls + flying <= count

    async def all_at_once() -> None:
        await asyncio.gather(*(call(*one) for one in calls))

    asyncio.run(all_at_once())
    assert budget.spent.calls + len(given_up) == len(calls)


def test_a_call_waits_for_those_under_way_before_it_gives_up() -> None:
    async def both() -> tuple[bool, int]:
        budget = Budget(10.0, None, Spent())
        await budget.reserve(8.0)
        second = asyncio.create_task(budget.reserve(8.0))
        await asyncio.sleep(0)
        waited = not second.done()
        budget.settle(8.0, Reply(text=""), 1.5)
        await second
        budget.settle(8.0, Reply(text="", tokens_in=3, tokens_out=4), 8.0)
        with pytest.raises(
            BudgetReached,
            match=r"\$10 is used up: \$9\.5000 were paid, and the next call may cost up to "
            r"\$1\.0000",
        ):
            await budget.reserve(1.0)
        return waited, budget.spent.tokens

    assert asyncio.run(both()) == (True, 7)


def test_what_was_paid_before_counts() -> None:
    async def one() -> None:
        with pytest.raises(BudgetReached, match="the budget of 5 calls is used up"):
            await Budget(None, 5, Spent(calls=5)).reserve(0.0)
        with pytest.raises(BudgetReached, match="the budget of 0 calls is used up"):
            await Budget(None, 0, Spent()).reserve(0.0)
        await Budget(0.0, None, Spent()).reserve(0.0)  # free of cost

    asyncio.run(one())


def test_a_request_that_failed_counts_as_a_call_and_one_that_never_left_does_not() -> None:
    async def both() -> Spent:
        budget = Budget(1.0, 2, Spent())
        await budget.reserve(0.5)
        budget.settle(0.5, None)
        await budget.reserve(0.5)
        budget.settle(0.5, None, asked=False)
        await budget.reserve(1.0)
        return budget.spent

    assert asyncio.run(both()) == Spent(calls=1)


def test_the_upper_bound_counts_bytes_and_the_longest_reply() -> None:
    assert most(MODEL, Price(1e6, 0.0), ask("né")) == pytest.approx(
        3 + FRAME, abs=20
    )  # beside it: the JSON of what is not given
    assert most(MODEL, Price(1e6, 0.0), ask("né" * 100)) - most(
        MODEL, Price(1e6, 0.0), ask("né")
    ) == pytest.approx(3 * 99)
    assert most(MODEL, Price(1e6, 0.0), ask(output={"type": "object"})) > most(
        MODEL, Price(1e6, 0.0), ask()
    )
    assert dollars(MODEL, ask(), 1e6) == 100
    assert dollars(MODEL, ask(parameters={"max_tokens": 7}), 1e6) == 7
    assert dollars(MODEL, ask(parameters={"max_completion_tokens": 900}), 1e6) == 900
    assert dollars(MODEL, ask(parameters={"n": 3}), 1e6) == 300
    assert dollars(OpenAILlm(model="m"), ask(), 1e6) == LONGEST_REPLY
    assert most(MODEL, None, ask()) == 0.0


def test_costs_are_per_million_tokens() -> None:
    assert cost_of(Price(0.15, 0.60), 1_000, 500) == pytest.approx(0.00045)
    assert cost_of(None, 1_000, 500) == 0.0


def test_a_price_that_nobody_knows_keeps_no_budget() -> None:
    check_price(MODEL, None, None)
    check_price(MODEL, Price(0.0, 0.0), 1.0)
    with pytest.raises(ConfigError, match=r"budget\.usd cannot be kept.*price_in and price_out"):
        check_price(MODEL, None, 1.0)
