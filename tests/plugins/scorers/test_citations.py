"""Quoted documents: by number, by address, and those that are none."""

import pytest

from llmops.tasks.plugins.scorers.citations import CitationsScorer
from tests.plugins.scorers.samples import sample

PASSAGES = {
    "guide/a.md": "Apples.",
    "guide/b.md": "Pears, see https://example.org/pears.",
    "https://example.org/c": "Plums.",
}


@pytest.mark.parametrize(
    ("answer", "uris", "value", "precision", "recall"),
    [
        ("Apples [1].", ["guide/a.md"], 1.0, 1.0, 1.0),
        ("Both [1,2].", ["guide/a.md"], 2 / 3, 0.5, 1.0),
        ("All [1-3].", ["guide/b.md"], 0.5, 1 / 3, 1.0),
        ("Apples [1][1] and [1].", ["guide/a.md", "guide/b.md"], 2 / 3, 1.0, 0.5),
        ("Nothing.", ["guide/a.md"], 0.0, 0.0, 0.0),
        ("Lost [7].", ["guide/a.md"], 0.0, 0.0, 0.0),
        ("Apples [1] [9].", ["guide/a.md"], 2 / 3, 0.5, 1.0),
        ("See guide/a.md.", ["guide/a.md"], 1.0, 1.0, 1.0),
        ("See my/guide/a.md", ["guide/a.md"], 0.0, 0.0, 0.0),
        ("See guide/a.md.bak", ["guide/a.md"], 0.0, 0.0, 0.0),
        ("See [plums](https://example.org/c)!", ["https://example.org/c"], 1.0, 1.0, 1.0),
        ("See https://example.org/invented, guide/a.md", ["guide/a.md"], 2 / 3, 0.5, 1.0),
        ("See https://example.org/pears [2]", ["guide/b.md"], 1.0, 1.0, 1.0),
        ("苹果【1】和【2†source】", ["guide/a.md", "guide/b.md"], 1.0, 1.0, 1.0),
        ("Apples [source: 1] [^2]", ["guide/a.md", "guide/b.md"], 1.0, 1.0, 1.0),
        ("Äpfel [1 und 2]", ["guide/a.md", "guide/b.md"], 1.0, 1.0, 1.0),
        ("`x[1]` is code", ["guide/a.md"], 0.0, 0.0, 0.0),
        ("```\nx[2]\n```\nApples［1］", ["guide/a.md"], 1.0, 1.0, 1.0),
        ("Nothing to quote.", [], 1.0, 1.0, 1.0),
        ("But [1].", [], 0.0, 0.0, 1.0),
        ("See other.md", ["other.md"], 1.0, 1.0, 1.0),
        ("Apples [1].", "guide/a.md", 1.0, 1.0, 1.0),
    ],
)
def test_by_hand(answer: str, uris: object, value: float, precision: float, recall: float) -> None:
    score = CitationsScorer().score(sample(answer, {"uris": uris}, PASSAGES))
    assert score.value == pytest.approx(value)
    assert score.parts == pytest.approx({"precision": precision, "recall": recall})


def test_two_passages_of_one_document_are_one() -> None:
    one = sample("So [1][2].", {"uris": ["a"]}, {"a": "First."})
    twice = one.model_copy(update={"passages": one.passages * 2})
    assert CitationsScorer().score(twice).value == 1.0


def test_the_reason_names_them() -> None:
    score = CitationsScorer().score(sample("So [2] [8].", {"uris": ["guide/a.md"]}, PASSAGES))
    assert (
        score.reason
        == "quotes wrongly guide/b.md; does not quote guide/a.md; leads to no passage: [8]"
    )


def test_what_a_case_lacks() -> None:
    assert CitationsScorer().missing(sample().case) == "expected.uris is missing"
    assert CitationsScorer().missing(sample(expected={"answerable": False}).case) is None
    assert CitationsScorer().score(sample("No.", {"answerable": False})).value is None
    assert CitationsScorer().missing(sample(expected={"uris": []}).case) is None
