"""From what stands in a condition or in a document's metadata to a value of a field's kind."""

import re
from datetime import date, datetime
from sys import float_info

from llmops.tasks.filters import Kind, Value

LARGEST = 2**53  # beyond it some stores round silently
ESCAPE = re.compile(r"\\(.)", re.DOTALL)


def literal(token: str, text: str, kind: Kind) -> Value:
    """The value of a literal. Raises ValueError saying what is wanted."""
    wanted = {
        "text": "text",
        "texts": "text",
        "date": "text",
        "integer": "number",
        "number": "number",
        "boolean": "word",
    }[kind]
    if token != wanted or (kind == "boolean" and text.lower() not in ("true", "false")):
        examples = {
            "text": '"…"',
            "texts": '"…"',
            "date": '"2024-01-31"',
            "integer": "2024",
            "number": "0.5",
            "boolean": "true or false",
        }
        raise ValueError(f"{examples[kind]} is wanted, got {text or 'the end'!r}")
    if kind == "boolean":
        return text.lower() == "true"
    if wanted == "number":
        return _number(text, kind)
    return value_of(ESCAPE.sub(r"\1", text[1:-1]), kind)


def _number(text: str, kind: Kind) -> Value:
    return value_of(
        float(text) if kind == "number" or not text.lstrip("-").isdigit() else int(text), kind
    )


def value_of(value: object, kind: Kind) -> Value:
    """A single value as its kind wants it. Raises ValueError saying what was got."""
    if kind in ("text", "texts") and isinstance(value, str):
        if any("\ud800" <= letter <= "\udfff" or letter == "\0" for letter in value):
            raise ValueError("a text may hold neither NUL nor half of a surrogate pair")
        return value
    if kind == "boolean" and isinstance(value, bool):
        return value
    if kind == "date" and isinstance(value, str | date):
        return _day(value)
    if (
        kind in ("integer", "number")
        and isinstance(value, int | float)
        and not isinstance(value, bool)
    ):
        return _within(value, kind)
    raise ValueError(f"got {str(value)[:80]!r}, which is no {kind}")


def _within(value: float, kind: Kind) -> Value:
    if not abs(value) <= (LARGEST if kind == "integer" else float_info.max):  # so NaN is none
        raise ValueError(f"got {value}, allowed are finite numbers, whole ones up to 2**53")
    if kind == "number":
        return float(value)
    if value != int(value):
        raise ValueError(f"got {value}, a whole number is wanted")
    return int(value)


def _day(value: str | date) -> str:
    """`YYYY-MM-DD`; a time of day is dropped. Raises ValueError for what is no date."""
    if isinstance(value, datetime):
        return value.date().isoformat()
    if isinstance(value, date):
        return value.isoformat()
    try:
        return datetime.fromisoformat(value).date().isoformat()
    except ValueError as error:
        raise ValueError(f"got {value[:40]!r}, a date like 2024-01-31 is wanted") from error
