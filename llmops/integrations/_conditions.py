"""The filters of frameworks as conditions of ours: texts in the language of `--where`, which the
knowledge base reads as it reads a user's.
"""

import re
from collections.abc import Mapping, Sequence

from llmops.tasks.errors import UsageError
from llmops.tasks.filters import Kind
from llmops.tasks.filters.grammar import parse

FIELD = re.compile(r"[^\W\d]\w*")
TRUE, FALSE = (True, 1, "true", "True"), (False, 0, "false", "False")


def joined(conditions: Sequence[str], word: str) -> str:
    """All of them, or one of them (`and`, `or`); "" where there is none."""
    given = [each for each in conditions if each]
    return given[0] if len(given) == 1 else f" {word} ".join(f"({each})" for each in given)


def narrowed(own: str, given: str, fields: Mapping[str, Kind]) -> str:
    """Where both hold. `given` comes with a call: it has to be a condition by itself, so that it
    cannot close the brackets that stand around it. Raises UsageError.
    """
    if given.strip():
        parse(given, fields)
    return joined([own.strip(), given.strip()], "and")


class Tests:
    """Single tests on the fields of a knowledge base, by name and kind."""

    def __init__(self, fields: Mapping[str, Kind]) -> None:
        self._fields = fields

    def compared(self, field: str, sign: str, value: object) -> str:
        """Only documents that have the field. `sign`: =, !=, <, <=, >, >=."""
        return f"{self._named(field)} {sign} {self._literal(field, value)}"

    def contains(self, field: str, value: object) -> str:
        return f"{self._named(field)} contains {self._literal(field, value)}"

    def among(self, field: str, values: object) -> str:
        """One of some values, and for fields of several texts at least one of them."""
        if not isinstance(values, list | tuple | set | frozenset):
            raise UsageError(f"got {values!r} for {field!r}; allowed: a list of values")
        if not values:
            return f"{self.missing(field)} and not {self.missing(field)}"  # none is among none
        listed = ", ".join(self._literal(field, each) for each in values)
        return f"{self._named(field)} in ({listed})"

    def missing(self, field: str) -> str:
        return f"{self._named(field)} is missing"

    def _named(self, field: str) -> str:
        if not FIELD.fullmatch(field):  # it becomes part of a condition
            known = ", ".join(sorted(self._fields))
            raise UsageError(f"{field!r} is no field; there are: {known}")
        return field

    def _literal(self, field: str, value: object) -> str:
        if self._fields.get(field) == "boolean" and value in (*TRUE, *FALSE):
            return "true" if value in TRUE else "false"
        if isinstance(value, bool):
            return str(value).lower()
        if isinstance(value, int | float):
            return repr(value)
        if isinstance(value, str):
            escaped = value.replace("\\", "\\\\").replace('"', '\\"')
            return f'"{escaped}"'
        raise UsageError(f"got {value!r} for {field!r}; allowed: a text, a number, true or false")
