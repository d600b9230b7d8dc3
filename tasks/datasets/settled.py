"""What people's word on each answer comes to: an adjudicated review before reviews that agree, and
those before the feedback of people who are trusted.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

By = Literal["adjudicated", "reviewed", "feedback"]
WITHDRAWN, DISCARD = "withdrawn", "discard"
OF_RATING = {"up": "good", "down": "bad"}


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class SaidFeedback(_Row):
    """What somebody said of an answer. `rating` None: it was withdrawn; `trusted`: it counts
    without a review.
    """

    trace_id: str
    person: str
    rating: str | None
    correction: str = ""
    trusted: bool
    at: datetime


class SaidReview(_Row):
    """One number of a reviewer's word on a trace. `relevant`: the passages that answer the
    question; `wanted`: so many reviewers have to agree.
    """

    trace_id: str
    reviewer: str
    number: int
    verdict: str
    correction: str = ""
    relevant: tuple[str, ...] = ()
    adjudicates: bool = False
    wanted: int = 1
    at: datetime


class Settled(_Row):
    """`people`: the pseudonyms of those whose word it is; "" are left out. `correction`: what the
    answer should have been, "" for none; `at`: when the newest word on it was said.
    """

    trace_id: str
    verdict: Literal["good", "bad"]
    correction: str
    relevant: tuple[str, ...]
    by: By
    people: tuple[str, ...]
    at: datetime


class _Word(_Row):
    person: str
    verdict: str
    correction: str
    relevant: tuple[str, ...]
    at: datetime


def settled(
    feedback: Iterable[SaidFeedback], reviews: Iterable[SaidReview], deleted: Iterable[str] = ()
) -> dict[str, Settled]:
    """By trace, in the order of their ids; what is open, disputed, discarded, withdrawn or deleted
    is not there. The order in which rows are given makes no difference.
    """
    said: dict[str, list[SaidFeedback]] = {}
    for each in feedback:
        said.setdefault(each.trace_id, []).append(each)
    reviewed: dict[str, list[SaidReview]] = {}
    for review in reviews:
        reviewed.setdefault(review.trace_id, []).append(review)
    gone = set(deleted)
    outcomes = {
        trace_id: _of_trace(trace_id, said.get(trace_id, ()), reviewed.get(trace_id, ()))
        for trace_id in sorted(said.keys() | reviewed.keys())
        if trace_id not in gone
    }
    return {trace_id: outcome for trace_id, outcome in outcomes.items() if outcome}


def holding(reviews: Iterable[SaidReview]) -> list[SaidReview]:
    """Each reviewer's latest word, and beside it their latest adjudication; those who withdrew
    theirs are left out.
    """
    latest: dict[tuple[str, bool], SaidReview] = {}
    for each in reviews:
        known = latest.get((each.reviewer, each.adjudicates))
        if known is None or each.number > known.number:
            latest[each.reviewer, each.adjudicates] = each
    return [each for each in latest.values() if each.verdict != WITHDRAWN]


def _of_trace(
    trace_id: str, feedback: Sequence[SaidFeedback], reviews: Sequence[SaidReview]
) -> Settled | None:
    held = holding(reviews)
    if decided := [each for each in held if each.adjudicates]:
        last = max(decided, key=lambda each: (each.at, each.reviewer))
        return _outcome(trace_id, "adjudicated", [_word(last)])
    if held:
        enough = len(held) >= max(each.wanted for each in held)
        return _outcome(trace_id, "reviewed", list(map(_word, held))) if enough else None
    trusted = [
        _Word(
            person=each.person,
            verdict=OF_RATING[each.rating],
            correction=each.correction.strip(),
            relevant=(),
            at=each.at,
        )
        for each in feedback
        if each.trusted and each.rating in OF_RATING
    ]
    return _outcome(trace_id, "feedback", trusted)


def _word(review: SaidReview) -> _Word:
    return _Word(
        person=review.reviewer,
        verdict=review.verdict,
        correction=review.correction.strip(),
        relevant=review.relevant,
        at=review.at,
    )


def _outcome(trace_id: str, by: By, words: Sequence[_Word]) -> Settled | None:
    """What they agree on; of several corrections, and of several ticks, the newest."""
    verdicts = {word.verdict for word in words}
    if len(verdicts) != 1 or not verdicts <= {"good", "bad"}:
        return None
    newest = sorted(words, key=lambda word: (word.at, word.person), reverse=True)
    return Settled(
        trace_id=trace_id,
        verdict="good" if verdicts == {"good"} else "bad",
        correction=next((word.correction for word in newest if word.correction), ""),
        relevant=next((word.relevant for word in newest if word.relevant), ()),
        by=by,
        people=tuple(sorted({word.person for word in words if word.person})),
        at=newest[0].at,
    )


def open_reasons(
    feedback: Iterable[SaidFeedback], reviews: Iterable[SaidReview], done: Mapping[str, Settled]
) -> dict[str, int]:
    """How many traces about which something was said are not settled, by why not."""
    counts = {"disputed": 0, "waiting for reviewers": 0, "not trusted": 0}
    grouped: dict[str, list[SaidReview]] = {}
    for review in reviews:
        grouped.setdefault(review.trace_id, []).append(review)
    for trace_id, given in grouped.items():
        held = holding(given)
        if trace_id in done or not held:
            continue
        if len(held) < max(each.wanted for each in held):
            counts["waiting for reviewers"] += 1
        elif {each.verdict for each in held} != {DISCARD}:
            counts["disputed"] += 1
    rated = {each.trace_id for each in feedback if each.rating and not each.trusted}
    counts["not trusted"] = len(rated - done.keys() - grouped.keys())
    return {why: count for why, count in counts.items() if count}
