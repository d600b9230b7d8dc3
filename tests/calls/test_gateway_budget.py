"""What the desk pays: never more than the budget. Against a local endpoint, which counts."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from llmops.tasks.calls.budget import BudgetReached
from llmops.tasks.calls.gateway import Asked, Desk
from llmops.tasks.errors import ConfigError
from llmops.tasks.evaluation.run import Spent
from tests.calls.gateways import ask, at_desk
from tests.evaluation.trials import model, questions, trial
from tests.openai_server import Service, serving


@pytest.fixture
def service() -> Iterator[Service]:
    with serving(lambda messages: f"answer to {messages[-1]['content']}") as found:
        yield found


@pytest.mark.parametrize(("limit", "spent"), [(0, 0), (1, 0), (17, 0), (17, 5)])
def test_a_budget_of_calls_is_never_passed(
    tmp_path: Path, service: Service, limit: int, spent: int
) -> None:
    async def many(desk: Desk) -> list[Asked | BaseException]:
        return await asyncio.gather(
            *(desk.ask(model(service.base_url), None, ask(str(n))) for n in range(40)),
            return_exceptions=True,
        )

    found, paid = at_desk(
        trial(tmp_path, service.base_url, budget_calls=limit), many, Spent(calls=spent)
    )
    assert len(service.requests) == limit - spent
    assert [type(one) for one in found].count(BudgetReached) == 40 - (limit - spent)
    assert paid.calls == limit


def test_what_is_remembered_needs_no_budget(tmp_path: Path, service: Service) -> None:
    async def once(desk: Desk) -> Asked:
        return await desk.ask(model(service.base_url), (1.0, 1.0), ask())

    at_desk(trial(tmp_path, service.base_url), once)
    found, spent = at_desk(trial(tmp_path, service.base_url, budget_calls=0, budget_usd=0.0), once)
    assert (found.cached, spent) == (True, Spent(cached=1))


def test_a_budget_in_dollars_is_never_passed_and_used_nearly_to_its_end(
    tmp_path: Path, service: Service
) -> None:
    small, price = (
        model(service.base_url, max_tokens=10),
        (0.0, 1e6),
    )  # a dollar per token: replies have 3 tokens, 10 are reserved

    async def many(desk: Desk) -> list[Asked | BaseException]:
        return await asyncio.gather(
            *(desk.ask(small, price, ask(str(n))) for n in range(40)), return_exceptions=True
        )

    found, spent = at_desk(trial(tmp_path, service.base_url, budget_usd=50.0, concurrency=4), many)
    answered = [one for one in found if isinstance(one, Asked)]
    assert spent.cost_usd == sum(one.cost_usd for one in answered) == 3 * len(service.requests)
    assert 50 - 10 < spent.cost_usd <= 50


def test_dollars_are_not_counted_with_a_model_whose_price_nobody_knows(
    tmp_path: Path, service: Service
) -> None:
    async def once(desk: Desk) -> Asked:
        return await desk.ask(model(service.base_url), None, ask())

    with pytest.raises(ConfigError, match="price of the model small is not known"):
        at_desk(trial(tmp_path, service.base_url, budget_usd=1.0), once)
    assert questions(service.requests) == []
