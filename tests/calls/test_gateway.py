"""The gateway: asked once, remembered, within the budget, so many at once. Against a local
endpoint, which counts.
"""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from llmops.tasks.calls.budget import Spent
from llmops.tasks.calls.gateway import Gateway, GatewayReply
from llmops.tasks.calls.prices import Price
from llmops.tasks.errors import DocumentError, TransientDocumentError, Unavailable
from llmops.tasks.ledger import open_ledger
from llmops.tasks.ledger.tables import shown
from tests.calls.gateways import ask, model, remembered, through
from tests.openai_server import Answer, Service, serving


@pytest.fixture
def service() -> Iterator[Service]:
    with serving(lambda messages: f"answer to {messages[-1]['content']}") as found:
        yield found


def test_a_call_is_paid_once_and_then_remembered(tmp_path: Path, service: Service) -> None:
    home, price = tmp_path / "home", Price(1.0, 1e6)

    async def twice(gateway: Gateway) -> list[GatewayReply]:
        return [
            await gateway.ask(model(service.base_url), price, ask(), shown=[("kb", "d")])
            for _ in range(2)
        ]

    (first, second), spent = through(home, twice)
    assert (first.cached, second.cached, first.key) == (False, True, second.key)
    assert first.reply == second.reply
    assert first.reply.latency_ms > 0
    assert (
        first.cost_usd
        == second.cost_usd
        == pytest.approx(first.reply.tokens_in * 1e-6 + first.reply.tokens_out)
    )
    assert spent == Spent(
        calls=1,
        cached=1,
        tokens=first.reply.tokens_in + first.reply.tokens_out,
        cost_usd=first.cost_usd,
    )
    (third, _), later = through(home, twice, spent)
    assert third == second
    assert later == spent.model_copy(update={"cached": 3})
    assert len(service.requests) == 1
    with open_ledger(home).read() as connection:
        assert [tuple(row) for row in connection.execute(select(shown))] == [(first.key, "kb", "d")]


def test_the_same_is_asked_once_while_it_is_under_way(tmp_path: Path, service: Service) -> None:
    service.latency = 0.1

    async def at_once(gateway: Gateway) -> list[GatewayReply]:
        return await asyncio.gather(
            *(
                gateway.ask(model(service.base_url), None, ask(), shown=[("kb", f"d{n}")])
                for n in range(10)
            )
        )

    found, spent = through(tmp_path / "home", at_once)
    assert {one.reply.text for one in found} == {"answer to Why?"}
    assert sorted(one.cached for one in found) == [False] + [True] * 9
    assert (len(service.requests), spent.calls, spent.cached) == (1, 1, 9)
    with open_ledger(tmp_path / "home").read() as connection:
        assert set(connection.scalars(select(shown.c.doc_id))) == {f"d{n}" for n in range(10)}


def test_whoever_goes_away_takes_nobody_along(tmp_path: Path, service: Service) -> None:
    service.latency = 0.1

    async def one_leaves(gateway: Gateway) -> GatewayReply:
        first = asyncio.create_task(gateway.ask(model(service.base_url), None, ask()))
        second = asyncio.create_task(gateway.ask(model(service.base_url), None, ask()))
        await asyncio.sleep(0.05)
        first.cancel()
        return await second

    found, _ = through(tmp_path / "home", one_leaves)
    assert found.reply.text == "answer to Why?"
    assert len(service.requests) == 1


def test_repeats_models_and_parameters_are_calls_of_their_own(
    tmp_path: Path, service: Service
) -> None:
    async def all_of_them(gateway: Gateway) -> list[GatewayReply]:
        small = model(service.base_url)
        return [
            await gateway.ask(small, None, ask()),
            await gateway.ask(small, None, ask(), repeat=1),
            await gateway.ask(small, None, ask(parameters={"temperature": 1.0})),
            await gateway.ask(small, None, ask("How?")),
            await gateway.ask(model(service.base_url, model="large"), None, ask()),
        ]

    found, spent = through(tmp_path / "home", all_of_them)
    assert len({one.key for one in found}) == len(service.requests) == spent.calls == 5


def test_the_place_the_key_and_the_price_of_a_model_do_not_matter(
    tmp_path: Path, service: Service
) -> None:
    async def both(gateway: Gateway) -> list[GatewayReply]:
        return [
            await gateway.ask(model(service.base_url, api_key="a"), Price(1.0, 1.0), ask()),
            await gateway.ask(
                model("http://127.0.0.1:9/v1", api_key="b", timeout=1, price_in=3),
                Price(2.0, 2.0),
                ask(),
            ),
        ]

    (first, second), _ = through(tmp_path / "home", both)
    assert (first.key, first.reply) == (second.key, second.reply)
    assert second.cached
    assert second.cost_usd == pytest.approx(
        2 * first.cost_usd
    )  # what it costs at the prices of now


def test_no_more_are_under_way_than_wanted(tmp_path: Path, service: Service) -> None:
    service.latency = 0.02

    async def many(gateway: Gateway) -> list[GatewayReply]:
        return await asyncio.gather(
            *(gateway.ask(model(service.base_url), None, ask(str(n))) for n in range(60))
        )

    _, spent = through(tmp_path / "home", many, width=7)
    assert (service.most, spent.calls) == (7, 60)


def test_a_refused_request_is_not_remembered(tmp_path: Path, service: Service) -> None:
    service.script = [Answer(400, b'{"error": {"message": "too long"}}')]

    async def twice(gateway: Gateway) -> GatewayReply:
        with pytest.raises(DocumentError, match="too long"):
            await gateway.ask(model(service.base_url), None, ask())
        return await gateway.ask(model(service.base_url), None, ask())

    found, spent = through(tmp_path / "home", twice)
    assert (found.cached, spent.calls, remembered(tmp_path / "home")) == (False, 2, 1)


def test_an_endpoint_can_recognise_what_it_has_seen_before(
    tmp_path: Path, service: Service
) -> None:
    """After a kill the same request may come again; a repeat is another one."""
    service.script = [Answer(400)]

    async def thrice(gateway: Gateway) -> None:
        with pytest.raises(DocumentError):
            await gateway.ask(model(service.base_url), None, ask())
        await gateway.ask(model(service.base_url), None, ask())
        await gateway.ask(model(service.base_url), None, ask(), repeat=1)

    through(tmp_path / "home", thrice)
    first, again, repeat = (
        {name.lower(): value for name, value in headers.items()}["idempotency-key"]
        for headers in service.headers
    )
    assert first == again != repeat


@pytest.mark.parametrize("body", [b"<html>", b'{"choices": ['])
def test_a_case_that_is_never_answered_does_not_stop_a_run_whose_others_are_remembered(
    tmp_path: Path, service: Service, body: bytes
) -> None:
    """In a later process, here at another address, where nothing was answered yet."""
    through(
        tmp_path / "home",
        lambda gateway: gateway.ask(model(service.base_url), None, ask()),
    )

    async def rerun(gateway: Gateway) -> GatewayReply:
        found = await gateway.ask(model(later.base_url), None, ask())
        with pytest.raises(TransientDocumentError, match="tried 2 times"):
            await gateway.ask(model(later.base_url), None, ask("Why not?"))
        return found

    with serving() as later:
        later.script = [Answer(200, body)] * 2
        found, spent = through(tmp_path / "home", rerun)
    assert (found.cached, spent.calls, len(later.requests)) == (True, 1, 2)


def test_all_who_wait_for_a_request_that_fails_are_told(tmp_path: Path, service: Service) -> None:
    service.script = [Answer(400)] * 5

    async def at_once(gateway: Gateway) -> list[GatewayReply | BaseException]:
        return await asyncio.gather(
            *(gateway.ask(model(service.base_url), None, ask()) for _ in range(3)),
            return_exceptions=True,
        )

    found, _ = through(tmp_path / "home", at_once)
    assert [type(one) for one in found] == [DocumentError] * 3
    assert remembered(tmp_path / "home") == 0


def test_a_reply_that_was_cut_is_remembered_as_such(tmp_path: Path, service: Service) -> None:
    cut = {
        "choices": [
            {
                "index": 0,
                "finish_reason": "length",
                "message": {"role": "assistant", "content": "Beca"},
            }
        ]
    }
    service.script = [Answer(200, json.dumps(cut).encode())]

    async def twice(gateway: Gateway) -> list[GatewayReply]:
        return [await gateway.ask(model(service.base_url), None, ask()) for _ in range(2)]

    (first, second), _ = through(tmp_path / "home", twice)
    assert (first.reply.text, first.reply.finish, second.reply, second.cached) == (
        "Beca",
        "length",
        first.reply,
        True,
    )


def test_a_model_that_is_gone_is_not_asked_again(tmp_path: Path, service: Service) -> None:
    service.key = "right"

    async def many(gateway: Gateway) -> list[GatewayReply | BaseException]:
        wrong = model(service.base_url, api_key="wrong")
        return await asyncio.gather(
            *(gateway.ask(wrong, None, ask(str(n))) for n in range(50)), return_exceptions=True
        )

    found, spent = through(tmp_path / "home", many, width=2)
    assert [type(one) for one in found] == [Unavailable] * 50
    assert "wrong" not in str(found[0]).replace("wrong or expired", "")
    assert len(service.requests) <= 2
    assert (spent.calls, remembered(tmp_path / "home")) == (0, 0)
