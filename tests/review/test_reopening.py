"""Items that people have to look at again."""

from pathlib import Path

from llmops.tasks.audit.people import pseudonym
from llmops.tasks.ledger import open_ledger
from llmops.tasks.review.items import NewItem, enqueue, item
from llmops.tasks.review.leases import claim
from llmops.tasks.review.reopening import reopen, superseded
from llmops.tasks.review.reviewing import Review, history, submit
from tests.datasets.made import APP, answered

AGAIN = ("outdated",)


def reviewed(home: Path) -> tuple[str, str, str]:
    """(trace, item, reviewer) of an item that somebody has closed."""
    trace = answered(home)
    enqueue(home, APP, APP, [NewItem(trace.id, ("negative",), 80.0)])
    who = pseudonym(open_ledger(home), "ann")
    found = claim(home, APP, APP, who)
    assert found is not None
    assert submit(home, APP, found.id, who, Review("bad", "Better.")).state == "done"
    return trace.id, found.id, who


def test_a_closed_item_is_open_for_the_same_reviewer_again(tmp_path: Path) -> None:
    trace, number, who = reviewed(tmp_path)
    assert claim(tmp_path, APP, APP, who) is None
    assert reopen(tmp_path, APP, APP, [NewItem(trace, AGAIN, 85.0, "It has changed.")]) == 1
    again = claim(tmp_path, APP, APP, who)
    assert again is not None
    assert (again.id, again.state, again.verdict, again.reviews) == (number, "open", "", ())
    assert again.reasons == ("negative", "outdated")
    assert again.note == "It has changed."
    assert submit(tmp_path, APP, number, who, Review("bad", "Better.")).state == "done"
    assert [each.latest for each in history(tmp_path, number)] == [False, True]


def test_what_is_not_in_the_queue_is_put_there(tmp_path: Path) -> None:
    trace = answered(tmp_path)
    assert reopen(tmp_path, APP, APP, [NewItem(trace.id, AGAIN, 85.0)]) == 1
    who = pseudonym(open_ledger(tmp_path), "ann")
    found = claim(tmp_path, APP, APP, who)
    assert found is not None
    assert found.trace_id == trace.id


def test_what_another_place_still_says_of_before_is_no_new_word(tmp_path: Path) -> None:
    trace, number, who = reviewed(tmp_path)
    said = Review("bad", "Better.")
    assert not superseded(tmp_path, number, who, said)
    reopen(tmp_path, APP, APP, [NewItem(trace, AGAIN, 85.0)])
    assert superseded(tmp_path, number, who, said)
    assert not superseded(tmp_path, number, who, Review("bad", "Another."))
    assert item(tmp_path, APP, number).state == "open"
