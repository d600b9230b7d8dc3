"""Conditions and intervals of versions as Weaviate's filters: objects, never text."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any
from uuid import UUID

from llmops.tasks.filters import And, Compare, HasAny, Missing, Not, OneOf, Or, Where
from llmops.tasks.plugins.stores.weaviate.rows import RECORD, absent, fact, key

if TYPE_CHECKING:
    from weaviate.collections.classes.filters import FilterReturn, _FilterByProperty

NONE = "?"  # a fact that no row has


def at(version: int) -> "FilterReturn":
    """The rows of a snapshot. `valid_to` is absent while a row lives: a change of its value would
    hide the row for a moment.
    """
    return _by("valid_from").less_or_equal(version) & _negated(
        _by("valid_to").less_or_equal(version)
    )


def holds(row: Mapping[str, Any], version: int) -> bool:
    """The same of a row that was returned: after a crash an index may say what the row does not."""
    first, last = row.get("valid_from"), row.get("valid_to")
    return first is not None and first <= version and (last is None or last > version)


def added_after(version: int) -> "FilterReturn":
    return _by("valid_from").greater_than(version)


def retired_after(version: int) -> "FilterReturn":
    return _by("valid_to").greater_than(version)


def came(number: int) -> "FilterReturn":
    """The rows that a snapshot has and those before it did not."""
    return added_after(number - 1) & at(number)


def went(number: int) -> "FilterReturn":
    """The rows that a snapshot lacks and those before it had."""
    return (
        _by("valid_to").greater_than(number - 1)
        & _by("valid_to").less_or_equal(number)
        & _by("valid_from").less_than(number)
    )


def needless(keep: Sequence[int]) -> list["FilterReturn"]:
    """Filters for the rows that lived in none of these versions and will in none to come."""
    edges = sorted(keep)
    if not edges:
        return []
    between = [
        _by("valid_from").greater_than(one) & _by("valid_to").less_or_equal(other)
        for one, other in pairwise(edges)
    ]
    return [_by("valid_to").less_or_equal(edges[0]), *between]


def strange() -> "FilterReturn":
    """Objects that are neither rows nor records: somebody else put them there."""
    from weaviate.classes.query import Filter

    return Filter.all_of(
        [
            Filter.not_(_by("valid_from").greater_or_equal(0)),
            Filter.not_(_by("facts").contains_any([RECORD])),
        ]
    )


def among(name: str, values: Sequence[str]) -> "FilterReturn":
    return _by(name).contains_any(list(values))


def by_id(ids: Sequence[UUID]) -> "FilterReturn":
    from weaviate.classes.query import Filter

    return Filter.by_id().contains_any(list(ids))


def sealed_after(version: int) -> "FilterReturn":
    return _by("sealed").greater_than(version)


def translated(where: Where) -> "FilterReturn":
    """A condition with the meaning of `filters.evaluate.matches`."""
    from weaviate.classes.query import Filter

    match where:
        case And(parts):
            return (
                Filter.all_of([translated(part) for part in parts])
                if parts
                else Filter.not_(_facts([NONE]))
            )
        case Or(parts):
            return Filter.any_of([translated(part) for part in parts]) if parts else _facts([NONE])
        case Not(part):
            return Filter.not_(translated(part))
        case Missing(column, _):
            return _facts([absent(column)])
        case HasAny(column, values):
            return _facts([fact(column, value) for value in values] or [NONE])
        case OneOf(column, kind, values):
            return _facts(
                [fact(column, float(value) if kind == "number" else value) for value in values]
                or [NONE]
            )
        case Compare():
            return _compared(where)


def named(where: Where) -> set[str]:
    """The columns that a condition looks at."""
    match where:
        case And(parts) | Or(parts):
            return set().union(*map(named, parts))
        case Not(part):
            return named(part)
        case _:
            return {where.column}


def _compared(where: Compare) -> "FilterReturn":
    value = float(where.value) if where.kind == "number" else where.value
    if where.operator == "=":
        return _facts([fact(where.column, value)])
    own = _by(where.column) if where.kind in ("integer", "number") else _by(f"key_{where.column}")
    wanted = value if where.kind in ("integer", "number") else key(str(value))
    compare = {
        "<": own.less_than,
        "<=": own.less_or_equal,
        ">": own.greater_than,
        ">=": own.greater_or_equal,
    }
    return compare[where.operator](wanted)


def _facts(words: Sequence[str]) -> "FilterReturn":
    return _by("facts").contains_any(list(dict.fromkeys(words)))


def _by(name: str) -> "_FilterByProperty":
    from weaviate.classes.query import Filter

    return Filter.by_property(name)


def _negated(condition: "FilterReturn") -> "FilterReturn":
    from weaviate.classes.query import Filter

    return Filter.not_(condition)
