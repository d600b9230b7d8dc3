"""What every scorer without a judge promises, for any answer."""

import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmops.tasks.plugins import Spec, names
from llmops.tasks.plugins.scorers import Judge, Sample, Scorer
from tests.plugins.scorers.samples import sample

CONFIGS: dict[str, dict[str, Any]] = {
    "exact_match": {},
    "contains": {"any_of": "expected.keywords", "none_of": ["never"]},
    "regex": {"pattern": r"capital\s+\d"},
    "json_schema": {
        "schema": {"type": "object", "properties": {"a": {"pattern": "^a+$"}}},
        "fields": ["label"],
    },
    "token_f1": {},
    "rouge": {"stem": "porter"},
    "similarity": {"embed": "hash"},
    "grounded": {"embed": "hash"},
    "citations": {},
    "refusal": {},
    "latency": {},
    "cost": {},
    "function": {
        "path": "tests.plugins.scorers.others:overlap",
        "arguments": {"wanted": "expected.answer"},
    },
    "mlflow": {
        "path": "mlflow.genai.scorers:RegexMatch",
        "options": {"pattern": "Paris|capital"},
    },
}
OTHERS = ("deepeval", "ragas")
"""Whose libraries need not be there: see their own tests."""
BINARY = ("exact_match", "contains", "regex", "json_schema", "refusal", "mlflow")
UNBOUNDED = ("latency", "cost")
"""Values above 1, of which less is better."""
NEEDS_NOTHING = ("json_schema", "grounded", "regex", "mlflow", *UNBOUNDED)
"""Of a case; all others name what of `expected` they miss."""
EXPECTED = {
    "answer": ["Paris, the capital", "東京"],
    "keywords": ["paris"],
    "uris": ["a.md"],
    "label": "x",
    "answerable": True,
}
PASSAGES = {
    "a.md": "Paris is the capital of France. It has 2 million inhabitants.",
    "b.md": "東京は日本の首都です。",
}
HOSTILE = {
    "empty": "",
    "blank": " \n\t ",
    "long": "Paris is the capital. " * 4700,
    "one word": "x" * 100_000,
    "digits": "12 " * 33_000,
    "controls": "\x00\x07\x1b[31mParis",
    "surrogates": "\ud800Paris\udfff",
    "rtl": "\u202eسلام paris\u202c",
    "emoji": "👩‍👩‍👧‍👦🎉" * 500,
    "marks": "e" + "\u0301" * 5000,
    "brackets": "[" * 50_000,
    "markers": "[1,2,3]" * 9000,
    "json": '{"a": ' * 900,
    "fence": "```json\n" * 5000,
    "braces": '{"a": "' + "a" * 50_000 + '"}',
    "quotes": '"“' * 20_000,
    "stops": "." * 50_000,
    "lines": "\n" * 50_000,
    "sorry": "I don't know. " * 5000,
    "not": "not " * 25_000,
    "han": "不" * 30_000,
    "urls": "https://a.b/c " * 5000,
    "number": "9" * 5000,
    "huge": '{"label": 1e999}',
    "wide": "Ｐａｒｉｓ［１］",
    "ranges": "[1-999]" * 5000,
    "spaces": " " * 50_000 + "x",
    "open fence": "```\n" + " " * 50_000 + "x",
    "open marker": "[source" + " " * 50_000,
    "bullets": "- " * 30_000,
    "stars": ".*" * 30_000,
    "dashes": "-" * 50_000,
    "commas": "[1" + ",1" * 30_000,
    "names": "Ab " * 30_000,
    "long lines": ("X" * 70 + "\n") * 1400,
    "backticks": "`a" * 30_000,
    "wrapped": "a\n" * 40_000,
}
ODD_CASES: list[dict[str, Any]] = [
    {},
    {"answer": None, "keywords": {}, "uris": [None], "answerable": "?"},
    {"answer": [], "keywords": [""], "uris": 3.5},
    {"answer": {"a": []}, "answerable": 1},
    {"answerable": False},
    {"refuse": True, "answer": ""},
]
FRAGMENTS = [
    "Paris",
    " ",
    "[1]",
    "[9",
    "not",
    "a.md",
    ". ",
    "\n",
    "\ud800",
    "東京",
    "2",
    "{",
    '"label": "x"',
    "}",
    "I don't know",
    "但",
]
ANY_TEXT = st.one_of(
    st.text(st.characters(codec=None), max_size=80),
    st.lists(st.sampled_from(FRAGMENTS), max_size=12).map("".join),
)


def made(name: str) -> Scorer:
    return Spec(name=name, options=CONFIGS[name]).build(Scorer)


def given_sample(answer: str, expected: dict[str, Any] | None = None) -> Sample:
    return sample(
        answer,
        EXPECTED if expected is None else expected,
        PASSAGES,
        "What is the capital?",
        latency_ms=12.5,
        cost_usd=0.001,
    )


def check(name: str, one: Sample) -> None:
    scorer = made(name)
    score = scorer.score(one)
    assert scorer.score_all([one]) == [score]
    assert (
        json.loads(score.model_dump_json())["reason"] == score.reason
    )  # lone surrogates would not pass
    assert len(score.reason) < 2000
    assert score.value is not None or score.reason
    for value in (*score.parts.values(), *([] if score.value is None else [score.value])):
        assert math.isfinite(value)
        assert value >= 0
        assert value <= 1 or name in UNBOUNDED
    assert score.value in (None, 0.0, 1.0) or name not in BINARY


def test_every_scorer_of_the_family_is_looked_at() -> None:
    own = {name for name in names("scorers") if not issubclass(type_of(name), Judge)}
    assert own == {*CONFIGS, *OTHERS}


def type_of(name: str) -> type:
    from llmops.tasks.plugins import load

    return load("scorers", name)


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("answer", HOSTILE)
def test_hostile_answers(name: str, answer: str) -> None:
    check(name, given_sample(HOSTILE[answer]))


@pytest.mark.parametrize("name", CONFIGS)
@settings(max_examples=40, deadline=None)
@given(answer=ANY_TEXT, wanted=ANY_TEXT)
def test_any_text(name: str, answer: str, wanted: str) -> None:
    check(
        name, given_sample(answer, EXPECTED | {"answer": wanted, "label": wanted, "uris": [wanted]})
    )


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("expected", ODD_CASES, ids=str)
def test_what_a_case_lacks_is_told_and_never_raised(name: str, expected: dict[str, Any]) -> None:
    one = given_sample("Paris", expected)
    lack = made(name).missing(one.case)
    assert lack is None or (len(lack) < 200 and "\n" not in lack)
    check(name, one)
    if lack:
        assert made(name).score(one).value is None


@pytest.mark.parametrize(
    "name",
    [name for name in CONFIGS if name not in NEEDS_NOTHING],
)
def test_needs_are_named(name: str) -> None:
    assert str(made(name).missing(given_sample("Paris", {}).case)).startswith("expected.")


@pytest.mark.parametrize(
    "name", [*BINARY, "token_f1", "rouge", "similarity", "grounded", "citations"]
)
def test_an_empty_answer_is_a_zero(name: str) -> None:
    assert made(name).score(given_sample("")).value == 0.0


@pytest.mark.parametrize("name", CONFIGS)
def test_directions_and_fingerprints(name: str) -> None:
    scorer = made(name)
    assert scorer.higher_is_better == (name not in UNBOUNDED)
    assert scorer.fingerprint() == made(name).fingerprint()


def test_latency_and_cost_are_those_of_the_sample() -> None:
    assert [made(name).score(given_sample("x")).value for name in UNBOUNDED] == [12.5, 0.001]
