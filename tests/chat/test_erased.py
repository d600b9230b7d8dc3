"""A document that is erased is in no answer that is given again."""

import asyncio

import pytest
from sqlalchemy import select

from llmops.tasks.chat import curated, knowledge
from llmops.tasks.chat.curated import NewCurated
from llmops.tasks.chat.engine import ChatEngine
from llmops.tasks.chat.turn import Turn
from llmops.tasks.ledger import open_ledger
from llmops.tasks.ledger.application import answers
from llmops.tasks.maintenance.erase import erase
from tests.chat.apps import TALL, TEXTS, Record, Towers
from tests.chat.test_engine import model
from tests.openai_server import Service

OTHER = "How heavy is the Great Bell of London?"


def test_a_document_that_is_erased_is_in_no_remembered_or_curated_answer(towers: Towers) -> None:
    for question in (TALL, OTHER):
        answer = towers.ask(question, cache={"mode": "exact"}, retrieve={"k": 1})
        assert answer.cached == "no"
    quoting = NewCurated(question="Which tower?", answer=f"Well. {TEXTS['eiffel.txt']}")
    curated.add(towers.home, "guide", quoting)
    kept = curated.add(towers.home, "guide", NewCurated(question="Which bell?", answer="Big Ben."))
    erase(towers.shop.handle, "eiffel.txt")
    with open_ledger(towers.home).read() as connection:
        assert list(connection.scalars(select(answers.c.question))) == [OTHER]
    assert curated.listed(towers.home, "guide") == [kept]
    (gone, _) = curated.listed(towers.home, "guide", retired=True)
    assert "330 metres" not in gone.answer
    assert "330" not in towers.ask(TALL, cache={"mode": "exact"}).text


def remembered(towers: Towers) -> str:
    with open_ledger(towers.home).read() as connection:
        return " ".join(connection.scalars(select(answers.c.answer)))


def test_what_is_asked_while_a_document_is_erased_is_not_remembered(
    towers: Towers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(knowledge, "POLL", 0.0)

    async def work(engine: ChatEngine) -> str:
        loop = asyncio.get_running_loop()

        async def asks() -> str:
            return (await engine.answer(Turn(question=TALL), Record())).text

        def meanwhile() -> list[str]:
            asyncio.run_coroutine_threadsafe(asks(), loop).result(30)
            return []

        assert "330 metres" in await asks()
        await asyncio.to_thread(erase, towers.shop.handle, "eiffel.txt", meanwhile)
        return await asks()

    assert "330" not in towers.run(work, cache={"mode": "exact"})
    assert "330 metres" not in remembered(towers)


def test_an_answer_that_was_begun_before_an_erasure_is_not_remembered(
    towers: Towers, service: Service
) -> None:
    def reply(messages: object) -> str:
        erase(towers.shop.handle, "eiffel.txt")
        return "It is 330 metres tall [1]."

    service.reply = reply
    assert "330" in towers.ask(TALL, llm=model(service), cache={"mode": "exact"}).text
    assert remembered(towers) == ""
