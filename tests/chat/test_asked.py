"""Real questions, for those who may see them; and trials of them, which are nobody's answers."""

from pathlib import Path

import pytest

from llmops.tasks.chat.asked import asked_lately
from llmops.tasks.traces import index
from llmops.tasks.traces.deletion import delete_trace
from llmops.tasks.traces.spool import TraceSpool
from llmops.tasks.traces.trace import COMPARED, Trace, TraceRecorder

APP = "guide"


def entered(
    home: Path,
    question: str,
    *labels: str,
    status: str = "ok",
    app: str = APP,
    condensed: str = "",
    searched: bool = True,
    conversation: str = "",
) -> Trace:
    """A trace that waits in the spool."""
    recorder = TraceRecorder(app, question, conversation=conversation)
    recorder.tags["knowledge_base"] = "towers"
    if condensed:
        with recorder.span("condense", "CHAIN") as span:
            span.outputs = condensed
    if searched:
        with recorder.span("retrieve", "RETRIEVER", {"labels": sorted(labels)}):
            pass
    trace = recorder.finish("So.", status)
    index.enter(home, [trace])
    TraceSpool(home, app, 10**9).put(trace)
    return trace


def questions(home: Path, *labels: str, most: int = 20) -> list[str]:
    return [each.question for each in asked_lately(home, APP, labels, most)]


def test_the_newest_questions_each_once_and_as_they_stand_alone(tmp_path: Path) -> None:
    first = entered(tmp_path, "How tall is it?", condensed="How tall is the tower?")
    entered(tmp_path, "Who built it?")
    entered(tmp_path, "who  BUILT it?")
    entered(tmp_path, "Only a search", status="searched")
    entered(tmp_path, "A trial", status=COMPARED)
    entered(tmp_path, "It failed", status="error")
    entered(tmp_path, "Another application", app="other")
    assert questions(tmp_path) == ["who  BUILT it?", "How tall is the tower?"]
    assert questions(tmp_path, most=1) == ["who  BUILT it?"]
    (_, found) = asked_lately(tmp_path, APP, ())
    assert (found.trace_id, found.knowledge_base) == (first.id, "towers")
    delete_trace(tmp_path, first.id)
    assert questions(tmp_path) == ["who  BUILT it?"]


@pytest.mark.parametrize(
    ("held", "seen"),
    [
        ((), ["For all"]),
        (("staff",), ["Of staff", "For all"]),
        (("staff", "board"), ["Of the board", "Of staff", "For all"]),
    ],
)
def test_only_questions_whose_passages_one_may_see(
    tmp_path: Path, held: tuple[str, ...], seen: list[str]
) -> None:
    entered(tmp_path, "For all")
    entered(tmp_path, "Of staff", "staff")
    entered(tmp_path, "Of the board", "staff", "board")
    entered(tmp_path, "Refused before it was searched", status="refused", searched=False)
    assert questions(tmp_path, *held) == seen


def test_a_trial_goes_with_the_trace_whose_question_it_tried(tmp_path: Path) -> None:
    trace = entered(tmp_path, "How tall is it?")
    trial = entered(tmp_path, "How tall is it?", status=COMPARED, conversation=trace.id)
    other = entered(tmp_path, "Typed", status=COMPARED)
    assert delete_trace(tmp_path, trace.id).places["traces"] == 2
    assert index.deleted(tmp_path, [trace.id, trial.id, other.id]) == {trace.id, trial.id}


def test_a_trial_is_no_turn_of_a_conversation(tmp_path: Path) -> None:
    trace = entered(tmp_path, "How tall is it?", conversation="tr-1")
    entered(tmp_path, "How tall is it?", status=COMPARED, conversation="tr-1")
    assert [row.id for row in index.of_conversation(tmp_path, APP, "tr-1", "")] == [trace.id]
