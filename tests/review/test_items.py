"""Entering items: once each, with reasons that gather, and of this application's traces alone."""

from pathlib import Path

import pytest

from llmops.tasks.errors import UsageError
from llmops.tasks.review.items import NewItem, ask_a_person, enqueue, item
from llmops.tasks.review.leases import claim
from llmops.tasks.review.reviewing import Review, submit
from llmops.tasks.traces import deletion
from tests.review.made import APP, asked, queued, reviewer
from tests.traces.made import SECRET


def test_what_is_there_keeps_its_state_and_gains_reasons(tmp_path: Path) -> None:
    (trace_id,) = queued(tmp_path)
    ann = reviewer(tmp_path, "ann")
    first = claim(tmp_path, APP, "", ann)
    assert first is not None
    submit(tmp_path, APP, first.id, ann, Review("good"))
    again = NewItem(trace_id, ("refusal", "random"), 0.1)
    assert enqueue(tmp_path, APP, "", [again, again]) == 0
    found = item(tmp_path, APP, first.id)
    assert (found.state, found.reasons, found.priority) == ("done", ("random", "refusal"), 1.0)


def test_traces_of_others_and_deleted_ones_are_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    other, gone, mine = *asked(tmp_path, app="other"), *asked(tmp_path, 2)
    deletion.delete_trace(tmp_path, gone)
    items = [NewItem(each, ("random",), 0.5) for each in (other, gone, mine, f"tr-{'0' * 32}")]
    assert enqueue(tmp_path, APP, "", items) == 1
    told = set()
    for trace_id in (other, gone, f"tr-{'0' * 32}"):
        with pytest.raises(UsageError) as raised:
            ask_a_person(tmp_path, APP, "", trace_id, "")
        told.add(str(raised.value).replace(trace_id, "ID"))
    assert len(told) == 1


def test_who_wants_a_person_comes_first(tmp_path: Path) -> None:
    ids = queued(tmp_path, 3)
    ann = reviewer(tmp_path, "ann")
    wanted = ask_a_person(tmp_path, APP, "", ids[2], ann, f"is this so? {SECRET}")
    ask_a_person(tmp_path, APP, "", ids[1], ann)
    assert ask_a_person(tmp_path, APP, "", ids[2], ann, "") == wanted
    found = claim(tmp_path, APP, "", reviewer(tmp_path, "bob"))
    assert found is not None
    assert found.id == wanted
    assert found.reasons == ("random", "asked")
    assert found.note.startswith("is this so?")
    assert SECRET not in found.note


def test_an_item_of_another_application_is_unknown(tmp_path: Path) -> None:
    (trace_id,) = asked(tmp_path)
    found = ask_a_person(tmp_path, APP, "", trace_id, "")
    with pytest.raises(UsageError, match="no review item of 'other'"):
        item(tmp_path, "other", found)
