"""Conditions in the SQL of LanceDB."""

from llmops.tasks.filters import And, Compare, HasAny, Missing, Not, OneOf, Or, Value, Where


def sql(where: Where, negated: bool = False) -> str:
    """Never NULL: what is missing makes a comparison false, so that NOT makes it true.

    NOT stands only before a single comparison: the planner takes exponential time over nested ones.
    """
    match where:
        case And(parts) | Or(parts):
            sign = " AND " if isinstance(where, And) != negated else " OR "
            return "(" + sign.join(sql(part, negated) for part in parts) + ")"
        case Not(part):
            return sql(part, not negated)
        case _:
            return f"(NOT {_single(where)})" if negated else _single(where)


def _single(where: Compare | OneOf | HasAny | Missing) -> str:
    match where:
        case Missing(column, kind):
            return (
                f"(array_length({column}) IS NULL OR array_length({column}) = 0)"
                if kind == "texts"
                else f"({column} IS NULL)"
            )
        case HasAny(column, values):
            return (
                f"({column} IS NOT NULL AND array_has_any({column}, "
                f"[{', '.join(map(_literal, values))}]))"
            )
        case OneOf(column, _, values):
            return f"({column} IS NOT NULL AND {column} IN ({', '.join(map(_literal, values))}))"
        case Compare(column, _, operator, value):
            return f"({column} IS NOT NULL AND {column} {operator} {_literal(value)})"


def _literal(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else repr(value)
