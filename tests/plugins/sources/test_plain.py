"""Values of databases and libraries as JSON has them."""

import json
import uuid
from datetime import UTC, date, datetime
from decimal import Decimal

from llmops.tasks.plugins.sources._plain import plain


def test_values_become_json() -> None:
    key = uuid.UUID(int=5)
    values = {
        "when": datetime(2024, 5, 1, 12, tzinfo=UTC),
        "day": date(2024, 5, 1),
        "year": Decimal("2024.00"),
        "price": Decimal("1.5"),
        "blob": b"\xff\x00",
        "word": b"text",
        "key": key,
        "list": [1, {"x": Decimal("NaN")}],
        "nan": float("inf"),
        "no": None,
        "yes": True,
    }
    made = plain(values)
    assert made == {
        "when": "2024-05-01T12:00:00+00:00",
        "day": "2024-05-01",
        "year": 2024,
        "price": 1.5,
        "blob": "/wA=",
        "word": "text",
        "key": str(key),
        "list": [1, {"x": None}],
        "nan": None,
        "no": None,
        "yes": True,
    }
    assert json.loads(json.dumps(made, allow_nan=False)) == made
