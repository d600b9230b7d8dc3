"""What is known of a document: declared fields of their kinds, flags, labels; and what cannot be
read goes no further.
"""

import pytest
from pydantic import ValidationError

from llmops.tasks.errors import DocumentError
from llmops.tasks.filters.metadata import Access, MetadataSchema

FACTS = MetadataSchema(
    fields={"year": "integer", "day": "date", "tags": "texts", "draft": "boolean"},
    access=Access(field="groups", default=("staff",)),
    sources={"open": (), "secret": ("board",)},
)


def test_columns_of_a_document() -> None:
    found = FACTS.of(
        "files",
        {
            "year": 2024.0,
            "day": "2024-03-01T10:00:00+02:00",
            "tags": "one",
            "flags": ["injection"],
            "other": {},
        },
    )
    assert found == {
        "flags": ["injection"],
        "labels": ["staff"],
        "field_year": 2024,
        "field_day": "2024-03-01",
        "field_tags": ["one"],
        "field_draft": None,
    }


@pytest.mark.parametrize(
    ("source", "metadata", "labels"),
    [
        ("files", {}, ["staff"]),
        ("files", {"groups": ["hr", "hr", "board"]}, ["board", "hr"]),
        ("files", {"groups": []}, ["staff"]),
        ("secret", {}, ["board"]),
        ("secret", {"groups": ["hr"]}, ["hr"]),
        ("open", {}, ["public"]),
        ("files", {"groups": "hr"}, ["hr"]),
    ],
)
def test_labels_come_from_the_document_its_source_or_the_default(
    source: str, metadata: dict[str, object], labels: list[str]
) -> None:
    assert FACTS.of(source, metadata)["labels"] == labels


def test_without_rules_everything_is_public() -> None:
    assert MetadataSchema().of("files", {"groups": ["hr"]})["labels"] == ["public"]


@pytest.mark.parametrize(
    "metadata",
    [
        {"year": "2024"},
        {"year": 2024.5},
        {"year": True},
        {"day": "soon"},
        {"tags": [1]},
        {"tags": {"a": 1}},
        {"draft": 1},
        {"groups": 7},
        {"groups": [None]},
        {"groups": ["hr", ""]},
        {"groups": {"hr": True}},
        {"flags": 3},
        {"year": 2**60},
        {"year": float("nan")},
    ],
)
def test_what_is_of_another_kind_is_refused_and_never_public(metadata: dict[str, object]) -> None:
    with pytest.raises(DocumentError, match="metadata"):
        FACTS.of("files", metadata)


@pytest.mark.parametrize(
    "name", ["labels", "lang", "uri", "Year", "a b", "x" * 50, "flags", "1st", 'y"; drop']
)
def test_names_that_cannot_be_declared(name: str) -> None:
    with pytest.raises(ValidationError, match="cannot be declared"):
        MetadataSchema(fields={name: "text"})
