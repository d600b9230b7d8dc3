"""What a suite may say, known without importing Great Expectations, which takes three seconds of
CPU.

The types are those of Great Expectations 1.24 that make sense for pandas frames with fixed columns;
a test compares them with the installed version and runs each of them.
"""

import datetime as dt
import re
from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeGuard

ROW, GROUP, TABLE = "row", "group", "table"
DERIVED = {"characters": "text", "replacement_share": "text"}
COLUMNS: dict[str, tuple[str, ...]] = {
    "documents": (
        "doc_id",
        "source",
        "uri",
        "title",
        "text",
        "markup",
        "media_type",
        "language",
        "content_hash",
        "metadata",
        "revision",
        "fetched_at",
        *DERIVED,
    ),
    "chunks": (
        "chunk_id",
        "doc_id",
        "ordinal",
        "text",
        "start",
        "end",
        "tokens",
        "headings",
        "page",
        "context",
        "search",
        *DERIVED,
    ),
    "rows": (
        "id",
        "group",
        "collector",
        "licence",
        "question",
        "answer",
        "turns",
        "tokens",
        "question_characters",
        "answer_characters",
        "language",
        "score",
        "pair",
        "cut",
    ),
}
"""Of documents and chunks those of schemas.py; of training rows what
tasks/datasets/training/cleaning.py makes of a row: lengths in characters and tokens, a language as
ISO 639-1, a score from 0 to 1.
"""
PARAMETERS = ("max_tokens",)
SEVERITIES = ("critical", "warning", "info")


class Type(NamedTuple):
    """`level`: ROW judges a row by itself, GROUP finds rows but needs the whole table, TABLE judges
    the table.
    """

    level: str
    required: tuple[str, ...]
    optional: tuple[str, ...] = ()


def _mapped(level: str, *required: str, optional: str = "") -> Type:
    return Type(level, ("column", *required), ("mostly", *optional.split()))


BOUNDS = ("min_value", "max_value", "strict_min", "strict_max")
BETWEEN = Type(TABLE, ("column",), BOUNDS)
SET = Type(TABLE, ("column", "value_set"))
SEVERAL = Type(ROW, ("column_list",), ("mostly", "ignore_row_if"))

TYPES: dict[str, Type] = {
    "expect_column_distinct_values_to_be_in_set": SET,
    "expect_column_distinct_values_to_contain_set": SET,
    "expect_column_distinct_values_to_equal_set": SET,
    "expect_column_max_to_be_between": BETWEEN,
    "expect_column_mean_to_be_between": BETWEEN,
    "expect_column_median_to_be_between": BETWEEN,
    "expect_column_min_to_be_between": BETWEEN,
    "expect_column_most_common_value_to_be_in_set": Type(
        TABLE, ("column", "value_set"), ("ties_okay",)
    ),
    "expect_column_pair_values_a_to_be_greater_than_b": Type(
        ROW, ("column_A", "column_B"), ("mostly", "or_equal", "ignore_row_if")
    ),
    "expect_column_pair_values_to_be_equal": Type(
        ROW, ("column_A", "column_B"), ("mostly", "ignore_row_if")
    ),
    "expect_column_pair_values_to_be_in_set": Type(
        ROW, ("column_A", "column_B", "value_pairs_set"), ("mostly", "ignore_row_if")
    ),
    "expect_column_proportion_of_non_null_values_to_be_between": BETWEEN,
    "expect_column_proportion_of_unique_values_to_be_between": BETWEEN,
    "expect_column_quantile_values_to_be_between": Type(
        TABLE, ("column", "quantile_ranges"), ("allow_relative_error",)
    ),
    "expect_column_stdev_to_be_between": BETWEEN,
    "expect_column_sum_to_be_between": BETWEEN,
    "expect_column_unique_value_count_to_be_between": BETWEEN,
    "expect_column_value_lengths_to_be_between": _mapped(ROW, optional=" ".join(BOUNDS)),
    "expect_column_value_lengths_to_equal": _mapped(ROW, "value"),
    "expect_column_value_z_scores_to_be_less_than": _mapped(GROUP, "threshold", "double_sided"),
    "expect_column_values_to_be_between": _mapped(ROW, optional=" ".join(BOUNDS)),
    "expect_column_values_to_be_dateutil_parseable": _mapped(ROW),
    "expect_column_values_to_be_decreasing": _mapped(GROUP, optional="strictly"),
    "expect_column_values_to_be_in_set": _mapped(ROW, "value_set"),
    "expect_column_values_to_be_increasing": _mapped(GROUP, optional="strictly"),
    "expect_column_values_to_be_json_parseable": _mapped(ROW),
    "expect_column_values_to_be_null": _mapped(ROW),
    "expect_column_values_to_be_unique": _mapped(GROUP),
    "expect_column_values_to_match_regex": _mapped(ROW, "regex"),
    "expect_column_values_to_match_regex_list": _mapped(ROW, "regex_list", optional="match_on"),
    "expect_column_values_to_match_strftime_format": _mapped(ROW, "strftime_format"),
    "expect_column_values_to_not_be_in_set": _mapped(ROW, "value_set"),
    "expect_column_values_to_not_be_null": _mapped(ROW),
    "expect_column_values_to_not_match_regex": _mapped(ROW, "regex"),
    "expect_column_values_to_not_match_regex_list": _mapped(ROW, "regex_list"),
    "expect_compound_columns_to_be_unique": Type(
        GROUP, ("column_list",), ("mostly", "ignore_row_if")
    ),
    "expect_multicolumn_sum_to_equal": Type(
        ROW, ("column_list", "sum_total"), ("mostly", "ignore_row_if")
    ),
    "expect_multicolumn_values_to_be_equal": SEVERAL,
    "expect_select_column_values_to_be_unique_within_record": SEVERAL,
    "expect_table_row_count_to_be_between": Type(TABLE, (), BOUNDS),
    "expect_table_row_count_to_equal": Type(TABLE, ("value",)),
}
UNIQUE = ("expect_column_values_to_be_unique", "expect_compound_columns_to_be_unique")


def _number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _bound(value: object) -> bool:
    return _number(value) or isinstance(value, dt.date)


def _pattern(value: object) -> bool:
    try:
        return isinstance(value, str) and bool(re.compile(value))
    except re.error:
        return False


def _listed(
    value: object, item: Callable[[object], bool] = lambda _: True, least: int = 1
) -> TypeGuard[list[object]]:
    return isinstance(value, list) and len(value) >= least and all(map(item, value))


def _boolean(value: object) -> bool:
    return isinstance(value, bool)


CHECKS: Mapping[str, tuple[Callable[[object], bool], str]] = {
    "mostly": (lambda value: _number(value) and 0 <= value <= 1, "a share from 0 to 1"),
    "min_value": (_bound, "a number, or a date"),
    "max_value": (_bound, "a number, or a date"),
    "value": (
        lambda value: isinstance(value, int) and _number(value) and value >= 0,
        "a whole number from 0",
    ),
    "threshold": (_number, "a number"),
    "sum_total": (_number, "a number"),
    "value_set": (_listed, "a list of values"),
    "value_pairs_set": (
        lambda value: _listed(value, lambda pair: _listed(pair) and len(pair) == 2),
        "a list of pairs",
    ),
    "regex": (_pattern, "a regular expression"),
    "regex_list": (lambda value: _listed(value, _pattern), "a list of regular expressions"),
    "match_on": (lambda value: value in ("any", "all"), "any or all"),
    "strftime_format": (lambda value: isinstance(value, str), "a format such as '%Y-%m-%d'"),
    "quantile_ranges": (
        lambda value: isinstance(value, Mapping) and {*value} == {"quantiles", "value_ranges"},
        "quantiles: [0.5] and value_ranges: [[1, 200]]",
    ),
    "ignore_row_if": (
        lambda value: (
            value
            in (
                "both_values_are_missing",
                "either_value_is_missing",
                "neither",
                "all_values_are_missing",
                "any_value_is_missing",
                "never",
            )
        ),
        "both_values_are_missing, either_value_is_missing or neither for pairs; "
        "all_values_are_missing, "
        "any_value_is_missing or never for lists of columns",
    ),
    **dict.fromkeys(
        ("strict_min", "strict_max", "or_equal", "strictly", "ties_okay", "double_sided"),
        (_boolean, "true or false"),
    ),
}
