"""What databases, libraries and programs hand over: values as JSON has them, equal ones as equal
JSON, and messages without the secrets that they may repeat.
"""

import base64
import math
import re
from collections.abc import Iterable, Mapping
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any
from urllib.parse import quote, quote_plus

USER_IN_URL = re.compile(r"(?<=://)[^/@\s]+(?=@)")
LONGEST = 600


def plain(value: object) -> Any:
    """Texts, numbers, truth values, null, lists and mappings of them. Times as ISO 8601, durations
    in seconds, whole decimals as whole numbers and others as floating point, bytes as text or else
    in base64, all that is not finite as null, the rest as text."""
    match value:
        case None | bool() | int():
            return value if value is None or type(value) in (bool, int) else plain(int(value))
        case str():
            return str(value).encode("utf-8", "replace").decode()
        case Decimal():
            return plain(
                int(value)
                if value.is_finite() and value == value.to_integral_value()
                else float(value)
            )
        case float():
            return float(value) if math.isfinite(value) else None
        case date() | time():  # a datetime is a date
            return value.isoformat()
        case timedelta():
            return value.total_seconds()
        case Enum():
            return plain(value.value)
        case bytes() | bytearray() | memoryview():
            return _bytes(bytes(value))
        case Mapping():
            return {str(key): plain(inner) for key, inner in value.items()}
        case list() | tuple():
            return [plain(inner) for inner in value]
        case set() | frozenset():
            return sorted((plain(inner) for inner in value), key=repr)
    return str(value).encode("utf-8", "replace").decode()


def _bytes(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return base64.b64encode(data).decode()


def discreet(message: object, secrets: Iterable[str] = ()) -> str:
    """A message on one line, cut to a readable length, with every secret and every user part of a
    URL replaced by ***.
    """
    text = " ".join(str(message).split())
    for secret in sorted(
        {form for one in secrets if one for form in (one, quote(one, safe=""), quote_plus(one))},
        key=len,
        reverse=True,
    ):
        text = text.replace(secret, "***")
    text = USER_IN_URL.sub("***", text)
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
