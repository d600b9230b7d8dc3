"""What is said of an item, and what it comes to."""

from itertools import count
from pathlib import Path

import pytest

from llmops.tasks.errors import UsageError
from llmops.tasks.ledger import now
from llmops.tasks.review.items import ItemId, ReviewRow, ask_a_person, item
from llmops.tasks.review.reviewing import Review, history, outcome, submit
from tests.review.made import APP, asked, queued, reviewer
from tests.traces.made import SECRET

NUMBERS = count(1)


def said(verdict: str, *, adjudicates: bool = False) -> ReviewRow:
    number = next(NUMBERS)
    return ReviewRow(
        item_id="i", reviewer=str(number), number=1, trace_id="t", verdict=verdict, correction="",
        relevant=(), comment="", adjudicates=adjudicates, latest=True, seconds=1, created_at=now(),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("verdicts", "wanted", "state", "verdict"),
    [
        ([], 1, "open", ""),
        (["good"], 1, "done", "good"),
        (["good"], 2, "open", ""),
        (["good", "good"], 2, "done", "good"),
        (["good", "bad"], 2, "disputed", ""),
        (["good", "discard"], 2, "disputed", ""),
        (["discard", "discard"], 2, "discarded", "discard"),
        (["good", "bad"], 1, "disputed", ""),
        (["good", "bad"], 3, "open", ""),
        (["good", "withdrawn"], 2, "open", ""),
        (["withdrawn"], 1, "open", ""),
        (["good", "bad", "!bad"], 2, "done", "bad"),
        (["good", "bad", "!discard"], 2, "discarded", "discard"),
        (["good", "bad", "!good", "!bad"], 2, "done", "bad"),
        (["good", "bad", "!withdrawn"], 2, "disputed", ""),
        (["!good"], 2, "done", "good"),
    ],
)
def test_what_an_item_comes_to(verdicts: list[str], wanted: int, state: str, verdict: str) -> None:
    standing = [said(each.lstrip("!"), adjudicates=each.startswith("!")) for each in verdicts]
    assert outcome(standing, wanted) == (state, verdict)


def asked_for(home: Path) -> ItemId:
    (trace_id,) = asked(home)
    return ask_a_person(home, APP, "", trace_id, "")


def test_a_later_change_wins_and_what_was_said_before_is_kept(tmp_path: Path) -> None:
    what, ann = asked_for(tmp_path), reviewer(tmp_path, "ann")
    submit(tmp_path, APP, what, ann, Review("good", comment="fine"))
    twice = submit(tmp_path, APP, what, ann, Review("good", comment="fine", seconds=9))
    assert [each.number for each in twice.reviews] == [1]
    changed = submit(tmp_path, APP, what, ann, Review("bad", f"No: {SECRET}", ("a.md", "a.md")))
    assert (changed.state, changed.verdict) == ("done", "bad")
    assert [(each.number, each.verdict) for each in changed.reviews] == [(2, "bad")]
    assert changed.reviews[0].relevant == ("a.md",)
    assert SECRET not in changed.reviews[0].correction
    gone = submit(tmp_path, APP, what, ann, Review("withdrawn", "ignored"))
    assert (gone.state, gone.closed_at) == ("open", None)
    assert gone.reviews[0].correction == ""
    assert [each.verdict for each in history(tmp_path, what)] == ["good", "bad", "withdrawn"]


def test_an_adjudication_ends_a_dispute_and_stands_beside_the_review_of_the_same_person(
    tmp_path: Path,
) -> None:
    (trace_id,) = queued(tmp_path, 1, wanted=2)
    ann, bob = reviewer(tmp_path, "ann"), reviewer(tmp_path, "bob")
    what = ask_a_person(tmp_path, APP, "", trace_id, "")
    submit(tmp_path, APP, what, ann, Review("good"))
    assert submit(tmp_path, APP, what, bob, Review("bad")).state == "disputed"
    ruled = submit(tmp_path, APP, what, ann, Review("bad"), adjudicates=True)
    assert (ruled.state, ruled.verdict) == ("done", "bad")
    assert [(each.reviewer, each.verdict, each.adjudicates) for each in ruled.reviews] == [
        (ann, "good", False),
        (bob, "bad", False),
        (ann, "bad", True),
    ]
    back = submit(tmp_path, APP, what, ann, Review("withdrawn"), adjudicates=True)
    assert back.state == "disputed"


@pytest.mark.parametrize(
    ("review", "message"),
    [
        (Review("fine"), "allowed: good, bad, discard, withdrawn"),  # type: ignore[arg-type]
        (Review("bad", "x" * 16_001), "correction has 16,001 characters"),
        (Review("bad", comment="x" * 2_001), "comment has 2,001 characters"),
        (Review("bad", relevant=tuple(map(str, range(101)))), "101 relevant passages"),
        (Review("withdrawn"), "no review of this person"),
    ],
)
def test_what_is_not_allowed_says_what_is(tmp_path: Path, review: Review, message: str) -> None:
    what, ann = asked_for(tmp_path), reviewer(tmp_path, "ann")
    with pytest.raises(UsageError) as raised:
        submit(tmp_path, APP, what, ann, review)
    assert message in f"{raised.value} {raised.value.hint}"
    assert item(tmp_path, APP, what).reviews == ()
