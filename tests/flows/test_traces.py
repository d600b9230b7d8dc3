"""`llmops traces` and `llmops users erase` as a user meets them."""

from pathlib import Path

import pytest

from llmops.flows.commands.explain import feedback_shown
from llmops.tasks.access import sessions
from llmops.tasks.traces import index
from llmops.tasks.traces.feedback import Feedback, rate
from llmops.tasks.traces.masking import masked
from llmops.tasks.traces.spool import TraceSpool
from tests.commandline import llmops
from tests.traces.made import SECRET, person, recorded

PRUNE = ("traces", "prune", "--app", "helpdsk", "--most", "3")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two traces of ann that wait, and no MLflow that answers."""
    monkeypatch.setenv("LLMOPS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    traces = [recorded(person=person(tmp_path / "home")) for _ in range(2)]
    index.enter(tmp_path / "home", traces)
    for trace in traces:
        TraceSpool(tmp_path / "home", "helpdesk", 10**9).put(trace)
    return tmp_path / "home"


def test_list_show_and_explain_what_waits(home: Path) -> None:
    listed = llmops("traces", "list", "--app", "helpdesk", "--json").data["traces"]
    assert [row["state"] for row in listed] == ["waits, or not kept"] * 2
    trace_id = listed[0]["id"]
    assert llmops("traces", "show", trace_id, "--json").data["answer"].startswith("On the page")
    assert "generate" in llmops("traces", "show", trace_id).out
    explained = llmops("explain", trace_id, "--json").data
    assert (explained["kind"], explained["passages"][0]["version"]) == ("trace", 3)
    assert "waits in the spool" in llmops("explain", trace_id).out
    unknown = llmops("traces", "delete", f"tr-{'0' * 32}", "--json")
    assert (unknown.code, unknown.mistake["kind"]) == (2, "usage")


def test_what_was_asked_is_listed_shortened_and_masked(home: Path) -> None:
    long, secret = recorded("夏" * 500), recorded(f"Why does\n{SECRET} fail?")
    index.enter(home, [long, secret])
    for trace in (long, secret):
        TraceSpool(home, "helpdesk", 10**9).put(masked(trace, content=True))
    listed = llmops("traces", "list", "--json")
    asked = {row["id"]: row["question"] for row in listed.data["traces"]}
    assert asked[long.id] == "夏" * 119 + "…"
    assert asked[secret.id] == "Why does [secret] fail?"
    assert "How do I reset my password?" in llmops("traces", "list").out


def test_a_list_is_there_without_questions_where_mlflow_is_not(home: Path) -> None:
    (stored, waiting) = (row.id for row in index.listed(home))
    index.mark_stored(home, [stored])
    listed = llmops("traces", "list", "--json")
    assert {row["question"] for row in listed.data["traces"]} == {None}
    assert "questions are not shown: " in listed.err
    assert waiting in listed.out


def test_what_was_said_of_an_answer_is_explained_before_mlflow_has_it(home: Path) -> None:
    trace_id = index.listed(home)[0].id
    rate(home, trace_id, "a" * 64, Feedback("down", "too short", "It is longer."))
    rate(home, trace_id, "b" * 64, Feedback(None))
    said = llmops("explain", trace_id, "--json").data["feedback"]
    assert [(each["name"], each["value"]) for each in said] == [
        ("rating", "down"),
        ("correction", "It is longer."),
    ]
    assert "rating: down (too short)" in llmops("explain", trace_id).out


def test_erase_says_what_it_could_not_reach(home: Path) -> None:
    planned = llmops("users", "erase", "ann", "--app", "helpdesk", "--json").data
    assert (planned["deleted"], planned["places"]["traces"]) == (False, 2)
    erased = llmops("users", "erase", "ann", "--app", "helpdesk", "--yes", "--json")
    assert erased.code == 1
    assert (erased.data["places"]["traces"], erased.data["places"]["spool"]) == (2, 2)
    assert any("MLflow, 2 traces of helpdesk" in each for each in erased.data["unreached"])
    assert {row["state"] for row in llmops("traces", "list", "--json").data["traces"]} == {
        "deleting"
    }


def test_a_comment_is_shown_with_its_rating() -> None:
    assert feedback_shown({"value": "down", "comment": "too\nshort"}) == "down (too short)"
    assert feedback_shown({"value": "up", "comment": ""}) == "up"


def test_whom_and_what_nobody_knows_is_told(home: Path) -> None:
    told = "nobody called 'an' has used 'helpdesk'"
    assert told in llmops("users", "erase", "an", "--app", "helpdesk").out
    erased = llmops("users", "erase", "an", "--app", "helpdesk", "--yes", "--json").data
    assert told in erased["remarks"][0]
    listed = llmops("traces", "list", "--app", "helpdsk").out
    assert "no traces of 'helpdsk' are here; applications that have some: helpdesk" in listed
    assert "did you mean helpdesk?" in listed


def test_a_misspelt_application_erases_nobody_and_signs_nobody_out(home: Path) -> None:
    _, token = sessions.begin(home, "ann")
    erase = ("users", "erase", "ann", "--app")
    for words in ((*erase, "helpdsk"), (*erase, "helpdsk", "--yes"), PRUNE):
        refused = llmops(*words, "--json")
        hint = "did you mean helpdesk?"
        assert (refused.code, refused.mistake["hint"]) == (2, hint), words
    assert sessions.read(home, token) is not None
    person(home, "elsewhere/bob")  # of whom a name alone is left, of an application without traces
    assert "bob" in llmops("users", "erase", "bob", "--app", "elsewhere", "--json").out


def test_what_deletes_nothing_says_so(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    told = llmops("users", "erase", "an", "--app", "helpdesk", "--yes")
    assert (told.code, told.out.splitlines()[-1]) == (0, "nothing was deleted")


def test_prune_refuses_what_is_protected(home: Path) -> None:
    refused = llmops(
        *("traces", "prune", "--app", "helpdesk", "--most", "3", "--least", "9", "--json")
    )
    assert (refused.code, "younger than 9 days are protected" in refused.mistake["message"]) == (
        2,
        True,
    )
    due = llmops("traces", "prune", "--app", "helpdesk", "--most", "3", "--json")
    assert due.data == {"app": "helpdesk", "due": 0, "deleted": False}
