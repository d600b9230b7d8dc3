"""Values of databases and libraries as JSON has them: equal values give equal JSON, whatever the
driver calls them.
"""

import base64
import math
from collections.abc import Mapping
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any


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
