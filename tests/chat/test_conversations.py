"""A conversation that a client names goes on: for whom it belongs to, and without what was
deleted.
"""

import threading
from typing import Any

import pytest

from llmops.tasks.audit.people import pseudonym
from llmops.tasks.chat import conversations
from llmops.tasks.chat.engine import ChatEngine
from llmops.tasks.chat.turn import Turn
from llmops.tasks.errors import Unavailable
from llmops.tasks.ledger import open_ledger
from llmops.tasks.traces import index
from llmops.tasks.traces.deletion import forget
from llmops.tasks.traces.spool import TraceSpool
from llmops.tasks.traces.trace import Trace, TraceRecorder
from tests.chat.apps import Record, Towers, said

FIRST, FOLLOW = "Where is the Leaning Tower of Pisa?", "When did its construction begin?"
ANN, BOB = "guide/ann", "guide/bob"


def person(towers: Towers, name: str) -> str:
    return pseudonym(open_ledger(towers.home), name)


def kept(towers: Towers, trace: Trace, *, spooled: bool = True) -> None:
    """As the writer leaves it: in the ledger, and waiting in the spool."""
    index.enter(towers.home, [trace])
    if spooled:
        TraceSpool(towers.home, trace.app, 10**9).put(trace)


async def ask(engine: ChatEngine, question: str, who: str, **more: Any) -> TraceRecorder:
    """One turn of the conversation c1, recorded."""
    key = more.pop("key_id", "")
    recorder = TraceRecorder("guide", question, conversation="c1", person=who, key_id=key)
    turn = Turn(question=question, conversation="c1", person=who, key_id=key, **more)
    answer = await engine.answer(turn, recorder)
    recorder.finish(answer.text)
    return recorder


def condensed(recorder: TraceRecorder) -> object:
    spans = {span.name: span.outputs for span in recorder.finish().spans}
    return spans.get("condense")


def test_the_last_message_is_enough_for_the_one_whose_conversation_it_is(towers: Towers) -> None:
    async def work(engine: ChatEngine) -> None:
        ann, bob = person(towers, ANN), person(towers, BOB)
        kept(towers, (await ask(engine, FIRST, ann)).finish())
        assert condensed(await ask(engine, FOLLOW, bob)) is None
        follow = await ask(engine, FOLLOW, ann)
        assert condensed(follow) == f"{FIRST} {FOLLOW}"
        assert "1173" in follow.finish().answer
        mine = said("Where is Big Ben?", "In London.")
        sent = await ask(engine, FOLLOW, ann, history=mine)  # what a client sends goes before it
        assert condensed(sent) == f"Where is Big Ben? {FOLLOW}"

    towers.run(work)


def test_another_process_reads_it_from_the_traces(towers: Towers) -> None:
    ann = person(towers, ANN)

    async def first(engine: ChatEngine) -> None:
        kept(towers, (await ask(engine, FIRST, ann)).finish())

    async def later(engine: ChatEngine) -> None:
        assert condensed(await ask(engine, FOLLOW, ann)) == f"{FIRST} {FOLLOW}"

    towers.run(first)
    towers.run(later)


def test_the_holder_of_another_key_is_somebody_else_whatever_they_call_themselves(
    towers: Towers,
) -> None:
    ann = person(towers, ANN)

    async def first(engine: ChatEngine) -> None:
        kept(towers, (await ask(engine, FIRST, ann, key_id="a" * 12)).finish())
        assert condensed(await ask(engine, FOLLOW, ann, key_id="b" * 12)) is None

    async def later(engine: ChatEngine) -> None:
        assert condensed(await ask(engine, FOLLOW, ann, key_id="b" * 12)) is None
        mine = await ask(engine, FOLLOW, ann, key_id="a" * 12)
        assert condensed(mine) == f"{FIRST} {FOLLOW}"

    towers.run(first)
    towers.run(later)


def test_what_was_deleted_does_not_come_back(towers: Towers) -> None:
    async def work(engine: ChatEngine) -> None:
        ann = person(towers, ANN)
        first = await ask(engine, FIRST, ann)
        kept(towers, first.finish())
        forget(towers.home, [first.id], "deleted")
        second = await ask(engine, FOLLOW, ann)
        assert condensed(second) is None
        kept(towers, second.finish())
        forget(towers.home, [second.id], "deleted")
        assert condensed(await ask(engine, FOLLOW, ann)) is None

    towers.run(work)


def test_a_question_does_not_wait_for_traces_that_nobody_reads(
    towers: Towers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The turn stands in the ledger, and the tracking server is silent, or down."""
    released = threading.Event()

    def silent(*_: object) -> list[object]:
        released.wait(30)
        raise Unavailable("down")

    async def work(engine: ChatEngine) -> None:
        ann = person(towers, ANN)
        kept(towers, TraceRecorder("guide", FIRST, conversation="c1", person=ann).finish("x"))
        monkeypatch.setattr(conversations, "SECONDS", 0.05)
        assert condensed(await ask(engine, FOLLOW, ann)) is None
        released.set()

    monkeypatch.setattr(conversations, "read_conversation", silent)
    towers.run(work)


def test_the_turn_that_is_being_answered_is_not_looked_for(
    towers: Towers, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unwanted(*_: object) -> list[object]:
        raise AssertionError("nothing is to be read")

    async def work(engine: ChatEngine) -> None:
        ann = person(towers, ANN)
        recorder = TraceRecorder("guide", FIRST, conversation="c1", person=ann)
        kept(towers, recorder.finish(), spooled=False)
        turn = Turn(question=FIRST, conversation="c1", person=ann)
        await engine.answer(turn, recorder)
        await engine.answer(Turn(question=FOLLOW, conversation="c2", person=ann), Record(2))

    monkeypatch.setattr(conversations, "read_conversation", unwanted)
    towers.run(work)
