"""Spans of time as people write them: 90s, 10m, 1h, 7d."""

import re
from datetime import timedelta
from typing import Annotated

from pydantic import BeforeValidator

SPAN = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|min|h|d)", re.ASCII)
UNITS = {"s": "seconds", "m": "minutes", "min": "minutes", "h": "hours", "d": "days"}


def span_of(value: object) -> timedelta:
    """Raises ValueError for what is none."""
    if isinstance(value, timedelta):
        return value
    match = SPAN.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError("a span of time is wanted, such as 90s, 10m, 1h or 7d")
    try:
        return timedelta(**{UNITS[match[2]]: float(match[1])})
    except OverflowError as error:
        raise ValueError("this span of time is too long") from error


Span = Annotated[timedelta, BeforeValidator(span_of)]
