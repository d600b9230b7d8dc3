"""Against Lin 2004 and the package rouge_score, whose published examples these are."""

import random
from functools import cache

import pytest
from pydantic import ValidationError

from llmops.tasks.plugins.scorers.rouge import RougeScorer, common_subsequence
from tests.plugins.scorers.samples import answered

FOX, LOG = "The quick brown fox jumps over the lazy dog", "The quick brown dog jumps on the log."


@pytest.mark.parametrize(
    ("answer", "expected", "values"),
    [
        (
            LOG,
            FOX,
            {"rouge1": 0.7058823529411765, "rougeL": 0.5882352941176471},
        ),  # README of rouge_score
        ("testing", "testing one two", {"rouge1": 0.5, "rouge2": 0.0, "rougeL": 0.5}),  # its tests
        ("testing one", "testing one two", {"rouge2": 2 / 3}),
        ("testing two", "testing one two", {"rougeL": 0.8}),
        (
            "police kill the gunman",
            "police killed the gunman",
            {"rougeL": 0.75, "rouge2": 1 / 3},
        ),  # Lin 2004, section 3.1
        ("the gunman kill police", "police killed the gunman", {"rougeL": 0.5, "rouge2": 1 / 3}),
        ("東京は雨", "東京は晴れ", {"rouge1": 2 / 3, "rouge2": 4 / 7, "rougeL": 2 / 3}),
        ("", "word", {"rouge1": 0.0, "rouge2": 0.0, "rougeL": 0.0}),
        ("?", "!", {"rouge1": 1.0, "rouge2": 1.0, "rougeL": 1.0}),
        ("word", "word", {"rouge1": 1.0, "rouge2": 0.0, "rougeL": 1.0}),
    ],
)
def test_published_values(answer: str, expected: str, values: dict[str, float]) -> None:
    score = RougeScorer().score(answered(answer, expected))
    assert {name: score.parts[name] for name in values} == pytest.approx(values)
    assert score.value == score.parts["rougeL"]


def test_stems() -> None:
    assert RougeScorer(stem="porter", variant="rouge1").score(
        answered("the cats were running", "the cat ran")
    ).value == pytest.approx(4 / 7)
    assert RougeScorer(variant="rouge1").score(
        answered("the cats were running", "the cat ran")
    ).value == pytest.approx(2 / 7)
    assert (
        RougeScorer(stem="german", variant="rouge1")
        .score(answered("viele Häuser", "viel Haus"))
        .value
        == 1.0
    )
    with pytest.raises(ValidationError, match=r"got 'klingon'; allowed: .*porter"):
        RougeScorer(stem="klingon")


def test_the_best_of_several_answers_by_each_measure() -> None:
    score = RougeScorer(variant="rouge1").score(answered("a b c d", "d c b a", "a b x y"))
    assert score.parts == pytest.approx({"rouge1": 1.0, "rouge2": 1 / 3, "rougeL": 0.5})


def test_the_longest_common_subsequence_is_that_of_the_textbook() -> None:
    draw = random.Random(7)
    for _ in range(200):
        one, other = ("".join(draw.choices("abcd", k=draw.randrange(12))) for _ in range(2))
        assert common_subsequence(one, other) == textbook(one, other)


@cache
def textbook(one: str, other: str) -> int:
    if not one or not other:
        return 0
    if one[-1] == other[-1]:
        return textbook(one[:-1], other[:-1]) + 1
    return max(textbook(one[:-1], other), textbook(one, other[:-1]))
