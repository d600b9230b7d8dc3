"""Feedback in the ledger: once per trace and person, and the same answer for all who may not."""

from pathlib import Path

import pytest

from llmops.tasks.errors import UsageError
from llmops.tasks.ledger import open_ledger
from llmops.tasks.traces import deletion, index
from llmops.tasks.traces.feedback import Feedback, given, rate, said
from llmops.tasks.tracking.trace_records import Rating
from tests.traces.made import SECRET, person, recorded


def entered(home: Path, app: str = "helpdesk") -> str:
    trace = recorded(app=app)
    index.enter(home, [trace])
    return trace.id


def test_a_second_time_takes_the_place_of_the_first(tmp_path: Path) -> None:
    trace_id = entered(tmp_path)
    assert rate(tmp_path, trace_id, "a", Feedback("up")) == "recorded"
    assert rate(tmp_path, trace_id, "b", Feedback("up")) == "recorded"
    assert rate(tmp_path, trace_id, "a", Feedback("down", f"why {SECRET}", "so")) == "updated"
    assert rate(tmp_path, trace_id, "b", Feedback(None, "ignored")) == "updated"
    index.mark_stored(tmp_path, [trace_id])
    rows = {row.person: row for row in index.unrated(tmp_path, "helpdesk")}
    assert (rows["a"].rating, rows["a"].correction) == ("down", "so")
    assert SECRET not in rows["a"].comment
    assert (rows["b"].rating, rows["b"].comment) == (None, "")
    index.mark_rated(tmp_path, rows["a"])
    assert [row.person for row in index.unrated(tmp_path, "helpdesk")] == ["b"]
    rate(tmp_path, trace_id, "a", Feedback("up"))
    assert {row.person for row in index.unrated(tmp_path, "helpdesk")} == {"a", "b"}


def test_the_ledger_s_word_takes_the_place_of_what_mlflow_has(tmp_path: Path) -> None:
    trace_id = entered(tmp_path)
    score = Rating(key="score/f1", name="f1", value=0.5)
    former = [Rating(key=f"feedback/{who}", name="rating", value="up") for who in ("a", "b", "c")]
    rate(tmp_path, trace_id, "a", Feedback("down"))
    rate(tmp_path, trace_id, "b", Feedback(None))
    said = given(tmp_path, trace_id, [score, *former])
    assert [(each.key, each.value) for each in said] == [
        ("feedback/a", "down"),
        ("score/f1", 0.5),
        ("feedback/c", "up"),
    ]


def test_who_may_not_rate_is_told_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    gone, other = entered(tmp_path), entered(tmp_path, app="other")
    deletion.delete_trace(tmp_path, gone)
    told = set()
    for trace_id in (gone, other, f"tr-{'0' * 32}"):
        with pytest.raises(UsageError) as raised:
            rate(tmp_path, trace_id, "p", Feedback("up"), app="helpdesk")
        told.add(str(raised.value).replace(trace_id, "ID"))
    assert len(told) == 1
    assert rate(tmp_path, other, "p", Feedback("up"), app="other") == "recorded"


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (Feedback("fine"), "allowed: up, down"),
        (Feedback("up", "x" * 2_001), "comment has 2,001 characters, allowed: 2,000"),
        (Feedback("up", "", "x" * 16_001), "correction has 16,001 characters"),
    ],
)
def test_what_is_not_allowed_says_what_is(tmp_path: Path, said: Feedback, message: str) -> None:
    trace_id = entered(tmp_path)
    with pytest.raises(UsageError, match=message):
        rate(tmp_path, trace_id, "p", said)


def test_somebody_who_was_deleted_while_they_asked_leaves_nothing(tmp_path: Path) -> None:
    from llmops.tasks.audit.people import erase

    trace = recorded(person=person(tmp_path))
    with open_ledger(tmp_path).write() as connection:
        erase(connection, "helpdesk/ann")
    index.enter(tmp_path, [trace])
    row = index.row(tmp_path, trace.id)
    assert row is not None
    assert row.deleted_at is not None
    assert (row.person, row.conversation) == ("", "")
    assert row.cost_usd == trace.cost_usd
    assert index.deleted(tmp_path, [trace.id]) == {trace.id}


def test_what_somebody_said_is_read_back_until_it_is_withdrawn(tmp_path: Path) -> None:
    first, second, third = (entered(tmp_path) for _ in range(3))
    rate(tmp_path, first, "a", Feedback("down", "no", "so"))
    rate(tmp_path, second, "b", Feedback("up"))
    rate(tmp_path, third, "a", Feedback("up"))
    rate(tmp_path, third, "a", Feedback(None))
    assert said(tmp_path, [first, second, third], "a") == {first: Feedback("down", "no", "so")}
    assert said(tmp_path, [], "a") == {}
