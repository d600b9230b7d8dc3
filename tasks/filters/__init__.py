"""Conditions on what is known of a document: a small language of its own, never the store's.

A condition is parsed against declared fields into a tree of plain values. Stores translate the
tree; no text of a user ever becomes part of a store's query. A comparison with a value that is
missing is false, and `not` makes it true: there is no third state.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

Kind = Literal["text", "integer", "number", "boolean", "date", "texts"]
Operator = Literal["=", "<", "<=", ">", ">="]
Value = str | int | float | bool
Fields = Mapping[str, Kind]
"""Declared metadata fields by name. `texts`: a list of texts. A date is kept as text `YYYY-MM-DD`,
which sorts as dates do.
"""

BUILT_IN: Fields = MappingProxyType(
    {
        "uri": "text",
        "title": "text",
        "source": "text",
        "language": "text",
        "media_type": "text",
        "page": "integer",
        "flags": "texts",
    }
)
ALIASES: Mapping[str, str] = MappingProxyType({"lang": "language"})
LABELS = "labels"
PUBLIC = "public"
PREFIX = "field_"


@dataclass(frozen=True)
class Compare:
    """A column of one value against a value of its kind."""

    column: str
    kind: Kind
    operator: Operator
    value: Value


@dataclass(frozen=True)
class OneOf:
    """A column of one value is among some values."""

    column: str
    kind: Kind
    values: tuple[Value, ...]


@dataclass(frozen=True)
class HasAny:
    """A column of texts holds at least one of these."""

    column: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class Missing:
    """A column has no value; a column of texts holds none."""

    column: str
    kind: Kind


@dataclass(frozen=True)
class And:
    parts: "tuple[Where, ...]"


@dataclass(frozen=True)
class Or:
    parts: "tuple[Where, ...]"


@dataclass(frozen=True)
class Not:
    part: "Where"


Where = Compare | OneOf | HasAny | Missing | And | Or | Not


def column(name: str) -> str:
    """The store's column of a field."""
    return name if name in BUILT_IN else f"{PREFIX}{name}"


def visible(labels: frozenset[str]) -> HasAny:
    """What a search that holds these access labels may see: documents with one of them, and public
    ones.
    """
    return HasAny(LABELS, (PUBLIC, *sorted(labels)))


def both(*conditions: Where | None) -> Where | None:
    """All of some conditions; None where there is none."""
    given = tuple(condition for condition in conditions if condition is not None)
    return And(given) if len(given) > 1 else given[0] if given else None
