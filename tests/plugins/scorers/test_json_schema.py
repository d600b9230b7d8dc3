"""JSON, its schema, and fields that must be right."""

import pytest
from pydantic import ValidationError

from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.scorers import Sample, Scorer
from llmops.tasks.plugins.scorers.json_schema import JsonSchemaScorer
from tests.plugins.scorers.samples import sample

SCHEMA = {
    "type": "object",
    "properties": {
        "label": {"enum": ["a", "b"]},
        "price": {"type": "number"},
        "code": {"pattern": "^(x|xx)+$"},
    },
    "required": ["label"],
    "additionalProperties": False,
}


def made(**options: object) -> Scorer:
    return Spec(name="json_schema", options={"schema": SCHEMA} | options).build(Scorer)


@pytest.mark.parametrize(
    ("answer", "value", "reason"),
    [
        ('{"label": "a", "price": 3}', 1.0, ""),
        ('```json\n{"label": "a"}\n```', 1.0, ""),
        ('{"label": "c"}', 0.0, "label: 'c' is not one of ['a', 'b']"),
        ("{}", 0.0, "the whole: 'label' is a required property"),
        ('{"label": "a", "price": "3"}', 0.0, "price: '3' is not of type 'number'"),
        ("[1]", 0.0, "the whole: [1] is not of type 'object'"),
        ("Sure! {}", 0.0, "the answer is not JSON: Expecting value: line 1 column 1 (char 0)"),
        ("", 0.0, "the answer is empty"),
        ('{"label": NaN}', 0.0, "the answer is not JSON: NaN is not JSON"),
        ("[" * 200 + "]" * 200, 0.0, "the answer is nested deeper than 100 levels"),
        ("[" * 50_000, 0.0, "the answer is nested deeper than 100 levels"),
        ('{"label": "a", "code": "y"}', 0.0, "code: 'y' does not match '^(x|xx)+$'"),
    ],
)
def test_answers(answer: str, value: float, reason: str) -> None:
    score = made().score(sample(answer))
    assert (score.value, score.reason) == (value, reason)


@pytest.mark.slow
def test_a_pattern_without_end_in_a_schema() -> None:
    score = made().score(sample('{"label": "a", "code": "' + "x" * 60 + 'y"}'))
    assert (score.value, score.failed, score.reason) == (
        None,
        True,
        "the pattern took longer than 1 s",
    )


def test_what_was_parsed_already_and_what_the_prompt_asked_for() -> None:
    assert made().score(sample("anything", parsed={"label": "b"})).value == 1.0
    plain = JsonSchemaScorer()
    assert [
        plain.score(sample(text, output={"type": "array"})).value for text in ("[1]", "{}", "x")
    ] == [1.0, 0.0, 0.0]
    broken = plain.score(sample("{}", output={"type": "objekt"}))
    assert (broken.value, broken.failed) == (None, True)
    assert "at type: 'objekt' is not valid" in broken.reason
    assert [plain.score(sample(text)).value for text in ("[1]", "{}", "x")] == [1.0, 1.0, 0.0]


@pytest.mark.parametrize(
    ("got", "wanted", "same"),
    [
        ("1", 1.0, True),
        ("true", 1, False),
        ('"Ａ "', "A", True),
        ('{"b": [1, 2], "a": null}', {"a": None, "b": [1, 2]}, True),
        ("[1, 2]", [2, 1], False),
        ("null", None, True),
        ("0", False, False),
    ],
)
def test_fields_equal_those_of_the_case(got: str, wanted: object, same: bool) -> None:
    scorer = JsonSchemaScorer.model_validate({"fields": ["x"]})
    one = sample('{"x": ' + got + "}", {"x": wanted})
    assert scorer.missing(one.case) is None
    score = scorer.score(one)
    assert (score.value, score.parts) == (float(same), {"fields": float(same)})


def test_the_share_of_right_fields() -> None:
    scorer = made(fields={"label": "expected.class", "price": "expected.price"})
    score = scorer.score(sample('{"label": "a"}', {"class": "a", "price": 3}))
    assert (score.value, score.parts, score.reason) == (
        0.0,
        {"fields": 0.5},
        "price is missing, not 3",
    )
    assert scorer.missing(sample(expected={"class": "a"}).case) == "expected.price is missing"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"schema": {"type": "objekt"}}, "no JSON Schema .*: at type: 'objekt' is not valid"),
        ({"fields": ["a b"]}, "a reference into the case is wanted"),
        ({"schema": {"properties": {"a": {"pattern": "("}}}}, "at properties.a.pattern"),
        ({"schema": {"$ref": "https://example.org/schema.json"}}, "nothing is fetched"),
    ],
)
def test_mistakes_in_the_options(options: dict[str, object], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        JsonSchemaScorer.model_validate(options)


def test_a_reference_that_leads_nowhere_is_the_schemas_fault() -> None:
    score = JsonSchemaScorer.model_validate({"schema": {"$ref": "#/$defs/none"}}).score(
        sample("{}")
    )
    assert (score.value, score.failed) == (None, True)
    assert "which it does not hold" in score.reason


def test_a_sample_says_what_was_asked_for() -> None:
    assert Sample.model_validate(sample("x", output={"type": "array"}).model_dump()).output == {
        "type": "array"
    }
