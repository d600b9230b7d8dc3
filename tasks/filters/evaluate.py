"""Whether a row fulfils a condition: the meaning of the language, which every store must
reproduce.
"""

import operator
from collections.abc import Callable, Mapping
from typing import Any

from llmops.tasks.filters import And, Compare, HasAny, Missing, Not, OneOf, Or, Where

OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def matches(where: Where, row: Mapping[str, Any]) -> bool:
    """`row` maps a store's columns to plain Python values, None or absent for missing, lists for
    texts.
    """
    match where:
        case And(parts):
            return all(matches(part, row) for part in parts)
        case Or(parts):
            return any(matches(part, row) for part in parts)
        case Not(part):
            return not matches(part, row)
        case Missing(column, kind):
            value = row.get(column)
            return not value if kind == "texts" else value is None
        case HasAny(column, values):
            return not set(values).isdisjoint(row.get(column) or ())
        case OneOf(column, _, values):
            return row.get(column) is not None and row[column] in values
        case Compare(column, _, sign, value):
            return row.get(column) is not None and OPERATORS[sign](row[column], value)
