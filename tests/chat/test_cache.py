"""Answers that are given again, and where they must not be."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, select, update

from llmops.tasks.chat import knowledge
from llmops.tasks.chat.engine import ChatEngine
from llmops.tasks.chat.turn import Answered, Turn
from llmops.tasks.ledger import now, open_ledger
from llmops.tasks.ledger.application import answers
from tests.chat.apps import TALL, TEXTS, Record, Towers, said
from tests.chat.test_engine import model
from tests.openai_server import Service

EXACT, SEMANTIC = {"mode": "exact"}, {"mode": "semantic", "threshold": 0.8}
ALIKE = "How tall is the great Eiffel Tower?"


@pytest.fixture(autouse=True)
def _look_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(knowledge, "POLL", 0.0)


async def asked(engine: ChatEngine, question: str = TALL, **turn: Any) -> Answered:
    return await engine.answer(Turn(question=question, **turn), Record())


def rows(towers: Towers) -> list[Any]:
    with open_ledger(towers.home).read() as connection:
        return list(connection.execute(select(answers).order_by(answers.c.created_at)))


def each(*questions: dict[str, Any]) -> Callable[[ChatEngine], Awaitable[list[str]]]:
    async def work(engine: ChatEngine) -> list[str]:
        return [(await asked(engine, **question)).cached for question in questions]

    return work


def test_off_unless_it_is_asked_for(towers: Towers) -> None:
    assert towers.run(each({}, {})) == ["no", "no"]
    assert rows(towers) == []


def test_the_same_question_is_answered_once(towers: Towers, service: Service) -> None:
    async def work(engine: ChatEngine) -> None:
        first = await asked(engine, person="p" * 64)
        again = await asked(engine, f"  {TALL.upper()} ")
        assert again == first.model_copy(update={"cached": "exact", "usage": again.usage})
        assert again.citations
        assert (first.usage.cost_usd > 0, again.usage.cost_usd) == (True, 0)
        assert (await asked(engine, ALIKE)).cached == "no"

    towers.run(work, llm=model(service), cache=EXACT)
    assert len(service.requests) == 2
    first, _ = rows(towers)
    assert (first.hits, first.person, first.trace_id) == (1, "p" * 64, Record().id)
    assert towers.run(each({}), llm=model(service), cache=EXACT) == ["exact"]  # after a restart


def test_a_question_that_is_alike_gets_the_answer_where_that_is_wanted(towers: Towers) -> None:
    other = {"question": "What does the Great Bell weigh?"}
    alike = {"question": ALIKE}
    assert towers.run(each({}, alike, other, {}), cache=SEMANTIC) == [
        *("no", "semantic", "no", "exact")
    ]
    assert towers.run(each(alike), cache=SEMANTIC) == ["semantic"]
    strict = SEMANTIC | {"threshold": 1.0}
    assert towers.run(each(alike), cache=strict) == ["no"]


def test_questions_with_other_numbers_are_never_alike(towers: Towers) -> None:
    questions = [{"question": f"Who built the Eiffel Tower in {year}?"} for year in (1887, 1888)]
    assert towers.run(each(*questions), cache=SEMANTIC | {"threshold": 0.1}) == ["no", "no"]
    assert towers.run(each(questions[1]), cache=SEMANTIC | {"threshold": 0.1}) == ["exact"]
    alike = {"question": "Who built the great Eiffel Tower in 1888?"}
    assert towers.run(each(alike), cache=SEMANTIC | {"threshold": 0.1}) == ["semantic"]


@pytest.mark.parametrize(
    "other",
    [
        {"key_id": "b" * 12},
        {"labels": {"staff"}},
        {"parameters": {"temperature": 1.0}},
        {"history": said("Hello", "Hi.")},
    ],
    ids=lambda other: next(iter(other)),
)
@pytest.mark.parametrize("cache", [EXACT, SEMANTIC], ids=["exact", "semantic"])
def test_no_answer_goes_to_somebody_else_or_into_a_conversation(
    towers: Towers, cache: dict[str, Any], other: dict[str, Any]
) -> None:
    assert towers.run(each({"key_id": "a" * 12}, other), cache=cache) == ["no", "no"]


def test_a_new_version_prompt_or_model_makes_answers_anew(towers: Towers) -> None:
    async def across(engine: ChatEngine) -> None:
        assert (await asked(engine)).cached == "no"
        changed = TEXTS | {"eiffel.txt": "The Eiffel Tower is 312 metres tall without antenna."}
        await asyncio.to_thread(towers.shop.build, changed)
        newer = await asked(engine)
        assert ("312" in newer.text, newer.cached, newer.version) == (True, "no", 2)
        assert len(rows(towers)) == 1  # what rested on the old version is forgotten
        assert (await asked(engine)).cached == "exact"

    towers.run(across, cache=EXACT)
    assert towers.run(each({}), cache=EXACT, llm={"name": "extractive", "sentences": 1}) == ["no"]
    assert towers.run(each({}), cache=EXACT, retrieve={"k": 2}) == ["no"]


def test_what_was_deleted_is_not_given_again(towers: Towers) -> None:
    async def work(engine: ChatEngine) -> None:
        await asked(engine)
        assert (await asked(engine, ALIKE)).cached == "semantic"
        with open_ledger(towers.home).write() as connection:
            connection.execute(delete(answers))
        assert (await asked(engine, ALIKE)).cached == "no"
        with open_ledger(towers.home).write() as connection:
            connection.execute(update(answers).values(created_at=now() - timedelta(hours=25)))
        assert (await asked(engine, ALIKE)).cached == "no"

    towers.run(work, cache=SEMANTIC)


def test_refusals_and_cut_answers_are_not_remembered(towers: Towers) -> None:
    where = {"where": 'uri = "nothing.txt"'}
    assert towers.run(each({}, {}), cache=EXACT, retrieve=where) == ["no", "no"]
    short = {"parameters": {"max_tokens": 2}}
    assert towers.run(each(short, short), cache=EXACT) == ["no", "no"]
    assert rows(towers) == []


def test_the_oldest_answers_go(towers: Towers, monkeypatch: pytest.MonkeyPatch) -> None:
    from llmops.tasks.chat import cache

    monkeypatch.setattr(cache, "PRUNE_EVERY", 1)
    monkeypatch.setattr(cache, "PRUNE_ON", 0)
    questions = [{"question": f"What stands in city number {n}?"} for n in range(4)]
    towers.run(each(*questions), cache=EXACT | {"entries": 2})
    assert [row.question for row in rows(towers)] == [one["question"] for one in questions[2:]]


def test_a_question_that_holds_a_secret_is_not_remembered(towers: Towers) -> None:
    question = f"{TALL} My key is sk-proj-0123456789abcdefABCDEF0123"
    assert towers.run(each({"question": question}, {"question": question}), cache=EXACT) == [
        "no",
        "no",
    ]
    assert rows(towers) == []
