"""Phrases in answers, with borders of words where a script has them."""

import pytest
from pydantic import ValidationError

from llmops.tasks.plugins.scorers.contains import ContainsScorer
from tests.plugins.scorers.samples import sample


@pytest.mark.parametrize(
    ("answer", "phrase", "found"),
    [
        ("The CAT sat.", "cat", True),
        ("concatenate", "cat", False),
        ("cats", "cat", False),
        ("a cat-like thing", "cat", True),
        ("it costs 3.5 euros", "5", False),
        ("it costs 1,500", "500", False),
        ("5.", "5", True),
        ("in 2015, yes", "2015", True),
        ("v15", "15", False),
        ("We use C++ here", "C++", True),
        ("node.js runs", "Node.js", True),
        ("ＮＡＳＡ", "nasa", True),
        ("STRASSE", "Straße", True),
        ("New\n York", "new york", True),
        ("東京都に住む", "東京", True),
        ("新しいiPhoneを買う", "iphone", True),
        ("서울에서", "서울", True),
        ("می\u200cخواهم بروم", "می خواهم", True),
        ("کتاب‌ها", "کتاب", True),
        ("a.b", "a+b", False),
        ("", "x", False),
    ],
)
def test_one_phrase(answer: str, phrase: str, found: bool) -> None:
    assert ContainsScorer(any_of=phrase).score(sample(answer)).value == float(found)


def test_inside_of_words_if_wanted() -> None:
    assert ContainsScorer(any_of="cat", words=False).score(sample("concatenate")).value == 1.0


def test_all_any_and_none_together() -> None:
    scorer = ContainsScorer(any_of=("red", "blue"), all_of=("car", "fast"), none_of=("bus",))
    assert scorer.score(sample("a fast red car")).value == 1.0
    bad = scorer.score(sample("a green car, not a bus"))
    assert (bad.value, bad.parts, bad.reason) == (
        0.0,
        {"share": 0.5},
        "lacks 'fast'; has none of 'red', 'blue'; has 'bus'",
    )


def test_phrases_of_the_case() -> None:
    scorer = ContainsScorer.model_validate(
        {"all_of": "expected.keywords", "none_of": "inputs.taboo"}
    )
    good = sample("Paris and Rome", {"keywords": ["rome", "paris"]})
    assert scorer.missing(good.case) == "inputs.taboo is missing"
    assert ContainsScorer(all_of="expected.keywords").score(good).value == 1.0
    blank = sample(expected={"keywords": ["ok", " "]}).case
    assert (
        ContainsScorer(any_of="expected.keywords").missing(blank)
        == "expected.keywords holds an empty phrase"
    )


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({}, "nothing to look for"),
        ({"any_of": []}, "got an empty list"),
        ({"any_of": ["a", "\u200b"]}, "got an empty phrase"),
        ({"all_of": ["expected.keywords"]}, "a reference stands alone"),
        ({"any": "x"}, "any\n.*not permitted"),
    ],
)
def test_mistakes_in_the_options(options: dict[str, object], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        ContainsScorer.model_validate(options)
