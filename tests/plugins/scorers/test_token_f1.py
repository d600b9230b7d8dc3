"""Against SQuAD's official script, and by hand where there are no spaces."""

import re
import string
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.scorers import Scorer
from llmops.tasks.plugins.scorers.exact_match import ExactMatchScorer
from llmops.tasks.plugins.scorers.token_f1 import TokenF1Scorer
from tests.plugins.scorers.samples import answered, sample

WORDS = [
    "the",
    "A",
    "an",
    "cat",
    "Cat,",
    "dog",
    "dogs",
    "(of)",
    "it's",
    "U.S.",
    "5",
    "$5",
    "\n",
    "an-a",
    "...",
]
NEAR_ENGLISH = st.lists(st.sampled_from(WORDS), max_size=9).map(" ".join)


def official(text: str) -> str:
    """`normalize_answer` of evaluate-v1.1.py."""
    text = "".join(letter for letter in text.lower() if letter not in set(string.punctuation))
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", text).split())


def official_f1(prediction: str, truth: str) -> float:
    """`f1_score` of evaluate-v1.1.py, with SQuAD 2.0's rule for empty texts."""
    mine, theirs = official(prediction).split(), official(truth).split()
    if not mine or not theirs:
        return float(mine == theirs)
    same = sum((Counter(mine) & Counter(theirs)).values())
    if same == 0:
        return 0
    precision, recall = same / len(mine), same / len(theirs)
    return 2 * precision * recall / (precision + recall)


@given(NEAR_ENGLISH, st.lists(NEAR_ENGLISH, min_size=1, max_size=3))
def test_equals_the_official_script(answer: str, truths: list[str]) -> None:
    one = answered(answer, *truths)
    assert TokenF1Scorer().score(one).value == pytest.approx(
        max(official_f1(answer, truth) for truth in truths), abs=1e-15
    )
    assert ExactMatchScorer().score(one).value == max(
        official(answer) == official(truth) for truth in truths
    )


@pytest.mark.parametrize(
    ("answer", "expected", "f1", "precision", "recall"),
    [
        ("the Eiffel Tower in Paris", "Eiffel Tower", 2 / 3, 0.5, 1.0),
        ("東京都です", "東京都", 0.75, 0.6, 1.0),  # three of five characters
        ("北京大學", "北京大学", 0.75, 0.75, 0.75),
        (
            "iPhone 15を買う",
            "iPhone 15 を 買った",
            8 / 11,
            0.8,
            2 / 3,
        ),  # iphone 15 を 買, of five and of six
        ("서울은", "서울", 0.8, 2 / 3, 1.0),
        ("กรุงเทพ", "กรุงเทพฯ", 12 / 13, 1.0, 6 / 7),
        ("", "Paris", 0.0, 0.0, 0.0),
        ("The!", "a", 1.0, 1.0, 1.0),
        ("London", "the", 0.0, 0.0, 0.0),
    ],
)
def test_by_hand(answer: str, expected: str, f1: float, precision: float, recall: float) -> None:
    score = TokenF1Scorer().score(answered(answer, expected))
    assert score.value == pytest.approx(f1)
    assert score.parts == pytest.approx({"precision": precision, "recall": recall})


def test_parts_are_those_of_the_answer_that_counts() -> None:
    score = TokenF1Scorer().score(answered("red fox", "blue whale", "red fox cub", "fox"))
    assert score.value == pytest.approx(0.8)
    assert score.parts == pytest.approx({"precision": 1.0, "recall": 2 / 3})


def test_numbers_count_as_texts() -> None:
    assert TokenF1Scorer().score(sample("42", {"answer": 42})).value == 1.0


def test_a_field_of_a_structured_answer() -> None:
    scorer = TokenF1Scorer(read="result.text")
    assert (
        scorer.score(sample("{…}", {"answer": "yes"}, parsed={"result": {"text": "Yes."}})).value
        == 1.0
    )
    assert scorer.score(sample("no json", {"answer": "yes"})).value == 0.0


def test_what_a_case_lacks() -> None:
    scorer = Spec(name="token_f1").build(Scorer)
    lacking: list[dict[str, object]] = [{}, {"answer": []}, {"answer": {"a": 1}}, {"answer": None}]
    told = {str(scorer.missing(sample(expected=expected).case)) for expected in lacking}
    assert told == {
        "expected.answer is missing",
        "expected.answer is an empty list",
        "expected.answer holds a value of the type dict; a text or a list of texts is wanted",
    }
    unanswerable = sample("No idea", {"answerable": False})
    assert scorer.missing(unanswerable.case) is None
    assert scorer.score(unanswerable).value is None
    assert scorer.score(sample("No idea", {"answerable": False, "answer": "no idea"})).value == 1.0


def test_another_place_for_the_answer() -> None:
    scorer = TokenF1Scorer.model_validate({"answer": "expected.short"})
    assert scorer.score(sample("Paris", {"short": "Paris"})).value == 1.0
    with pytest.raises(
        ValueError,
        match=r"got 'short'; a reference into the case is wanted, such as expected\.answer",
    ):
        TokenF1Scorer.model_validate({"answer": "short"})
