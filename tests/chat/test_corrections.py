"""From what somebody said of an answer to a curated one, and the command for it."""

import pytest

from llmops.tasks.chat.corrections import from_trace
from llmops.tasks.chat.curated import NewCurated
from llmops.tasks.chat.engine import ChatEngine
from llmops.tasks.chat.turn import Turn
from llmops.tasks.errors import UsageError
from llmops.tasks.traces import index
from llmops.tasks.traces.feedback import Feedback, rate
from llmops.tasks.traces.spool import TraceSpool
from llmops.tasks.traces.trace import Trace, TraceRecorder
from tests.chat.apps import TALL, Towers
from tests.commandline import llmops

NOTHING = NewCurated(question="", answer="")


def asked(towers: Towers, *labels: str) -> Trace:
    """A question whose trace waits in the spool."""

    async def work(engine: ChatEngine) -> Trace:
        recorder = TraceRecorder("guide", TALL)
        answer = await engine.answer(Turn(question=TALL, labels=frozenset(labels)), recorder)
        return recorder.finish(answer.text)

    trace = towers.run(work)
    index.enter(towers.home, [trace])
    TraceSpool(towers.home, "guide", 10**9).put(trace)
    return trace


def test_a_correction_is_for_those_who_hold_what_the_asker_held(towers: Towers) -> None:
    trace = asked(towers, "staff")
    with pytest.raises(UsageError, match="does not have a correction"):
        from_trace(towers.home, "guide", trace.id, NOTHING)
    for person, text in (("p1", "wrong"), ("p2", "330 m.")):
        rate(towers.home, trace.id, person, Feedback("down", correction=text))
    new = from_trace(towers.home, "guide", trace.id, NOTHING)
    assert (new.question, new.answer, new.labels) == (TALL, "330 m.", frozenset({"staff"}))
    assert new.trace_id == trace.id
    given = NewCurated(question="Other?", answer="Other.", labels=frozenset())
    free = from_trace(towers.home, "guide", trace.id, given, asks_labels=False)
    assert (free.question, free.answer, free.labels) == ("Other?", "Other.", frozenset())
    with pytest.raises(UsageError, match="is no trace of 'else'"):
        from_trace(towers.home, "else", trace.id, NOTHING)


def test_the_command_keeps_changes_and_retires_answers(towers: Towers) -> None:
    trace = asked(towers, "staff")
    rate(towers.home, trace.id, "p1", Feedback("down", correction="330 m."))
    made = llmops("answers", "add", "guide", "--trace", trace.id, "--json").data
    assert (made["question"], made["answer"], made["labels"]) == (TALL, "330 m.", ["staff"])
    key = made["id"]
    words = ("answers", "change", "guide", key, "--threshold", "1", "--labels", "", "--json")
    changed = llmops(*words).data
    assert (changed["labels"], changed["threshold"], changed["answer"]) == ([], 1.0, "330 m.")
    assert [
        each["id"] for each in llmops("answers", "list", "guide", "--json").data["answers"]
    ] == [key]
    shown = llmops("answers", "list", "guide").out
    assert shown.count(TALL) == 1
    assert "[]" not in shown
    other = llmops("answers", "add", "guid", "--question", "Why?", "--answer", "So.").out
    assert "no traces of 'guid' are here; applications that have some: guide" in other
    assert llmops("answers", "retire", "guide", key, "--json").data["state"] == "retired"
    assert llmops("answers", "list", "guide", "--json").data["answers"] == []
    (row,) = llmops("answers", "list", "guide", "--retired", "--json").data["answers"]
    assert row["retired_at"]


@pytest.mark.parametrize(
    ("words", "where"),
    [
        (
            ("add", "guide", "--question", "Why?", "--answer", "So.", "--threshold", "0"),
            "threshold",
        ),
        (("add", "guide", "--question", "Why?"), "answer"),
        (("retire", "guide", "nothing"), ""),
        (("change", "guide", "nothing", "--answer", "x"), ""),
        (("add", "guide", "--trace", "tr-" + "0" * 32), ""),
    ],
)
def test_what_cannot_be_is_a_mistake_of_usage(
    towers: Towers, words: tuple[str, ...], where: str
) -> None:
    said = llmops("answers", *words, "--json")
    assert said.code == 2
    assert said.mistake["where"] == where
