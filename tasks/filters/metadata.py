"""What a knowledge base knows of its documents beside their text: declared fields, and who may read
them.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from llmops.tasks.errors import DocumentError
from llmops.tasks.filters import ALIASES, BUILT_IN, LABELS, PUBLIC, Kind, Value, column
from llmops.tasks.filters.values import value_of

NAME = re.compile(r"[a-z][a-z0-9_]{0,40}")


def declarable(fields: dict[str, Kind]) -> dict[str, Kind]:
    """The fields as they are. Raises ValueError for a name that none may have."""
    for name in fields:
        if not NAME.fullmatch(name) or name in BUILT_IN or name in ALIASES or name == LABELS:
            raise ValueError(
                f"{name!r} cannot be declared; allowed: lower-case letters, digits and _, "
                f"and none of "
                f"{', '.join([*BUILT_IN, *ALIASES, LABELS])}, which are there always"
            )
    return fields


class Access(BaseModel):
    """Who may read a document: `field` names the metadata that lists its labels, `default` holds
    where that says nothing.

    Without labels a document is public. A document whose labels cannot be read is not indexed at
    all.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    field: str | None = None
    default: tuple[str, ...] = ()


class MetadataSchema(BaseModel):
    """The declared fields by name and kind, the access rule, and the labels of whole sources by
    source id.
    """

    model_config = ConfigDict(frozen=True)
    fields: dict[str, Kind] = Field(default_factory=dict)
    access: Access = Access()
    sources: dict[str, tuple[str, ...]] = Field(default_factory=dict)

    @field_validator("fields")
    @classmethod
    def _named(cls, value: dict[str, Kind]) -> dict[str, Kind]:
        return declarable(value)

    def of(self, source: str, metadata: Mapping[str, object]) -> dict[str, Any]:
        """The columns of a document's rows: flags, labels and each declared field. Raises
        DocumentError for a value of another kind.
        """
        found: dict[str, Any] = {
            "flags": _texts("flags", metadata.get("flags")),
            LABELS: self.labels(source, metadata),
        }
        for name, kind in self.fields.items():
            value = metadata.get(name)
            found[column(name)] = (
                _texts(name, value)
                if kind == "texts"
                else None
                if value is None
                else _value(name, value, kind)
            )
        return found

    def labels(self, source: str, metadata: Mapping[str, object]) -> list[str]:
        """Who may read a document, never empty. Raises DocumentError where that cannot be read."""
        own = metadata.get(self.access.field) if self.access.field else None
        labels = _texts(str(self.access.field), own) if own is not None else []
        labels = labels or [
            *self.sources.get(source, ()),
            *(() if source in self.sources else self.access.default),
        ]
        return sorted(set(labels)) or [PUBLIC]


def _value(name: str, value: object, kind: Kind) -> Value:
    try:
        return value_of(value, kind)
    except ValueError as error:
        raise DocumentError(f"the metadata {name!r}, declared as {kind}: {error}") from error


def _texts(name: str, value: object) -> list[str]:
    if value is None:
        return []
    if not isinstance(value, list | tuple | str):
        raise DocumentError(
            f"the metadata {name!r} must be a list of texts, got {str(value)[:80]!r}"
        )
    found = [value] if isinstance(value, str) else value
    if any(not isinstance(one, str) or not one.strip() for one in found):
        raise DocumentError(
            f"the metadata {name!r} must be a list of texts, got {str(value)[:80]!r}"
        )
    return [str(_value(name, one, "texts")) for one in found]


def owner_columns(schema: MetadataSchema, document: Mapping[str, Any]) -> dict[str, Any]:
    """What the rows of a document's chunks hold of the document."""
    copied = {
        name: document[name]
        for name in ("uri", "title", "source", "language", "media_type", "metadata")
    }
    return copied | schema.of(document["source"], json.loads(document["metadata"]))
