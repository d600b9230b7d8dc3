"""Answers that a person has written: who gets them, and for which questions."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from llmops.tasks.audit.actor import acting_as
from llmops.tasks.audit.log import entries
from llmops.tasks.audit.verify import verify
from llmops.tasks.chat import curated, matching
from llmops.tasks.chat.curated import NewCurated
from llmops.tasks.chat.engine import ChatEngine
from llmops.tasks.chat.turn import Answered, Turn
from llmops.tasks.errors import UsageError
from llmops.tasks.ledger import open_ledger
from llmops.tasks.ledger.review import reviews
from tests.chat.apps import TALL, Record, Towers, said
from tests.datasets import made
from tests.datasets.made import answered, review

APP = "guide"
ALIKE = "How tall is the great Eiffel Tower?"


@pytest.fixture(autouse=True)
def _look_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matching, "RELOAD", -1.0)


def given(towers: Towers, *turns: dict[str, Any], **changes: Any) -> list[Answered]:
    async def work(engine: ChatEngine) -> list[Answered]:
        return [await engine.answer(Turn(**turn), Record()) for turn in turns]

    return towers.run(work, **changes)


def add(towers: Towers, answer: str = "330 m.", **more: Any) -> str:
    new = NewCurated(**{"question": TALL, "answer": answer, **more})
    return curated.add(towers.home, APP, new).id


def test_a_correction_answers_the_question_from_then_on(towers: Towers) -> None:
    async def work(engine: ChatEngine) -> None:
        assert (await engine.answer(Turn(question=TALL), Record())).cached == "no"
        name = add(towers)
        record = Record()
        answer = await engine.answer(Turn(question=f"{TALL.lower()}?"), record)
        assert (answer.text, answer.cached, answer.finish) == ("330 m.", "curated", "stop")
        assert record["curated"].outputs == {"id": name, "score": 1.0}
        assert "retrieve" not in record.names
        curated.retire(towers.home, APP, name)
        assert (await engine.answer(Turn(question=TALL), Record())).cached == "no"

    towers.run(work)
    (kept,) = curated.listed(towers.home, APP, retired=True)
    assert (kept.hits, curated.listed(towers.home, APP)) == (1, [])
    assert curated.listed(towers.home, "else", retired=True) == []


def test_it_says_when_a_person_said_so_and_which_passages_support_it(towers: Towers) -> None:
    name = add(towers, "The Eiffel Tower is 330 metres tall [7].")
    (answer,) = given(towers, {"question": TALL})
    assert [(each.uri, each.cited) for each in answer.citations] == [("eiffel.txt", False)]
    written = curated.one(towers.home, APP, name)
    changed = NewCurated(question=TALL, answer="The Eiffel Tower is 324 metres tall.")
    curated.change(towers.home, APP, name, changed)
    assert given(towers, {"question": TALL})[0].citations == ()  # the passage says another number
    assert answer.reviewed_at is not None
    assert answer.reviewed_at >= written.created_at.replace(microsecond=0)
    changed = NewCurated(question=TALL, answer="It is the tallest lattice of all France.")
    curated.change(towers.home, APP, name, changed)
    (other,) = given(towers, {"question": TALL})
    assert other.citations == ()
    assert other.reviewed_at is not None
    assert other.reviewed_at >= answer.reviewed_at


def test_the_day_is_that_of_the_review_that_it_is_from(tmp_path: Path) -> None:
    trace = answered(tmp_path)
    review(tmp_path, trace.id, "ann", "bad", "On its page.")
    new = NewCurated(question=trace.question, answer="On its page.", trace_id=trace.id)
    kept = curated.add(tmp_path, made.APP, new)
    with open_ledger(tmp_path).write() as connection:
        day = datetime(2026, 5, 4, 9, tzinfo=UTC)
        connection.execute(reviews.update().values(created_at=day))
    assert curated.reviewed_at(tmp_path, kept) == day


@pytest.mark.parametrize(
    ("app", "own", "cached"),
    [
        (0.8, None, "curated"),
        (0.999, None, "no"),
        (0.999, 0.8, "curated"),
        (0.8, 1.0, "no"),
        (1.0, None, "no"),
    ],
)
def test_how_alike_a_question_has_to_be(
    towers: Towers, app: float, own: float | None, cached: str
) -> None:
    add(towers, threshold=own)
    (answer,) = given(towers, {"question": ALIKE}, curated={"threshold": app})
    assert answer.cached == cached


def test_the_most_alike_is_given(towers: Towers) -> None:
    add(towers, "wrong", question="How tall is the Leaning Tower of Pisa?", threshold=0.3)
    add(towers, "right", threshold=0.3)
    assert given(towers, {"question": ALIKE})[0].text == "right"


def test_other_numbers_make_another_question(towers: Towers) -> None:
    add(towers, question="Who built the Eiffel Tower in 1887?", threshold=0.1)
    asked = ({"question": f"Who built the great Eiffel Tower in {year}?"} for year in (1888, 1887))
    assert [each.cached for each in given(towers, *asked)] == ["no", "curated"]


def test_labels_are_for_those_who_hold_them_all(towers: Towers) -> None:
    add(towers, labels={"staff", "boss"})
    turns = [{"question": TALL, "labels": labels} for labels in ((), {"staff"}, {"staff", "boss"})]
    assert [each.cached for each in given(towers, *turns)] == ["no", "no", "curated"]


def test_a_follow_up_is_matched_as_it_was_condensed(towers: Towers) -> None:
    add(towers, question="And how tall?")
    history = said("Where is the Eiffel Tower?", "In Paris.")
    follow = {"question": "And how tall?", "history": history}
    assert given(towers, follow)[0].cached == "no"  # it is about another tower each time
    assert given(towers, follow, condense={"turns": 0})[0].cached == "no"
    assert given(towers, {"question": "And how tall?"})[0].cached == "curated"
    add(towers, "condensed", question="Where is the Eiffel Tower? And how tall?")
    assert given(towers, follow)[0].text == "condensed"


def test_off_where_it_is_turned_off(towers: Towers) -> None:
    add(towers)
    assert given(towers, {"question": TALL}, curated={"enabled": False})[0].cached == "no"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"threshold": 0.0}, "threshold 0"),
        ({"threshold": -1.0}, "threshold -1"),
        ({"threshold": 1.5}, "threshold 1.5"),
        ({"question": " "}, "question is empty"),
        ({"answer": ""}, "answer is empty"),
        ({"answer": "x" * 32_001}, "32,001 characters"),
    ],
)
def test_what_is_no_curated_answer_is_refused(
    towers: Towers, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        add(towers, **changes)
    assert curated.listed(towers.home, APP) == []


def test_each_change_is_in_the_audit_log_without_its_words(towers: Towers) -> None:
    with acting_as("guide/jane"):
        name = add(towers)
        new = NewCurated(question=TALL, answer="331 m.")
        assert curated.change(towers.home, APP, name, new, "measured again").answer == "331 m."
        curated.retire(towers.home, APP, name)
        curated.retire(towers.home, APP, name)  # nothing changes any more
    log = entries(towers.home, subject=f"curated/{name}")
    assert [(entry.action, entry.who) for entry in log] == [
        ("retire_curated", "guide/jane"),
        ("curate", "guide/jane"),
        ("curate", "guide/jane"),
    ]
    assert not any("331 m" in entry.model_dump_json() for entry in log)
    assert verify(towers.home).ok
    with pytest.raises(UsageError, match="has no curated answer"):
        curated.retire(towers.home, APP, "nothing")
    with pytest.raises(UsageError, match="has no curated answer"):
        curated.change(towers.home, "else", name, new)
