"""What other people's scorers give, as scores."""

from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from llmops.tasks.plugins.scorers import Score
from llmops.tasks.plugins.scorers._values import score_of

GRADED = SimpleNamespace(value="yes", rationale="because", error=None, name="a")


@pytest.mark.parametrize(
    ("given", "value", "reason", "parts"),
    [
        (True, 1.0, "", {}),
        (0.25, 0.25, "", {}),
        (7, 7.0, "", {}),
        (np.float32(0.5), 0.5, "", {}),
        (np.bool_(False), 0.0, "", {}),
        (Decimal("0.1"), 0.1, "", {}),
        ("Yes", 1.0, "", {}),
        (" FAIL ", 0.0, "", {}),
        ("0.75", 0.75, "", {}),
        ("Good", 0.9, "", {}),
        (None, None, "the scorer gave no grade", {}),
        ("unknown", None, "the scorer gave no grade: unknown", {}),
        ((0.5, "half"), 0.5, "half", {}),
        (("yes", "no"), 0.5, "", {}),
        ([0, 1, 1, 0], 0.5, "", {}),
        ([], None, "the scorer gave no grade", {}),
        (GRADED, 1.0, "because", {}),
        ([GRADED, GRADED], 1.0, "because\nbecause", {}),
        (
            [GRADED, SimpleNamespace(value=0, reason="not", name="b")],
            0.5,
            "because\nnot",
            {"a": 1.0, "b": 0.0},
        ),
        ({"score": "no", "reason": "x", "recall": 0.5, "kind": "y"}, 0.0, "x", {"recall": 0.5}),
        (SimpleNamespace(value=None, reason="cannot tell"), None, "cannot tell", {}),
        (Score(value=0.3, parts={"a": 1.0}), 0.3, "", {"a": 1.0}),
    ],
)
def test_what_is_a_grade(
    given: Any, value: float | None, reason: str, parts: dict[str, float]
) -> None:
    score = score_of(given, {"good": 0.9})
    assert score == Score(value=score.value, reason=reason, parts=parts)
    assert score.value == (None if value is None else pytest.approx(value))


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("medium", "the text 'medium'; say what it is worth in `values: {medium: 0.5}`"),
        (float("nan"), "nan, which is not a finite number"),
        ("inf", "inf, which is not a finite number"),
        (object(), "the type object; a number, yes or no, or a text is wanted"),
        ({"recall": 1}, "a mapping of recall; it needs `value` or `score`"),
        ([1, "perhaps so"], "the text 'perhaps so'"),
    ],
)
def test_what_is_none_says_what_it_was(given: Any, says: str) -> None:
    given = [*given, 1] if isinstance(given, list) else given
    score = score_of(given, {})
    assert (score.value, score.failed) == (None, True)
    assert says in score.reason


def test_an_error_in_the_place_of_a_grade_has_failed() -> None:
    score = score_of(SimpleNamespace(value=None, error="no model", rationale=None), {})
    assert (score.value, score.failed) == (None, True)
    assert score.reason == "the scorer failed: no model"


def test_a_long_reason_is_cut_and_can_be_stored() -> None:
    score = score_of((1, "\ud800" + "x" * 5000), {})
    assert len(score.reason) == 1001
    assert score.reason.encode()
