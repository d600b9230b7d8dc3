"""Patterns, and those that never come to an end."""

import pytest
from pydantic import ValidationError

from llmops.tasks.plugins.scorers.regex import RegexScorer
from tests.plugins.scorers.samples import sample


@pytest.mark.parametrize(
    ("options", "answer", "value"),
    [
        ({"pattern": r"\d{4}-\d\d"}, "on 2024-05-01", 1.0),
        ({"pattern": r"\d{4}-\d\d", "match": "full"}, "on 2024-05", 0.0),
        ({"pattern": r"\d{4}", "match": "full"}, "2024", 1.0),
        ({"pattern": "paris"}, "PARIS", 0.0),
        ({"pattern": "paris", "flags": ["ignore_case"]}, "PARIS", 1.0),
        ({"pattern": "^b", "flags": ["multiline"]}, "a\nb", 1.0),
        ({"pattern": "a.b", "flags": ["dot_all"]}, "a\nb", 1.0),
        ({"pattern": "as an AI", "absent": True}, "Paris", 1.0),
        ({"pattern": "as an AI", "absent": True}, "Well, as an AI", 0.0),
        ({"pattern": "ABC"}, "ＡＢＣ", 1.0),
        ({"pattern": "Ａ"}, "Ａ", 1.0),
    ],
)
def test_by_hand(options: dict[str, object], answer: str, value: float) -> None:
    assert RegexScorer.model_validate(options).score(sample(answer)).value == value


def test_a_pattern_of_each_case() -> None:
    assert (
        RegexScorer().score(sample("id 17", {"pattern": [r"no\d", r"id \d+"]})).reason
        == "found 'id 17'"
    )
    assert RegexScorer().missing(sample().case) == "expected.pattern is missing"
    told = RegexScorer().missing(sample(expected={"pattern": "a(b"}).case)
    assert (
        told
        == "expected.pattern: the pattern 'a(b' is no regular expression: missing ) at character 4"
    )


def test_a_mistake_in_the_pattern_is_found_when_the_config_is_read() -> None:
    with pytest.raises(
        ValidationError,
        match=r"the pattern '\[a' is no regular expression: unterminated character set at "
        r"character 3",
    ):
        RegexScorer(pattern="[a")


def test_a_pattern_without_end_does_not_hold_up_the_run() -> None:
    score = RegexScorer(pattern="^(a|aa)+$", seconds=0.05).score(sample("a" * 60 + "b"))
    assert (score.value, score.failed) == (None, True)
    assert score.reason == "the pattern took longer than 0.05 s on this answer; make it simpler"
