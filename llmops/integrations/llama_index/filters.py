"""LlamaIndex's metadata filters as conditions of ours."""

from llama_index.core.vector_stores.types import (
    FilterCondition,
    FilterOperator,
    MetadataFilter,
    MetadataFilters,
)

from llmops.integrations._conditions import Tests, joined
from llmops.tasks.errors import UsageError

SIGNS = {
    FilterOperator.EQ: "=",
    FilterOperator.GT: ">",
    FilterOperator.GTE: ">=",
    FilterOperator.LT: "<",
    FilterOperator.LTE: "<=",
}


def conditions(filters: MetadataFilters, tests: Tests) -> str:
    """Metadata filters, nested ones too, as a condition. Raises UsageError."""
    parts = [
        conditions(each, tests) if isinstance(each, MetadataFilters) else _test(each, tests)
        for each in filters.filters
    ]
    if filters.condition == FilterCondition.NOT:  # none of them
        inner = joined(parts, "or")
        return f"not ({inner})" if inner else ""
    return joined(parts, "or" if filters.condition == FilterCondition.OR else "and")


def _test(each: MetadataFilter, tests: Tests) -> str:
    values = each.value if isinstance(each.value, list) else [each.value]
    if each.operator in SIGNS:
        return tests.compared(each.key, SIGNS[each.operator], each.value)
    match each.operator:
        case FilterOperator.NE:  # as LlamaIndex has it: also where the field is missing
            return f"not {tests.compared(each.key, '=', each.value)}"
        case FilterOperator.IN | FilterOperator.ANY:
            return tests.among(each.key, each.value)
        case FilterOperator.NIN:
            return f"not ({tests.among(each.key, each.value)})"
        case FilterOperator.CONTAINS:
            return tests.contains(each.key, each.value)
        case FilterOperator.ALL:
            return joined([tests.contains(each.key, value) for value in values], "and")
        case FilterOperator.IS_EMPTY:
            return tests.missing(each.key)
    known = [*SIGNS, *(FilterOperator(name) for name in ("!=", "in", "nin", "any", "all"))]
    allowed = ", ".join([each.value for each in known] + ["contains", "is_empty"])
    raise UsageError(
        f"the operator {each.operator.value} on {each.key!r} is not known; allowed: {allowed}",
        hint="the mode text_search looks for words",
    )
