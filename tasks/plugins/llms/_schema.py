"""JSON schemas as chat completions take them."""

import re
from collections.abc import Mapping
from typing import Literal, NotRequired, TypedDict

NAMED = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")
"""Keywords that hold schemas by name."""
PLAIN = ("enum", "const", "default", "examples", "required")
"""Keywords that hold no schemas."""


class NamedSchema(TypedDict):
    name: str
    schema: object
    strict: bool


class ResponseFormat(TypedDict):
    type: Literal["json_object", "json_schema"]
    json_schema: NotRequired[NamedSchema]


def response_format(schema: Mapping[str, object], mode: str) -> ResponseFormat | None:
    """What to send as `response_format`; None: nothing. A schema that only asks for an object is no
    schema.
    """
    if mode == "off":
        return None
    if mode == "object" or not set(schema) - {"type", "title", "description", "$schema"}:
        return {"type": "json_object"}
    closed = _closed(schema)
    name = re.sub(r"[^A-Za-z0-9_-]", "_", str(schema.get("title") or "reply"))[:64]
    return {
        "type": "json_schema",
        "json_schema": {"name": name, "schema": closed, "strict": _strict(closed)},
    }


def _closed(schema: object) -> object:
    """The same schema, with objects that hold nothing but their properties, unless it says
    otherwise.
    """
    if isinstance(schema, list):
        return [_closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {key: _inside(key, value) for key, value in schema.items()}
    return (
        {**inner, "additionalProperties": inner.get("additionalProperties", False)}
        if "properties" in inner
        else inner
    )


def _inside(key: str, value: object) -> object:
    if key in NAMED and isinstance(value, dict):
        return {name: _closed(one) for name, one in value.items()}
    return value if key in PLAIN else _closed(value)


def _strict(schema: object) -> bool:
    """Whether every object wants all its properties and no other: only then may a service promise
    to keep to it.
    """
    if isinstance(schema, list):
        return all(map(_strict, schema))
    if not isinstance(schema, dict):
        return True
    is_object = schema.get("type") == "object" or "properties" in schema
    whole = (
        set(schema.get("required", [])) == set(schema.get("properties", {}))
        and schema.get("additionalProperties") is False
    )
    inner = [
        value.values() if key in NAMED and isinstance(value, dict) else [value]
        for key, value in schema.items()
        if key not in PLAIN
    ]
    return (whole or not is_object) and all(_strict(one) for part in inner for one in part)
