"""JSON schemas: as they are sent, and as `extractive` fills them."""

import json
from typing import Any

import jsonschema
import pytest

from llmops.tasks.plugins.llms._chat import response_format
from llmops.tasks.plugins.llms.extractive.answer import filled

TEXT: dict[str, Any] = {"type": "string"}


def sent(schema: dict[str, Any]) -> dict[str, Any]:
    wanted = response_format(schema, "schema")
    assert wanted is not None
    found: dict[str, Any] = dict(wanted["json_schema"])
    return found


def test_a_schema_that_only_wants_an_object_is_none() -> None:
    assert response_format({"type": "object"}, "schema") == {"type": "json_object"}
    assert response_format({"type": "object", "properties": {"a": TEXT}}, "object") == {
        "type": "json_object"
    }
    assert response_format({"type": "object"}, "off") is None


def test_a_schema_may_go_beside_the_wish_for_an_object() -> None:
    assert response_format({"type": "object", "properties": {"a": TEXT}}, "object_schema") == {
        "type": "json_object",
        "schema": {"type": "object", "properties": {"a": TEXT}, "additionalProperties": False},
    }
    assert response_format({"type": "object"}, "object_schema") == {"type": "json_object"}


@pytest.mark.parametrize(
    ("schema", "strict"),
    [
        ({"type": "object", "properties": {"a": TEXT}, "required": ["a"]}, True),
        ({"type": "object", "properties": {"a": TEXT, "b": TEXT}, "required": ["a"]}, False),
        (
            {
                "type": "object",
                "properties": {"a": TEXT},
                "required": ["a"],
                "additionalProperties": True,
            },
            False,
        ),
        (
            {
                "type": "object",
                "properties": {"a": {"type": "object", "properties": {"b": TEXT}}},
                "required": ["a"],
            },
            False,
        ),
        (
            {
                "type": "object",
                "properties": {
                    "a": {
                        "type": "array",
                        "items": {"type": "object", "properties": {"b": TEXT}, "required": ["b"]},
                    }
                },
                "required": ["a"],
            },
            True,
        ),
        (
            {
                "type": "object",
                "properties": {"a": {"$ref": "#/$defs/A"}},
                "required": ["a"],
                "$defs": {"A": {"type": "object"}},
            },
            False,
        ),
        (
            {
                "type": "object",
                "required": ["required"],
                "properties": {
                    "required": {"type": "string", "enum": ["type"], "default": {"type": "object"}}
                },
            },
            True,
        ),
    ],
)
def test_it_is_strict_where_a_service_can_keep_to_it(schema: dict[str, Any], strict: bool) -> None:
    before = json.dumps(schema)
    assert sent(schema)["strict"] is strict
    assert json.dumps(schema) == before


def test_objects_are_closed_at_every_depth_and_names_are_made_fit() -> None:
    inner = {"type": "object", "properties": {"properties": TEXT}, "required": ["properties"]}
    found = sent(
        {"title": "My answer!", "type": "object", "properties": {"a": inner}, "required": ["a"]}
    )
    assert (found["name"], found["schema"]["additionalProperties"]) == ("My_answer_", False)
    assert found["schema"]["properties"]["a"] == {**inner, "additionalProperties": False}


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        (
            {"type": "object", "properties": {"answer": TEXT, "note": TEXT}},
            {"answer": "so", "note": ""},
        ),
        (
            {"type": "object", "properties": {"kind": {"enum": ["a", "b"]}, "answer": TEXT}},
            {"kind": "a", "answer": "so"},
        ),
        (
            {
                "type": "object",
                "properties": {
                    "n": {"type": "integer", "minimum": 3},
                    "x": {"type": "number", "maximum": -1},
                    "yes": {"type": "boolean"},
                    "no": {"type": "null"},
                    "a": TEXT,
                },
            },
            {"n": 3, "x": -1.0, "yes": True, "no": None, "a": "so"},
        ),
        (
            {
                "type": "object",
                "properties": {"from": {"type": "array", "items": {"type": "integer"}}, "a": TEXT},
            },
            {"from": [2, 1], "a": "so"},
        ),
        ({"type": "object", "properties": {"a": {"type": "array", "items": TEXT}}}, {"a": ["so"]}),
        (
            {
                "type": "object",
                "properties": {"a": {"type": ["null", "string"]}, "b": {"const": 7}},
            },
            {"a": "so", "b": 7},
        ),
        (
            {
                "$ref": "#/$defs/A",
                "$defs": {
                    "A": {
                        "type": "object",
                        "properties": {"b": {"anyOf": [TEXT, {"type": "null"}]}},
                    }
                },
            },
            {"b": "so"},
        ),
        (TEXT, "so"),
        ({"type": "object"}, {}),
    ],
)
def test_the_answer_stands_in_the_first_text(schema: dict[str, Any], value: Any) -> None:
    assert filled(schema, "so", (2, 1)) == value
    jsonschema.validate(filled(schema, "so", (2, 1)), schema)


def test_a_schema_that_holds_itself_ends() -> None:
    schema = {
        "$ref": "#/$defs/A",
        "$defs": {
            "A": {"type": "object", "properties": {"a": TEXT, "next": {"$ref": "#/$defs/A"}}}
        },
    }
    made: Any = filled(schema, "so", ())
    assert made["a"] == "so"
