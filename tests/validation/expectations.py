"""Expectations as people write them in packages of their own."""

from typing import Any, ClassVar

from great_expectations.expectations.core.expect_column_mean_to_be_between import (
    ExpectColumnMeanToBeBetween,
)
from great_expectations.expectations.core.expect_column_values_to_be_unique import (
    ExpectColumnValuesToBeUnique,
)
from great_expectations.expectations.core.expect_column_values_to_match_regex import (
    ExpectColumnValuesToMatchRegex,
)


class ExpectColumnValuesToEndAsSentences(ExpectColumnValuesToMatchRegex):
    regex: str = r"[.!?]$"


class ExpectColumnMeanToBeSmall(ExpectColumnMeanToBeBetween):
    max_value: Any = 10


class ExpectColumnValuesToBeOnce(ExpectColumnValuesToBeUnique):
    library_metadata: ClassVar[dict[str, Any]] = {"maturity": "production"}
