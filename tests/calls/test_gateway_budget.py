"""What the gateway pays: never more than the budget. Against a local endpoint, which counts."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from llmops.tasks.calls.budget import BudgetReached, Spent
from llmops.tasks.calls.gateway import Gateway, GatewayReply
from llmops.tasks.calls.prices import Price
from llmops.tasks.errors import ConfigError
from tests.calls.gateways import ask, model, through
from tests.evaluation.runs import questions
from tests.openai_server import Service, serving


@pytest.fixture
def service() -> Iterator[Service]:
    with serving(lambda messages: f"answer to {messages[-1]['content']}") as found:
        yield found


@pytest.mark.parametrize(("limit", "spent"), [(0, 0), (1, 0), (17, 0), (17, 5)])
def test_a_budget_of_calls_is_never_passed(
    tmp_path: Path, service: Service, limit: int, spent: int
) -> None:
    async def many(gateway: Gateway) -> list[GatewayReply | BaseException]:
        return await asyncio.gather(
            *(gateway.ask(model(service.base_url), None, ask(str(n))) for n in range(40)),
            return_exceptions=True,
        )

    found, paid = through(tmp_path / "home", many, Spent(calls=spent), calls=limit)
    assert len(service.requests) == limit - spent
    assert [type(one) for one in found].count(BudgetReached) == 40 - (limit - spent)
    assert paid.calls == limit


def test_what_is_remembered_needs_no_budget(tmp_path: Path, service: Service) -> None:
    async def once(gateway: Gateway) -> GatewayReply:
        return await gateway.ask(model(service.base_url), Price(1.0, 1.0), ask())

    through(tmp_path / "home", once)
    found, spent = through(tmp_path / "home", once, calls=0, usd=0.0)
    assert (found.cached, spent) == (True, Spent(cached=1))


def test_a_budget_in_dollars_is_never_passed_and_used_nearly_to_its_end(
    tmp_path: Path, service: Service
) -> None:
    small, price = (
        model(service.base_url, max_tokens=10),
        Price(0.0, 1e6),
    )  # a dollar per token: replies have 3 tokens, 10 are reserved

    async def many(gateway: Gateway) -> list[GatewayReply | BaseException]:
        return await asyncio.gather(
            *(gateway.ask(small, price, ask(str(n))) for n in range(40)), return_exceptions=True
        )

    found, spent = through(tmp_path / "home", many, usd=50.0, width=4)
    answered = [one for one in found if isinstance(one, GatewayReply)]
    assert spent.cost_usd == sum(one.cost_usd for one in answered) == 3 * len(service.requests)
    assert 50 - 10 < spent.cost_usd <= 50


def test_dollars_are_not_counted_with_a_model_whose_price_nobody_knows(
    tmp_path: Path, service: Service
) -> None:
    async def once(gateway: Gateway) -> GatewayReply:
        return await gateway.ask(model(service.base_url), None, ask())

    with pytest.raises(ConfigError, match="price of the model small is not known"):
        through(tmp_path / "home", once, usd=1.0)
    assert questions(service.requests) == []
