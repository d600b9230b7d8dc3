"""See test_token_f1.py for the official script."""

import pytest

from llmops.tasks.plugins.scorers.exact_match import ExactMatchScorer
from tests.plugins.scorers.samples import answered


@pytest.mark.parametrize(
    ("answer", "expected", "options", "value"),
    [
        ("The Paris!", "paris", {}, 1.0),
        ("Ｐａｒｉｓ", "paris", {}, 1.0),
        ("Paris, France", "Paris", {}, 0.0),
        ("", "the", {}, 1.0),
        ("東京。", "東京", {}, 1.0),
        ("Paris", "paris", {"case": True}, 0.0),
        ("Paris", "The Paris", {"case": True}, 1.0),
        ("the  Paris", "The Paris", {"normalise": "unicode"}, 1.0),
        ("Paris.", "Paris", {"normalise": "unicode"}, 0.0),
        ("ﬁn", "fin", {"normalise": "unicode", "case": True}, 1.0),
        ("die Antwort", "Antwort", {"articles": ["die"]}, 1.0),
        ("Straße", "STRASSE", {}, 1.0),
        ("", "", {"normalise": "unicode"}, 1.0),
    ],
)
def test_by_hand(answer: str, expected: str, options: dict[str, object], value: float) -> None:
    assert ExactMatchScorer.model_validate(options).score(answered(answer, expected)).value == value


def test_any_of_several_and_the_reason() -> None:
    assert ExactMatchScorer().score(answered("two", "2", "two")).value == 1.0
    assert (
        ExactMatchScorer().score(answered("three\n", "2", "two")).reason
        == "got 'three', wanted '2' or 'two'"
    )
