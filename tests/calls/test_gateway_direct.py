"""Calls that are asked anew: paid each time, in the ledger without a text, ended with their
reader.
"""

import asyncio
import json
from contextlib import aclosing
from pathlib import Path

import pytest
from sqlalchemy import select

from llmops.tasks.calls import direct
from llmops.tasks.calls.budget import Budget, BudgetReached, Budgets
from llmops.tasks.calls.direct import estimated_size
from llmops.tasks.calls.gateway import Gateway, GatewayReply
from llmops.tasks.calls.prices import Price
from llmops.tasks.errors import DocumentError, Unavailable
from llmops.tasks.ledger import open_ledger
from llmops.tasks.ledger.tables import calls
from llmops.tasks.schemas import sha256
from tests.calls.gateways import ask, model, through
from tests.llm_faults import CUT, Answer, Body, broken, events
from tests.openai_server import serving

PRICE = Price(1.0, 10.0)


def rows(home: Path) -> list[tuple[str, str, str, int]]:
    with open_ledger(home).read() as connection:
        columns = (calls.c.key, calls.c.owner, calls.c.reply, calls.c.tokens)
        return [tuple(row) for row in connection.execute(select(*columns))]


def test_a_call_that_is_asked_anew_leaves_its_cost_and_no_text(tmp_path: Path) -> None:
    async def twice(gateway: Gateway) -> list[GatewayReply]:
        llm = model(service.base_url)
        remembered = await gateway.ask(llm, PRICE, ask("a b c"))
        anew = await gateway.ask_anew(llm, PRICE, ask("a b c"), "trace/1", owner="o" * 32)
        assert (await gateway.ask(llm, PRICE, ask("a b c"))).cached
        return [remembered, anew]

    with serving() as service:
        (first, second), spent = through(tmp_path / "home", twice)
        assert len(service.requests) == 2
    assert second.reply.text == first.reply.text == "a b c"
    assert (second.cached, second.key) == (False, sha256("trace/1"))
    assert (spent.calls, spent.cached) == (2, 1)
    kept = {row[0]: row[1:] for row in rows(tmp_path / "home")}
    assert kept[second.key] == ("o" * 32, "", 6)
    assert kept[first.key] == ("", "a b c", 6)


@pytest.mark.parametrize("pieces", [1, 2, 3])
def test_a_reader_who_leaves_pays_for_what_came(tmp_path: Path, pieces: int) -> None:
    paid: list[GatewayReply] = []

    async def leave(gateway: Gateway) -> None:
        llm, budget = model(service.base_url), Budget()
        asked = gateway.stream(
            llm, PRICE, ask("one two three"), "t", budget=budget, paid=paid.append
        )
        async with aclosing(asked) as parts:
            for _ in range(pieces):
                await anext(parts)
        assert budget.spent == gateway.spent
        assert budget.spent.calls == 1

    with serving() as service:
        _, spent = through(tmp_path / "home", leave)
    text = "".join(["one", " two", " three"][:pieces])
    (reply,) = paid
    assert (reply.reply.text, reply.reply.finish) == (text, "cancelled")
    tokens = reply.reply.tokens_in + reply.reply.tokens_out
    assert reply.reply.tokens_out == -(-len(text) // direct.BYTES_PER_TOKEN)
    assert spent.tokens == tokens
    assert [row[3] for row in rows(tmp_path / "home")] == [tokens]


def test_what_the_endpoint_says_goes_before_an_estimate(tmp_path: Path) -> None:
    async def whole(gateway: Gateway) -> list[str | GatewayReply]:
        return [part async for part in gateway.stream(llm, PRICE, ask("one two"), "t")]

    with serving() as service:
        llm = model(service.base_url)
        (*text, reply), _ = through(tmp_path / "home", whole)
        assert isinstance(reply, GatewayReply)
        assert (text, reply.reply.tokens_in, reply.reply.tokens_out) == (["one", " two"], 2, 2)
        silent = b'{"choices": [{"message": {"content": "four"}}]}'
        service.script = [Answer(200, silent)]
        *_, estimated = through(tmp_path / "home", whole)[0]
    assert isinstance(estimated, GatewayReply)
    assert estimated.reply.tokens_out == 1
    assert estimated.reply.tokens_in > 1


def said(**choice: object) -> bytes:
    return json.dumps({"choices": [choice], "usage": USAGE}).encode()


def delta(text: str) -> Body:
    return {"choices": [{"delta": {"content": text}}]}


USAGE = {"prompt_tokens": 7, "completion_tokens": 3}
WITHHELD = {"message": {"content": "x"}, "finish_reason": "content_filter"}
PROMPT = estimated_size(ask("a b c"))


@pytest.mark.parametrize(
    ("answers", "tokens"),
    [
        ([broken()], []),
        ([Answer(400)], []),
        ([Answer(200, b"<html>no model</html>", {}, "text/html")], []),
        ([Answer(500, json.dumps({"error": {}, "usage": USAGE}).encode())], [10]),
        ([Answer(200, said(**WITHHELD))], [10]),
        ([Answer(200, said(message={"refusal": "no"}))], [10]),
        ([Answer(200, said(nothing=1))], [10]),
        ([Answer(200, b'{"choices": [{"message": {"refusal": "never"}}]}')], [PROMPT + 2]),
        ([CUT], [PROMPT]),
    ],
)
def test_a_call_that_failed_is_paid_where_it_was_billed(
    tmp_path: Path, answers: list[Answer], tokens: list[int]
) -> None:
    async def fail(gateway: Gateway) -> None:
        budget = Budget()
        with pytest.raises((DocumentError, Unavailable)):
            await gateway.ask_anew(
                model(service.base_url, retries=0), PRICE, ask("a b c"), "t", budget=budget
            )
        assert budget.spent.tokens == gateway.spent.tokens == sum(tokens)

    with serving() as service:
        service.script = list(answers)
        through(tmp_path / "home", fail)
    assert [row[3] for row in rows(tmp_path / "home")] == tokens


def test_attempts_before_the_one_that_succeeded_are_paid_too(tmp_path: Path) -> None:
    async def whole(gateway: Gateway) -> GatewayReply:
        return await gateway.ask_anew(model(service.base_url), PRICE, ask("a b c"), "t")

    with serving() as service:
        service.script = [CUT, broken()]
        reply, _ = through(tmp_path / "home", whole)
    assert (reply.reply.text, reply.reply.tokens_in, reply.reply.tokens_out) == (
        ("a b c", PROMPT + 3, 3)
    )


@pytest.mark.parametrize(
    ("parts", "tokens"),
    [
        ([delta("a word"), delta(" more")], PROMPT + 3),
        ([delta("a word"), {"choices": [], "usage": USAGE}], 10),
        ([{"choices": [], "usage": USAGE}], 10),
    ],
)
def test_a_stream_that_was_cut_is_paid_as_far_as_it_came(
    tmp_path: Path, parts: list[Body], tokens: int
) -> None:
    async def read(gateway: Gateway) -> None:
        llm = model(service.base_url, retries=0)
        with pytest.raises((DocumentError, Unavailable)):
            async for _ in gateway.stream(llm, PRICE, ask("a b c"), "t"):
                pass

    with serving() as service:
        service.script = [Answer(200, events(*parts), {}, "text/event-stream")]
        through(tmp_path / "home", read)
    assert [row[3] for row in rows(tmp_path / "home")] == [tokens]


def test_a_call_has_to_fit_into_each_budget(tmp_path: Path) -> None:
    async def poor(gateway: Gateway) -> None:
        llm = model(service.base_url)
        with pytest.raises(BudgetReached):
            await gateway.ask_anew(llm, PRICE, ask(), "t", budget=Budget(usd=1e-9))
        with pytest.raises(BudgetReached):
            await gateway.ask(llm, PRICE, ask(), budget=Budget(calls=0))
        await gateway.ask_anew(llm, PRICE, ask(), "t", budget=Budget(usd=1))

    with serving() as service:
        _, spent = through(tmp_path / "home", poor, calls=1)
    assert spent.calls == 1


def test_a_refused_reservation_is_held_nowhere() -> None:

    async def twice() -> None:
        rich, poor = Budget(usd=1.0), Budget(usd=0.5)
        with pytest.raises(BudgetReached):
            await Budgets(rich, poor).reserve(0.8)
        await rich.reserve(1.0)  # nothing of the refused one is left

    asyncio.run(twice())


def test_a_model_that_was_down_is_tried_again_after_a_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    denied = Answer(401, b'{"error": {"message": "wrong key"}}')

    async def outlive(gateway: Gateway) -> str:
        llm = model(service.base_url)
        for number in range(2):
            with pytest.raises(Unavailable):
                await gateway.ask_anew(llm, PRICE, ask(), f"t{number}")
        assert len(service.requests) == 1  # the second one was not sent
        monkeypatch.setattr(direct, "REST", 0.0)
        return (await gateway.ask_anew(llm, PRICE, ask("well"), "t3")).reply.text

    with serving() as service:
        service.script = [denied]
        assert through(tmp_path / "home", outlive)[0] == "well"


def test_an_endpoint_that_counts_as_down_is_not_waited_for(tmp_path: Path) -> None:
    async def down(gateway: Gateway) -> None:
        llm = model(service.base_url, retries=0)
        for number in range(5):
            with pytest.raises(DocumentError):
                await gateway.ask_anew(llm, PRICE, ask(str(number)), f"t{number}")
        with pytest.raises(Unavailable, match="is down"):
            await gateway.ask_anew(llm, PRICE, ask("6"), "t6")
        assert len(service.requests) == 5

    with serving() as service:
        service.script = [broken()] * 5
        through(tmp_path / "home", down)
