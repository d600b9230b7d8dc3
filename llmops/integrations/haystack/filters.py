"""Haystack's filters as conditions."""

from collections.abc import Mapping
from typing import Any

from llmops.integrations._conditions import Tests, joined
from llmops.tasks.errors import UsageError

Filters = dict[str, Any]
"""`{"field": "meta.year", "operator": ">=", "value": 2024}`, and `operator` AND, OR or NOT with
`conditions`."""
SIGNS = {"==": "=", ">": ">", ">=": ">=", "<": "<", "<=": "<="}
OPERATORS = (*SIGNS, "!=", "in", "not in")
DEEPEST = 50  # as conditions


def conditions(filters: Filters, tests: Tests, depth: int = 0) -> str:
    """Haystack's filters as a condition. Raises UsageError."""
    if depth > DEEPEST:
        raise UsageError(f"the filters are nested more than {DEEPEST} deep")
    if not isinstance(filters, Mapping):
        raise UsageError(f"got {filters!r} among the filters; allowed: a mapping")
    operator = str(filters.get("operator", ""))
    if "field" in filters:
        field = str(filters["field"]).removeprefix("meta.")
        return _test(field, operator, filters.get("value"), tests)
    parts = [conditions(each, tests, depth + 1) for each in filters.get("conditions", ())]
    if operator not in ("AND", "OR", "NOT"):
        raise UsageError(f"got {filters!r}; allowed: AND, OR, NOT, or a field")
    if operator == "NOT":  # not all of them
        inner = joined(parts, "and")
        return f"not ({inner})" if inner else ""
    return joined(parts, operator.lower())


def _test(field: str, operator: str, value: object, tests: Tests) -> str:
    """Equal to None is missing; what is unequal may be missing: as Haystack has it."""
    if value is None and operator in ("==", "!="):
        missing = tests.missing(field)
        return missing if operator == "==" else f"not {missing}"
    if operator in SIGNS:
        return tests.compared(field, SIGNS[operator], value)
    match operator:
        case "!=":
            return f"not {tests.compared(field, '=', value)}"
        case "in":
            return tests.among(field, value)
        case "not in":
            return f"not ({tests.among(field, value)})"
    raise UsageError(
        f"the operator {operator!r} on {field!r} is not known; allowed: {', '.join(OPERATORS)}"
    )
