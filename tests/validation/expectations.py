"""Expectations as people write them in packages of their own."""

from typing import Any, ClassVar

from great_expectations.expectations.core import (
    ExpectColumnMeanToBeBetween,
    ExpectColumnValuesToBeUnique,
    ExpectColumnValuesToMatchRegex,
)


class ExpectColumnValuesToEndAsSentences(ExpectColumnValuesToMatchRegex):
    regex: str = r"[.!?]$"


class ExpectColumnMeanToBeSmall(ExpectColumnMeanToBeBetween):
    max_value: Any = 10


class ExpectColumnValuesToBeOnce(ExpectColumnValuesToBeUnique):
    library_metadata: ClassVar[dict[str, Any]] = {"maturity": "production"}
