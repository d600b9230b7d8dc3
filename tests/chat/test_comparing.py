"""Several prompts or models on one question: what they share, and what each is alone with."""

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from typing import Any

import pytest

from llmops.tasks.calls.budget import Budget, BudgetReached
from llmops.tasks.chat.comparing import AnswerComparison, ComparedSide, Shown, SidePart
from llmops.tasks.chat.engine import ChatEngine
from llmops.tasks.chat.turn import Answered, Turn
from llmops.tasks.errors import Unavailable, UsageError
from llmops.tasks.prompts import Prompt, Resolved
from tests.chat.apps import BASE, TALL, Record, Towers
from tests.llm_faults import broken
from tests.openai_server import Service

BRIEF = Resolved(
    prompt=Prompt.model_validate(
        {
            "name": "brief",
            "messages": [{"role": "user", "content": "Briefly.\n{{passages}}\n{{question}}"}],
        }
    ),
    uri="prompts:/brief/2",
)


def model(service: Service, name: str = "small", **options: Any) -> dict[str, Any]:
    prices = {"price_in": 1.0, "price_out": 2.0}
    return {"name": "openai", "model": name, "base_url": service.base_url, "retries": 0} | (
        prices | options
    )


async def compared(
    engine: ChatEngine,
    sides: Sequence[ComparedSide],
    record: Record | None = None,
    budget: Budget | None = None,
    **turn: Any,
) -> tuple[Shown, list[SidePart]]:
    asked = Turn(question=TALL, **turn)
    shown, parts = None, []
    async for part in AnswerComparison(engine).stream(asked, sides, record or Record(), budget):
        if isinstance(part, Shown):
            shown = part
        else:
            parts.append(part)
    assert shown is not None
    return shown, parts


def ends(parts: Sequence[SidePart]) -> dict[int, Any]:
    """What each side came to."""
    return {part.side: part.part for part in parts if not isinstance(part.part, str)}


def test_all_sides_write_from_one_search(towers: Towers, service: Service) -> None:
    record = Record()

    async def work(engine: ChatEngine) -> tuple[Shown, list[SidePart]]:
        own = engine.prompt.current()
        sides = [
            ComparedSide(own, "small"),
            ComparedSide(BRIEF, "small"),
            ComparedSide(own, "extractive"),
        ]
        return await compared(engine, sides, record)

    settings = {"llm": model(service), "compare": {"llms": ["extractive"]}}
    shown, parts = towers.run(work, **settings)
    assert record.names.count("retrieve") == 1
    assert {"side.1", "side.2", "side.3"} <= set(record.names)
    assert (shown.question, shown.knowledge_base, shown.version) == (TALL, BASE, 1)
    assert "330 metres" in shown.passages[0].text
    assert [len(messages) for messages in shown.asked] == [2, 1, 2]
    assert shown.asked[1][0].content.startswith("Briefly.\n[1] ")
    answers = ends(parts)
    assert [answers[side].prompt for side in range(3)] == [
        *("towers.yaml", "prompts:/brief/2", "towers.yaml")
    ]
    assert [answers[side].model for side in range(3)] == ["small", "small", "extractive"]
    for side, answer in answers.items():
        pieces = [part.part for part in parts if part.side == side and isinstance(part.part, str)]
        assert "".join(pieces) == answer.text
    usage = answers[0].usage
    assert usage.cost_usd == pytest.approx((usage.tokens_in + 2 * usage.tokens_out) / 1e6)
    assert len(towers.paid()) == 3


def test_a_side_that_fails_fails_alone_and_has_no_fallback(
    towers: Towers, service: Service
) -> None:
    async def work(engine: ChatEngine) -> tuple[Shown, list[SidePart]]:
        own = engine.prompt.current()
        return await compared(engine, [ComparedSide(own, "small"), ComparedSide(own, "extractive")])

    service.script = [broken()]
    changes = {"llm": model(service), "fallbacks": ["extractive"]}
    _, parts = towers.run(work, **changes)
    failed, answered = ends(parts)[0], ends(parts)[1]
    assert isinstance(failed, Unavailable)
    assert "small" in str(failed)
    assert answered.text == "The Eiffel Tower is 330 metres tall [1]."


def test_remembered_and_curated_answers_do_not_hide_the_prompt(
    towers: Towers, service: Service
) -> None:
    async def work(engine: ChatEngine) -> int:
        own = engine.prompt.current()
        await engine.answer(Turn(question=TALL), Record())
        await compared(engine, [ComparedSide(own, "small"), ComparedSide(own, "small")])
        await engine.answer(Turn(question=TALL), Record())  # and none of it was remembered
        return len(service.requests)

    assert towers.run(work, llm=model(service), cache={"mode": "exact"}) == 3


def test_whoever_stops_ends_every_call_that_is_paid(towers: Towers, service: Service) -> None:
    service.latency, service.gathered = 0.0, 0

    async def work(engine: ChatEngine) -> int:
        own = engine.prompt.current()
        sides = [ComparedSide(own, "small"), ComparedSide(BRIEF, "small")]
        stream = AnswerComparison(engine).stream(Turn(question=TALL), sides, Record())
        async with aclosing(stream) as parts:
            async for part in parts:
                if isinstance(part, SidePart):
                    break
        return len([task for task in asyncio.all_tasks() if "_write" in repr(task)])

    assert towers.run(work, llm=model(service)) == 0
    most = 6 * 2
    assert all(cost < (1_000 + most) / 1e6 for _, _, cost in towers.paid())


def test_the_budget_of_whoever_compares_holds_for_all_sides(
    towers: Towers, service: Service
) -> None:
    async def work(engine: ChatEngine) -> list[SidePart]:
        own = engine.prompt.current()
        sides = [ComparedSide(own, "small"), ComparedSide(BRIEF, "small")]
        return (await compared(engine, sides, budget=Budget(usd=0.00001)))[1]

    parts = towers.run(work, llm=model(service))
    assert all(isinstance(end, BudgetReached) for end in ends(parts).values())
    assert len(ends(parts)) == 2
    assert service.requests == []


def test_guards_and_labels_hold_as_for_every_question(towers: Towers) -> None:
    async def work(engine: ChatEngine) -> tuple[Shown, list[SidePart]]:
        own = engine.prompt.current()
        return await compared(
            engine, [ComparedSide(own, "extractive"), ComparedSide(BRIEF, "extractive")]
        )

    guards = {"topics": [{"pattern": "eiffel", "reply": "Not that."}]}
    shown, parts = towers.run(work, guards=guards)
    assert shown.passages == ()
    for answer in ends(parts).values():
        assert isinstance(answer, Answered)
        assert (answer.text, answer.finish) == ("Not that.", "refused")
    record = Record()

    async def labelled(engine: ChatEngine) -> object:
        own = engine.prompt.current()
        sides = [ComparedSide(own, "extractive"), ComparedSide(own, "extractive")]
        await compared(engine, sides, record, labels=frozenset({"staff"}))
        return record["retrieve"].inputs

    asked: Any = towers.run(labelled, retrieve={"labels": ["public"]})
    assert asked["labels"] == ["public", "staff"]


@pytest.mark.parametrize(
    ("models", "said"),
    [
        (["extractive"], "got 1 sides"),
        (["extractive"] * 5, "got 5 sides"),
        (["extractive", "http://evil.example/v1"], "there is no model 'http://evil"),
    ],
)
def test_only_what_the_config_names_is_compared(
    towers: Towers, models: list[str], said: str
) -> None:
    async def work(engine: ChatEngine) -> None:
        own = engine.prompt.current()
        with pytest.raises(UsageError, match=said):
            await compared(engine, [ComparedSide(own, name) for name in models])

    towers.run(work)


def test_models_of_one_name_are_told_apart(towers: Towers, service: Service) -> None:
    async def names(engine: ChatEngine) -> list[str]:
        return list(engine.choices)

    again = model(service, price_in=9.0, timeout=9)  # the same model, whatever its limits
    warm, elsewhere = model(service, temperature=1.0), model(service, base_url="http://127.0.0.1:9")
    changes = {"llm": model(service), "fallbacks": ["extractive"]}
    compare = {"llms": [again, warm, elsewhere]}
    found = towers.run(names, compare=compare, **changes)
    assert found == ["small", "extractive", "small (2)", "small (3)"]
