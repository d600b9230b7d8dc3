"""Dify's conditions on metadata as ours. Its operators on parts of a text (`contains`, `start
with`, `end with`) become conditions on the values that a field really has, which every store
understands.
"""

from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime
from typing import Literal

from pydantic import BaseModel, Field

from llmops.tasks.filters import (
    ALIASES,
    BUILT_IN,
    And,
    Compare,
    Fields,
    HasAny,
    Kind,
    Missing,
    Not,
    OneOf,
    Operator,
    Or,
    Value,
    Where,
    column,
)
from llmops.tasks.filters.values import value_of

NAMES = {**ALIASES, "document_name": "title", "path": "uri"}
"""What Dify calls these fields."""
MOST_VALUES = 1_000
PARTS: dict[str, Callable[[str, str], bool]] = {
    "contains": lambda text, part: part in text,
    "start with": str.startswith,
    "end with": str.endswith,
}
ORDERS: dict[str, Operator] = {
    ">": ">",
    "<": "<",
    "≥": ">=",
    "≤": "<=",
    "before": "<",
    "after": ">",
}
ORDERED: frozenset[Kind] = frozenset({"integer", "number", "date"})
Comparison = Literal[
    "contains",
    "not contains",
    "start with",
    "end with",
    "is",
    "is not",
    "in",
    "not in",
    "empty",
    "not empty",
    "=",
    "≠",
    ">",
    "<",
    "≥",
    "≤",
    "before",
    "after",
]
Given = str | int | float | list[str]
Values = Callable[[str], Collection[str]]
"""The values that a column of texts holds."""


class DifyCondition(BaseModel):
    name: str = Field(max_length=200)
    comparison_operator: Comparison
    value: Given | None = None


class DifyConditions(BaseModel):
    logical_operator: Literal["and", "or"] | None = "and"
    conditions: list[DifyCondition] = Field(max_length=50)


class WrongCondition(ValueError):
    """What is wrong with a condition, for whoever wrote it."""


def translated(given: DifyConditions, declared: Fields, values: Values) -> Where | None:
    """None where there is no condition. Raises WrongCondition."""
    parts = tuple(_Translator(each, declared, values).where() for each in given.conditions)
    if not parts:
        return None
    if len(parts) == 1:
        return parts[0]
    return Or(parts) if given.logical_operator == "or" else And(parts)


class _Translator:
    def __init__(self, given: DifyCondition, declared: Fields, values: Values) -> None:
        name = NAMES.get(given.name, given.name) if given.name not in declared else given.name
        fields = {**BUILT_IN, **declared}
        if name not in fields:
            known = ", ".join(sorted(fields))
            raise WrongCondition(f"{given.name[:80]!r} is no metadata field; there are: {known}")
        self.name, self.kind, self.column = given.name, fields[name], column(name)
        self.operator, self.given, self.values = given.comparison_operator, given.value, values

    def where(self) -> Where:
        missing = Missing(self.column, self.kind)
        match self.operator:
            case "empty":
                return missing
            case "not empty":
                return Not(missing)
            case "is not" | "≠" | "not in" | "not contains":
                positive = {"is not": "is", "≠": "=", "not in": "in", "not contains": "contains"}
                return And((Not(missing), Not(self._positive(positive[self.operator]))))
            case _:
                return self._positive(self.operator)

    def _positive(self, operator: str) -> Where:
        if operator in PARTS:
            return self._parts(operator)
        if operator in ORDERS:
            return self._ordered(operator)
        if operator == "in":
            return self._among([self._value(each) for each in self._list()])
        if isinstance(self.given, list):
            raise WrongCondition(f"{operator!r} on {self.name!r} takes one value, got a list")
        return self._among([self._value(self.given)])

    def _parts(self, operator: str) -> Where:
        if self.kind not in ("text", "texts"):
            told = f"{operator!r} is for texts; {self.name!r} is {self.kind}"
            raise WrongCondition(told)
        wanted = [str(self._value(each)) for each in self._list(split=False)]
        fits = PARTS[operator]
        chosen = [
            value for value in self.values(self.column) if any(fits(value, part) for part in wanted)
        ]
        if len(chosen) > MOST_VALUES:
            told = f"{operator!r} on {self.name!r} fits {len(chosen)} values"
            raise WrongCondition(f"{told}; allowed: {MOST_VALUES}")
        return self._among(chosen)

    def _ordered(self, operator: str) -> Where:
        if self.kind not in ORDERED:
            told = f"{operator!r} does not go with {self.name!r}, which is {self.kind}"
            raise WrongCondition(told)
        if isinstance(self.given, list):
            raise WrongCondition(f"{operator!r} on {self.name!r} takes one value, got a list")
        return Compare(self.column, self.kind, ORDERS[operator], self._value(self.given))

    def _among(self, values: Sequence[Value]) -> Where:
        if not values:
            missing = Missing(self.column, self.kind)
            return And((missing, Not(missing)))  # nothing
        if self.kind == "texts":
            return HasAny(self.column, tuple(map(str, values)))
        return OneOf(self.column, self.kind, tuple(values))

    def _list(self, *, split: bool = True) -> list[str | int | float]:
        if self.given is None:
            raise WrongCondition(f"{self.operator!r} on {self.name!r} wants a value")
        if isinstance(self.given, list):
            return list(self.given)
        if split and isinstance(self.given, str) and "," in self.given:
            return [each.strip() for each in self.given.split(",") if each.strip()]
        return [self.given]

    def _value(self, given: str | int | float | None) -> Value:
        if given is None:
            raise WrongCondition(f"{self.operator!r} on {self.name!r} wants a value")
        try:
            return value_of(_fitting(given, self.kind), self.kind)
        except (ValueError, OverflowError, OSError) as error:
            raise WrongCondition(f"{self.name!r} is {self.kind}: {error}") from error


def _fitting(given: str | int | float, kind: Kind) -> object:
    """Dify sends numbers as texts, and moments as seconds since the epoch. Raises ValueError."""
    if kind in ("integer", "number") and isinstance(given, str):
        number = float(given)
        return int(number) if kind == "integer" and number == int(number) else number
    if kind == "date" and not isinstance(given, str):
        return datetime.fromtimestamp(given, UTC)
    if kind == "boolean" and str(given).lower() in ("true", "false", "1", "0"):
        return str(given).lower() in ("true", "1")
    if kind in ("text", "texts"):
        return str(given)
    return given
