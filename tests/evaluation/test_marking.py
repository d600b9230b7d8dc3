"""Scorers that break: on one answer, on all, or on none of them."""

import math
import sys
from collections.abc import Sequence

import pytest

from llmops.tasks.errors import Unavailable
from llmops.tasks.evaluation.judging import marks
from llmops.tasks.plugins.scorers import Case, Sample, Score, Scorer


def samples(*answers: str, expected: bool = True) -> list[Sample]:
    return [
        Sample(
            case=Case(id=f"c{n}", inputs={}, expected={"answer": "x"} if expected else {}),
            answer=answer,
        )
        for n, answer in enumerate(answers)
    ]


class Fragile(Scorer):
    """Breaks on some answers."""

    def score(self, sample: Sample) -> Score:
        if sample.answer == "crash":
            raise KeyError("lone \ud800")
        if sample.answer == "exit":
            sys.exit(3)
        if sample.answer == "away":
            raise Unavailable("the weights are not there")
        parts = {"p": math.nan} if sample.answer == "part" else {}
        return Score(value={"nan": math.nan, "inf": math.inf}.get(sample.answer, 1.0), parts=parts)


class Careless(Fragile):
    """Loses an answer when it has many, and needs `expected.answer`."""

    def missing(self, case: Case) -> str | None:
        return None if "answer" in case.expected else "expected.answer is missing"

    def score_all(self, samples: Sequence[Sample]) -> list[Score]:
        return [self.score(sample) for sample in samples][1:]


class Sloppy(Scorer):
    """Gives numbers instead of scores."""

    def score(self, sample: Sample) -> Score:
        return 1.0  # type: ignore[return-value]


def test_only_the_answer_that_it_breaks_on_has_failed() -> None:
    found = marks(Fragile(), samples("a", "crash", "b"))
    assert [(one.value, one.failed) for one in found] == [(1.0, False), (None, True), (1.0, False)]
    assert "KeyError" in found[1].reason
    assert "test_marking.py, line" in found[1].reason
    found[1].model_dump_json().encode()


def test_a_scorer_that_wants_to_end_the_process_has_failed_on_that_answer() -> None:
    found = marks(Fragile(), samples("a", "exit"))
    assert [(one.value, one.failed) for one in found] == [(1.0, False), (None, True)]
    assert "SystemExit: 3" in found[1].reason


@pytest.mark.parametrize("answer", ["nan", "inf", "part"])
def test_what_is_no_number_is_a_failure(answer: str) -> None:
    [found] = marks(Fragile(), samples(answer))
    assert (found.value, found.failed, found.parts) == (None, True, {})
    assert "not a finite number" in found.reason


def test_what_is_no_score_is_a_failure() -> None:
    [found] = marks(Sloppy(), samples("a"))
    assert (found.value, found.failed) == (None, True)
    assert "gave float" in found.reason


def test_a_lost_score_is_found_again_one_by_one() -> None:
    assert [one.value for one in marks(Careless(), samples("a", "b", "c"))] == [1.0, 1.0, 1.0]


def test_a_case_that_lacks_what_is_needed_is_unscored_with_the_reason_and_has_not_failed() -> None:
    found = marks(Careless(), [*samples("a"), *samples("b", expected=False), *samples("c")])
    lacking = (None, False, "expected.answer is missing")
    assert [(one.value, one.failed, one.reason) for one in found] == [
        (1.0, False, ""),
        lacking,
        (1.0, False, ""),
    ]


def test_what_no_answer_is_to_blame_for_ends_the_run() -> None:
    with pytest.raises(Unavailable, match="weights"):
        marks(Fragile(), samples("a", "away"))


def test_no_answers_no_scores() -> None:
    assert marks(Fragile(), []) == []
