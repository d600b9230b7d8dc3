"""An answer and its sources, whole and in pieces; fallbacks; what it costs."""

import asyncio
from contextlib import aclosing
from typing import Any

import pytest

from llmops.tasks.calls.budget import Budget, BudgetReached
from llmops.tasks.chat import knowledge
from llmops.tasks.chat.engine import ChatEngine
from llmops.tasks.chat.turn import Answered, Turn
from llmops.tasks.errors import Unavailable, UsageError
from llmops.tasks.traces.trace import TraceRecorder
from tests.chat.apps import BASE, TALL, TEXTS, Record, Towers, said
from tests.llm_faults import Answer, broken, streamed
from tests.openai_server import Service


def model(service: Service, **options: Any) -> dict[str, Any]:
    return {
        "name": "openai",
        "model": "small",
        "base_url": service.base_url,
        "retries": 0,
        "price_in": 1.0,
        "price_out": 2.0,
        **options,
    }


async def streamed_by(engine: ChatEngine, turn: Turn, record: Record) -> list[str | Answered]:
    return [part async for part in engine.stream(turn, record)]


def test_an_answer_has_its_sources(towers: Towers) -> None:
    record = Record()
    answer = towers.ask(TALL, record)
    assert answer.text == "The Eiffel Tower is 330 metres tall [1]."
    (source,) = answer.citations
    assert (source.number, source.uri, source.cited) == (1, "eiffel.txt", True)
    assert (source.knowledge_base, source.version) == (BASE, 1)
    assert "330 metres" in source.text
    assert (answer.finish, answer.model, answer.prompt) == ("stop", "extractive", "towers.yaml")
    assert (answer.knowledge_base, answer.version, answer.cached) == (BASE, 1, "no")
    assert record.names == [
        *("guard.size", "guard.injection", "retrieve", "guard.passages", "guard.support"),
        "generate",
    ]
    documents: Any = record["retrieve"].attributes["gen_ai.retrieval.documents"]
    assert source.chunk_id in {each["id"] for each in documents}
    assert record["retrieve"].attributes["gen_ai.data_source.id"] == f"{BASE}@1"


def test_a_stream_is_the_same_answer_in_pieces(towers: Towers) -> None:
    whole = towers.ask(TALL)
    *pieces, last = towers.run(lambda engine: streamed_by(engine, Turn(question=TALL), Record()))
    assert isinstance(last, Answered)
    assert last == whole
    assert "".join(map(str, pieces)) == whole.text
    assert len(pieces) > 5


def test_what_a_turn_cost_is_in_the_answer_the_trace_and_the_ledger(
    towers: Towers, service: Service
) -> None:
    record = Record(7)
    answer = towers.ask(TALL, record, llm=model(service))
    usage = answer.usage
    assert usage.tokens_out == 6
    assert usage.cost_usd == pytest.approx((usage.tokens_in + 2 * 6) / 1e6)
    assert record["generate"].paid == ("small", usage.tokens_in, 6, usage.cost_usd)
    assert towers.paid() == [(f"{7:032x}", usage.tokens_in + 6, usage.cost_usd)]
    towers.run(
        lambda engine: streamed_by(engine, Turn(question=TALL), Record(8)), llm=model(service)
    )
    assert towers.paid()[1] == (f"{8:032x}", usage.tokens_in + 6, usage.cost_usd)
    assert len(service.requests) == 2  # the same question is asked anew


def test_the_next_model_answers_where_one_does_not(towers: Towers, service: Service) -> None:
    service.script = [broken(), None]
    record = Record()
    answer = towers.ask(TALL, record, llm=model(service), fallbacks=[model(service, model="big")])
    assert (answer.text, answer.model) == ("It is 330 metres tall [1].", "big")
    assert "500" in record["generate"].error
    assert record["generate.2"].paid is not None
    service.script = [Answer(400, b'{"error": {"message": "too long"}}')]
    assert towers.ask(TALL, llm=model(service), fallbacks=["extractive"]).model == "extractive"


def test_a_stream_falls_back_before_its_first_piece_only(towers: Towers, service: Service) -> None:
    async def ask(engine: ChatEngine) -> list[str | Answered]:
        return await streamed_by(engine, Turn(question=TALL), Record())

    service.script = [broken()]
    last = towers.run(ask, llm=model(service), fallbacks=["extractive"])[-1]
    assert isinstance(last, Answered)
    assert last.model == "extractive"
    service.script = [streamed("It is", " 330", finish=None, done=False)]
    with pytest.raises(Unavailable, match="the answer broke off"):
        towers.run(ask, llm=model(service), fallbacks=["extractive"])
    (paid,) = [tokens for owner, tokens, cost in towers.paid() if cost]
    assert paid > 3  # what had come is counted


def test_without_any_model_there_is_an_error_and_no_text(towers: Towers, service: Service) -> None:
    service.script = [broken(), broken()]
    with pytest.raises(Unavailable, match=r"no model answered: small: .*500.*; big: .*500"):
        towers.ask(TALL, llm=model(service), fallbacks=[model(service, model="big")])
    assert towers.paid() == []


def test_whoever_leaves_ends_the_call_and_what_came_is_counted(
    towers: Towers, service: Service
) -> None:
    async def leave(engine: ChatEngine, record: Record) -> str:
        async with aclosing(engine.stream(Turn(question=TALL), record)) as parts:
            return str(await anext(parts))

    record = Record(9)
    assert towers.run(lambda engine: leave(engine, record), llm=model(service)) == "It"
    (paid,) = towers.paid()
    assert paid[0] == f"{9:032x}"
    assert record["generate"].paid == ("small", paid[1] - 1, 1, paid[2])
    assert paid[2] == pytest.approx((paid[1] - 1 + 2) / 1e6)


def test_whoever_is_cancelled_in_the_middle_pays_for_the_request(
    towers: Towers, service: Service
) -> None:
    service.latency = 30

    async def give_up(engine: ChatEngine) -> None:
        asking = asyncio.create_task(engine.answer(Turn(question=TALL), Record(3)))
        while not service.requests:
            await asyncio.sleep(0.02)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking

    towers.run(give_up, llm=model(service))
    ((owner, tokens, cost),) = towers.paid()
    assert owner == f"{3:032x}"
    assert cost == pytest.approx(tokens / 1e6)


def test_a_key_whose_budget_is_used_up_gets_no_answer(towers: Towers, service: Service) -> None:
    async def ask(engine: ChatEngine) -> None:
        budget = Budget(usd=0.0001)
        with pytest.raises(BudgetReached):
            await engine.answer(Turn(question=TALL), Record(), budget)
        await engine.answer(Turn(question=TALL), Record(), Budget(usd=1.0))

    towers.run(ask, llm=model(service), fallbacks=["extractive"])
    assert len(service.requests) == 1


def test_a_client_sets_what_it_may(towers: Towers, service: Service) -> None:
    given = {"temperature": 0.7, "max_tokens": 5_000, "n": 9, "model": "x", "tools": [], "seed": 3}
    towers.ask(TALL, llm=model(service), turn={"parameters": given})
    body = service.requests[0][1]
    assert (body["temperature"], body["max_tokens"], body["seed"]) == (0.7, 100, 3)
    assert body["model"] == "small"
    assert not {"n", "tools"} & set(body)


def test_what_was_said_before_stands_before_the_question(towers: Towers, service: Service) -> None:
    history = said("What is in Paris?", "The Eiffel Tower.")
    towers.ask(
        *(TALL,), llm=model(service), condense={"llm": "extractive"}, turn={"history": history}
    )
    messages = service.requests[0][1]["messages"]
    assert [each["role"] for each in messages] == ["system", "user", "assistant", "user"]
    assert [each["content"] for each in messages[1:]] == [
        "What is in Paris?",
        "The Eiffel Tower.",
        TALL,
    ]


def test_another_knowledge_base_than_the_applications_is_refused(towers: Towers) -> None:
    with pytest.raises(UsageError, match="no knowledge base 'secrets'"):
        towers.ask(TALL, turn={"knowledge_base": "secrets"})


def test_a_trace_sums_up_to_the_ledger(towers: Towers, service: Service) -> None:
    recorder = TraceRecorder("guide", TALL)
    turn = {"history": said("What is in Paris?", "A tower.")}

    async def ask(engine: ChatEngine) -> Answered:
        return await engine.answer(Turn(question="And how tall?", **turn), recorder)

    answer = towers.run(ask, llm=model(service))
    trace = recorder.finish(answer.text)
    assert [owner for owner, _, _ in towers.paid()] == [trace.otel_id] * 2
    assert trace.cost_usd == pytest.approx(sum(cost for _, _, cost in towers.paid()))
    assert trace.cost_usd == pytest.approx(answer.usage.cost_usd)
    assert trace.tokens_in + trace.tokens_out == sum(tokens for _, tokens, _ in towers.paid())
    kinds = {span.name: span.kind for span in trace.spans}
    assert kinds["retrieve"] == "RETRIEVER"
    assert kinds["generate"] == kinds["condense.model"] == "CHAT_MODEL"


def test_while_versions_are_published_no_answer_fails_or_mixes_them(
    towers: Towers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each version tells of a tower of its own height."""
    monkeypatch.setattr(knowledge, "POLL", 0.01)
    high = {1: "330"} | {n: str(300 + n) for n in range(2, 5)}

    async def publish() -> None:
        for number in range(2, 5):
            text = f"The Eiffel Tower is {high[number]} metres tall."
            await asyncio.to_thread(towers.shop.build, TEXTS | {"eiffel.txt": text})

    async def work(engine: ChatEngine) -> list[Answered]:
        publishing, answers = asyncio.create_task(publish()), list[Answered]()
        while not publishing.done() or answers[-1].version < 4:
            turns = (engine.answer(Turn(question=TALL), Record(n)) for n in range(8))
            answers += await asyncio.gather(*turns)
        await publishing
        return answers

    answers = towers.run(work, cache={"mode": "semantic"})
    assert {answer.version for answer in answers} >= {1, 4}
    for answer in answers:
        assert {source.version for source in answer.citations} == {answer.version}
        assert high[answer.version] in answer.text
        assert high[answer.version] in "".join(source.text for source in answer.citations)


def test_a_model_without_a_price_is_told_at_the_start(
    towers: Towers, service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    async def unpriced(engine: ChatEngine) -> tuple[str, ...]:
        return engine.unpriced

    nameless = model(service, model="nobody-knows", price_in=None, price_out=None)
    assert towers.run(unpriced, fallbacks=[nameless]) == ("nobody-knows",)
    assert "the price of nobody-knows is not known" in caplog.text
    assert towers.run(unpriced, llm=model(service)) == ()
