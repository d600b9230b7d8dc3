"""Expectations as people write them in packages of their own."""

from typing import Any, ClassVar

from great_expectations import expectations


class ExpectColumnValuesToEndAsSentences(expectations.ExpectColumnValuesToMatchRegex):
    regex: str = r"[.!?]$"


class ExpectColumnMeanToBeSmall(expectations.ExpectColumnMeanToBeBetween):
    max_value: Any = 10


class ExpectColumnValuesToBeOnce(expectations.ExpectColumnValuesToBeUnique):
    library_metadata: ClassVar[dict[str, Any]] = {"maturity": "production"}
