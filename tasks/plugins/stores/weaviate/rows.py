"""A row as a Weaviate object and back, and the collection's schema.

Each column is a property of its own, readable for anyone, and indexed only where a search needs it.
Conditions look at properties made for them: `facts` holds a word per known value and per missing
one, `key_…` a text that sorts as Python sorts it. So a condition means the same as in
`filters.evaluate`: Weaviate would trim texts, and takes "" for missing.
"""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_URL, UUID, uuid5

import pyarrow as pa

from llmops.tasks.filters import BUILT_IN, LABELS, Fields, Kind, Value, column
from llmops.tasks.plugins import digest
from llmops.tasks.plugins.stores import rows_schema
from llmops.tasks.schemas import sha256

if TYPE_CHECKING:
    from weaviate.classes.config import Property
    from weaviate.classes.data import DataObject
    from weaviate.collections import Collection
    from weaviate.collections.classes.internal import Object, QueryReturn

    NewObject = DataObject[Mapping[str, Any], None]
    StoredObject = Object[Mapping[str, Any], None]
    FoundObjects = QueryReturn[Mapping[str, Any], None]
    ObjectCollection = Collection[Mapping[str, Any], None]

RANGES = {"integer", "number"}
WORDS = {"text", "date"}
SHORT = 200
INTERVAL = ("valid_from", "valid_to")
RECORD = "record="
"""What the objects hold in `facts` that are no rows."""


def class_name(name: str) -> str:
    """A collection's name in Weaviate, which allows letters and digits only."""
    return f"Kb_{digest(name)}"


def object_id(chunk_id: str, version: int) -> UUID:
    """A chunk that comes back in a later version gets another object: the old one serves the old
    snapshots.
    """
    return uuid5(NAMESPACE_URL, f"{chunk_id}/{version}")


def kinds(fields: Fields) -> dict[str, Kind]:
    """The columns that a condition may name."""
    return {**BUILT_IN, LABELS: "texts", **{column(name): kind for name, kind in fields.items()}}


def fact(name: str, value: Value) -> str:
    """The word for a value of a column. Long ones, and what an index would trim, are hashed."""
    text = str(value + 0.0) if isinstance(value, float) else str(value)
    plain = len(text) <= SHORT and text.isprintable() and text == text.strip()
    return f"{name}={text}" if plain else f"{name}#{sha256(text)}"


def absent(name: str) -> str:
    """The word for a column without a value."""
    return f"{name}?"


def key(text: str) -> str:
    """Sorts as the text does, by code points, whatever white space stands at its ends."""
    return f"={text}\x01"


def properties(row: Mapping[str, Any], columns: Mapping[str, Kind]) -> dict[str, Any]:
    """The object's properties without its interval; missing values are left out."""
    values = {name: value for name, value in row.items() if value is not None}
    facts = []
    for name, kind in columns.items():
        value = row.get(name)
        if kind == "texts":
            facts += [fact(name, one) for one in value or ()] or [absent(name)]
        else:
            facts.append(absent(name) if value is None else fact(name, value))
        if kind in WORDS and value is not None:
            values[f"key_{name}"] = key(value)
    return values | {"facts": sorted(set(facts)), "length": len(str(row["terms"]).split())}


def table(rows: Sequence[Mapping[str, Any]], schema: pa.Schema) -> pa.Table:
    """Rows from properties, in the schema's columns and types."""
    lists = {field.name for field in schema if pa.types.is_list(field.type)}
    return pa.table(
        {
            field.name: pa.array(
                [
                    [] if (value := row.get(field.name)) is None and field.name in lists else value
                    for row in rows
                ],
                field.type,
            )
            for field in schema
        },
        schema=schema,
    )


def size(row: Mapping[str, Any], dimension: int) -> int:
    """About how many bytes an object takes in a message, rather more than less."""
    return len(json.dumps(row, ensure_ascii=True, default=str)) + 4 * dimension + 2_000


def schema(fields: Fields) -> list["Property"]:
    """The properties of a collection."""
    from weaviate.classes.config import DataType, Property, Tokenization

    columns = kinds(fields)
    own = [
        _property(field, columns.get(field.name))
        for field in rows_schema(fields)
        if field.name not in _INDEXED
    ]
    exact: dict[str, Any] = {
        "data_type": DataType.TEXT,
        "tokenization": Tokenization.FIELD,
        "index_filterable": True,
        "index_searchable": False,
    }
    number: dict[str, Any] = {"data_type": DataType.INT, "index_filterable": False}
    return [
        *own,
        *(Property(name=name, **exact) for name in ("chunk_id", "doc_id")),
        *(Property(name=f"key_{name}", **exact) for name, kind in columns.items() if kind in WORDS),
        Property(name="facts", **{**exact, "data_type": DataType.TEXT_ARRAY}),
        Property(
            name="terms",
            data_type=DataType.TEXT,
            tokenization=Tokenization.WHITESPACE,
            index_filterable=False,
            index_searchable=True,
        ),
        Property(name="length", index_range_filters=False, **number),
        *(
            Property(name=name, index_range_filters=True, **number)
            for name in (*INTERVAL, "sealed")
        ),
        Property(
            name="record", data_type=DataType.TEXT, index_filterable=False, index_searchable=False
        ),
    ]


_INDEXED = ("chunk_id", "doc_id", "terms")


def _property(field: pa.Field, kind: Kind | None) -> "Property":
    """A property that is only read, unless it is a number that a condition may compare."""
    from weaviate.classes.config import DataType, Property

    types = {
        pa.types.is_integer: DataType.INT,
        pa.types.is_floating: DataType.NUMBER,
        pa.types.is_boolean: DataType.BOOL,
        pa.types.is_list: DataType.TEXT_ARRAY,
        pa.types.is_string: DataType.TEXT,
    }
    kept = next(name for test, name in types.items() if test(field.type))
    text: dict[str, Any] = (
        {"index_searchable": False} if kept in (DataType.TEXT, DataType.TEXT_ARRAY) else {}
    )
    ranges: dict[str, Any] = (
        {"index_range_filters": kind in RANGES} if kept in (DataType.INT, DataType.NUMBER) else {}
    )
    return Property(name=field.name, data_type=kept, index_filterable=False, **text, **ranges)
