"""Replies that somebody has to be able to read: corrected, remembered when they are usable, and
asked for from code that is not asynchronous.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from llmops.tasks.calls.budget import Spent
from llmops.tasks.calls.costs import Payer
from llmops.tasks.calls.gateway import BlockingGateway, Gateway, GatewayReply
from llmops.tasks.calls.prices import Price
from llmops.tasks.errors import DocumentError, Unavailable
from llmops.tasks.ledger import now, open_ledger, upsert
from llmops.tasks.ledger.tables import calls
from llmops.tasks.plugins import canonical
from llmops.tasks.plugins.llms import Llm
from llmops.tasks.schemas import sha256
from tests.calls.gateways import ask, model, remembered, through
from tests.openai_server import Answer, Service, serving


@pytest.fixture
def service() -> Iterator[Service]:
    with serving(lambda messages: f"{len(messages)}") as found:
        yield found


def odd(text: str) -> int:
    if int(text) % 2 == 0:
        raise ValueError(f"{text} is even")
    return int(text)


def more_than(least: int) -> Any:
    def read(text: str) -> int:
        if int(text) <= least:
            raise ValueError(f"{text} is too little")
        return int(text)

    return read


def rows(home: Path) -> list[Any]:
    with open_ledger(home).read() as connection:
        return list(connection.execute(select(calls)))


def test_a_model_is_told_of_its_mistake_and_the_usable_reply_alone_is_remembered(
    tmp_path: Path, service: Service
) -> None:
    async def twice(gateway: Gateway) -> list[GatewayReply]:
        llm = model(service.base_url)
        return [
            await gateway.ask(llm, Price(1.0, 1e6), ask(), owner="d", read=more_than(1))
            for _ in range(2)
        ]

    (first, second), spent = through(tmp_path, twice)
    assert (first.reply.text, first.cached, second.cached) == ("3", False, True)
    assert first.reply == second.reply
    assert [body["messages"][-1]["content"] for _, body, _ in service.requests] == [
        "Why?",
        "Not valid: 1 is too little",
    ]
    assert (spent.calls, spent.cached) == (2, 1)
    assert spent.cost_usd > first.cost_usd  # the reply that could not be used was paid too
    (row,) = rows(tmp_path)
    assert (row.owner, row.reply, row.cost_usd) == ("d", "3", first.cost_usd)
    with_none, _ = through(
        tmp_path, lambda gateway: gateway.ask(model(service.base_url), None, ask())
    )
    assert (with_none.reply.text, with_none.cached) == ("1", False)


def test_after_three_replies_that_cannot_be_used_nothing_is_remembered(
    tmp_path: Path, service: Service
) -> None:
    async def once(gateway: Gateway) -> Spent:
        with pytest.raises(
            DocumentError, match="gave 3 replies that cannot be used; the last: 3 is too little"
        ):
            await gateway.ask(model(service.base_url), None, ask(), read=more_than(9))
        return gateway.spent

    spent, _ = through(tmp_path, once)
    assert (spent.calls, len(service.requests), remembered(tmp_path)) == (3, 3, 0)


def test_a_reply_of_an_older_home_is_found(tmp_path: Path, service: Service) -> None:
    llm = model(service.base_url)
    said = [message.model_dump(exclude_defaults=True) for message in ask().messages]
    assert said == [{"role": "user", "content": "Why?"}]
    row = {"owner": "d", "tokens": 4, "cost_usd": 0.5, "created_at": now()}
    row |= {"key": sha256(canonical([llm.fingerprint(), said])), "reply": "7"}
    with open_ledger(tmp_path).write() as connection:
        upsert(connection, calls, [row])
    found, spent = through(
        tmp_path,
        lambda gateway: gateway.ask(llm, None, ask(output={"type": "object"}), owner="e", read=odd),
    )
    assert (found.reply.text, found.cached, spent) == ("7", True, Spent(cached=1))
    assert (service.requests, rows(tmp_path)[0].owner) == ([], "d")


def test_one_that_is_remembered_and_cannot_be_read_any_more_is_corrected(
    tmp_path: Path, service: Service
) -> None:
    llm = model(service.base_url)
    through(tmp_path, lambda gateway: gateway.ask(llm, None, ask(), read=odd))
    found, spent = through(
        tmp_path, lambda gateway: gateway.ask(llm, None, ask(), read=more_than(2))
    )
    assert (found.reply.text, found.cached, spent.calls, remembered(tmp_path)) == ("3", False, 1, 1)


def blocking(home: Path, llm: Llm, *questions: str) -> tuple[list[GatewayReply], Spent]:
    with BlockingGateway(home, payer=Payer("index", "shop")) as gateway:
        asked = [gateway.ask(llm, None, ask(text), read=odd) for text in questions]
    return asked, gateway.spent


def test_questions_may_be_asked_one_after_the_other_from_a_thread(
    tmp_path: Path, service: Service
) -> None:
    llm = model(service.base_url)
    first, spent = blocking(tmp_path, llm, "a", "b", "a")
    assert [one.cached for one in first] == [False, False, True]
    assert (spent.calls, spent.cached, service.connections) == (2, 1, 1)
    again, spent = blocking(tmp_path, llm, "a", "b")
    assert (all(one.cached for one in again), spent) == (True, Spent(cached=2))
    assert blocking(tmp_path / "untouched", llm) == ([], Spent())
    assert not (tmp_path / "untouched").exists()


def test_what_is_wrong_is_raised_where_it_was_asked(tmp_path: Path, service: Service) -> None:
    service.script = [Answer(401)]
    with pytest.raises(Unavailable, match="answered 401"):
        blocking(tmp_path, model(service.base_url), "a")
