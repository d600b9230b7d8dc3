"""JSON of answers, and how it fits a JSON Schema."""

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache, lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Any, NoReturn

from llmops.tasks.texts.comparable import nfkc, shown
from llmops.tasks.texts.patterns import compiled, finds

if TYPE_CHECKING:
    from jsonschema.protocols import Validator

Schema = Mapping[str, Any] | bool
"""A JSON Schema, Draft 2020-12."""
FENCE = re.compile(r"```(?:json)?[ \t]*\r?\n", re.IGNORECASE)
MOST, LOOKED_AT = 3, 50
"""Errors that a reason names, and that are looked for."""
DEEPEST = 100
TOO_DEEP = f"the answer is nested deeper than {DEEPEST} levels"
MISSING = object()


class NoJson(ValueError):
    """The text is none."""


def read_json(text: str) -> Any:
    """The JSON of a text, which may stand in a fence of Markdown. Raises NoJson."""
    try:
        value = json.loads(unfenced(text.strip()), parse_constant=_no_number)
    except RecursionError as error:
        raise NoJson(TOO_DEEP) from error
    except ValueError as error:
        raise NoJson(
            "the answer is empty" if not text.strip() else f"the answer is not JSON: {error}"
        ) from error
    level: list[Any] = [value]
    for _ in range(DEEPEST):
        level = [
            item
            for one in level
            if isinstance(one, dict | list)
            for item in (one.values() if isinstance(one, dict) else one)
        ]
    if level:
        raise NoJson(TOO_DEEP)
    return value


def unfenced(text: str) -> str:
    """What stands in the fence of Markdown that is the whole text; else the text. Linear in its
    length.
    """
    fence = FENCE.match(text)
    return text[fence.end() : -3] if fence and text.endswith("```") else text


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def check_schema(schema: Mapping[str, Any]) -> None:
    """Raises ValueError for what is no schema of Draft 2020-12, or refers to what it does not
    hold.
    """
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError

    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        place = ".".join(map(str, error.absolute_path)) or "its top"
        raise ValueError(f"no JSON Schema (Draft 2020-12): at {place}: {error.message}") from error
    for pattern in _values(schema, "pattern"):
        if isinstance(pattern, str):
            compiled(pattern)
    outside = next(
        (
            one
            for one in _values(schema, "$ref")
            if isinstance(one, str) and not one.startswith("#")
        ),
        None,
    )
    if outside is not None and not any(True for _ in _values(schema, "$id")):
        raise ValueError(
            f"$ref {outside!r} lies outside of the schema; nothing is fetched: put it "
            f"under $defs and refer to #/$defs/…"
        )


@lru_cache(maxsize=64)
def check_schema_text(schema: str) -> None:
    """The same for a schema as JSON, and only once."""
    check_schema(json.loads(schema))


def schema_errors(value: Any, schema: Schema) -> list[str]:
    """What does not fit, the first few. Raises Slow for a pattern without end, ValueError for a
    reference that leads nowhere.
    """
    from referencing import Registry
    from referencing.exceptions import Unresolvable

    try:
        validator = _kind()(schema, registry=Registry())  # nothing is fetched
        errors = list(islice(validator.iter_errors(value), LOOKED_AT))
    except Unresolvable as error:
        raise ValueError(f"the schema refers to {error.ref!r}, which it does not hold") from error
    except RecursionError as error:
        raise ValueError("the schema goes round in circles") from error
    except ArithmeticError:
        return ["a number is too large to compare"]
    errors.sort(key=lambda error: [str(step) for step in error.absolute_path])
    return [
        f"{'.'.join(map(str, error.absolute_path)) or 'the whole'}: {shown(error.message, 160)}"
        for error in errors[:MOST]
    ] + ([f"and {len(errors) - MOST} more"] if len(errors) > MOST else [])


@cache
def _kind() -> "type[Validator]":
    """Draft 2020-12, with patterns that are searched within a time limit."""
    from jsonschema import Draft202012Validator, ValidationError
    from jsonschema.validators import extend

    def matches(
        _validator: object, pattern: str, value: object, _schema: object
    ) -> Iterator[ValidationError]:
        if isinstance(value, str) and finds(compiled(pattern), value) is None:
            yield ValidationError(f"{shown(value)!r} does not match {pattern!r}")

    untyped: Any = extend
    kind: type[Validator] = untyped(Draft202012Validator, {"pattern": matches})
    return kind


def equal(one: object, other: object) -> bool:
    """As JSON: 1 and 1.0 are equal, 1 and true are not; texts by their NFKC forms, objects whatever
    the order of their keys.
    """
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(equal(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(equal, one, other))
    if isinstance(one, str) and isinstance(other, str):
        return nfkc(one).strip() == nfkc(other).strip()
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def _values(value: object, key: str) -> Iterator[object]:
    """Everything that stands under a key, at any depth."""
    if isinstance(value, Mapping):
        for name, item in value.items():
            if name == key:
                yield item
            yield from _values(item, key)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _values(item, key)


def shown_json(value: object) -> str:
    """A value as reasons quote it."""
    return (
        "missing" if value is MISSING else shown(json.dumps(value, ensure_ascii=False, default=str))
    )
