"""What people's word comes to: who wins over whom, and that no order of events makes another
outcome.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from llmops.tasks.datasets.settled import SaidFeedback, SaidReview, Settled, open_reasons, settled

START = datetime(2026, 11, 1, tzinfo=UTC)
TICKED = ("a.md",)


def fed(
    person: str, rating: str | None, *, correction: str = "", trusted: bool = True, minute: int = 0
) -> SaidFeedback:
    return SaidFeedback(
        trace_id="tr-1",
        person=person,
        rating=rating,
        correction=correction,
        trusted=trusted,
        at=START + timedelta(minutes=minute),
    )


def seen(
    reviewer: str, verdict: str, number: int = 1, *, minute: int = 0, **more: Any
) -> SaidReview:
    at = START + timedelta(minutes=minute)
    return SaidReview(
        trace_id="tr-1", reviewer=reviewer, number=number, verdict=verdict, at=at, **more
    )


CASES: dict[str, tuple[list[SaidFeedback], list[SaidReview], tuple[str, str, str] | None]] = {
    "trusted feedback": ([fed("ann", "up")], [], ("good", "", "feedback")),
    "a trusted correction": (
        [fed("ann", "down", correction=" Better. ")],
        [],
        ("bad", "Better.", "feedback"),
    ),
    "feedback that is not trusted": ([fed("ann", "up", trusted=False)], [], None),
    "feedback that was withdrawn": ([fed("ann", None, correction="x")], [], None),
    "trusted people who differ": ([fed("ann", "up"), fed("bob", "down")], [], None),
    "the newest correction": (
        [
            fed("ann", "down", correction="old", minute=1),
            fed("bob", "down", correction="new", minute=2),
        ],
        [],
        ("bad", "new", "feedback"),
    ),
    "a review before feedback": (
        [fed("ann", "up")],
        [seen("bob", "bad", correction="b")],
        ("bad", "b", "reviewed"),
    ),
    "a later change of a review": (
        [],
        [seen("bob", "good", 1), seen("bob", "bad", 2)],
        ("bad", "", "reviewed"),
    ),
    "numbers count, not the order of rows": (
        [],
        [seen("bob", "bad", 2), seen("bob", "good", 1)],
        ("bad", "", "reviewed"),
    ),
    "a withdrawn review gives the word back to feedback": (
        [fed("ann", "up")],
        [seen("bob", "bad", 1), seen("bob", "withdrawn", 2)],
        ("good", "", "feedback"),
    ),
    "one of two reviewers": ([fed("ann", "up")], [seen("bob", "good", wanted=2)], None),
    "two who agree": (
        [],
        [seen("ann", "good", wanted=2), seen("bob", "good", wanted=2)],
        ("good", "", "reviewed"),
    ),
    "two who differ": ([], [seen("ann", "good", wanted=2), seen("bob", "bad", wanted=2)], None),
    "a dispute that was adjudicated": (
        [],
        [
            seen("ann", "good", wanted=2),
            seen("bob", "bad", wanted=2, correction="no"),
            seen("cem", "bad", adjudicates=True, correction="yes", wanted=2),
        ],
        ("bad", "yes", "adjudicated"),
    ),
    "an adjudication that was withdrawn": (
        [],
        [
            seen("ann", "good"),
            seen("cem", "bad", 1, adjudicates=True),
            seen("cem", "withdrawn", 2, adjudicates=True),
        ],
        ("good", "", "reviewed"),
    ),
    "a discard": ([fed("ann", "up")], [seen("bob", "discard")], None),
    "an adjudicated discard": (
        [],
        [seen("ann", "good"), seen("cem", "discard", adjudicates=True)],
        None,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_who_wins_over_whom(name: str) -> None:
    feedback, reviews, expected = CASES[name]
    got = settled(feedback, reviews).get("tr-1")
    assert (got and (got.verdict, got.correction, got.by)) == expected
    assert settled(feedback[::-1], reviews[::-1]).get("tr-1") == got
    assert settled(feedback, reviews, deleted=["tr-1"]) == {}


def test_ticks_and_corrections_may_come_from_different_reviewers() -> None:
    both = [
        seen("ann", "bad", wanted=2, relevant=TICKED, minute=1),
        seen("bob", "bad", wanted=2, correction="Better.", minute=2),
    ]
    assert settled([], both)["tr-1"] == Settled(
        trace_id="tr-1",
        verdict="bad",
        correction="Better.",
        relevant=TICKED,
        by="reviewed",
        people=("ann", "bob"),
        at=START + timedelta(minutes=2),
    )


def test_what_is_open_is_counted_by_its_reason() -> None:
    other = {"trace_id": "tr-2"}
    feedback = [fed("ann", "down", trusted=False).model_copy(update={"trace_id": "tr-3"})]
    reviews = [
        seen("ann", "good", wanted=2),
        seen("bob", "bad", wanted=2),
        seen("ann", "good", wanted=2).model_copy(update=other),
        seen("ann", "discard").model_copy(update={"trace_id": "tr-4"}),
    ]
    assert open_reasons(feedback, reviews, settled(feedback, reviews)) == {
        "disputed": 1,
        "waiting for reviewers": 1,
        "not trusted": 1,
    }
