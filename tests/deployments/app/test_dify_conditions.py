"""Dify's conditions on metadata, each with what it lets through."""

from typing import Any

import pytest

from llmops.deployments.app.dify_conditions import DifyConditions, WrongCondition, translated
from llmops.tasks.filters import Kind
from llmops.tasks.filters.evaluate import matches

FIELDS: dict[str, Kind] = {
    "author": "text",
    "year": "integer",
    "price": "number",
    "day": "date",
    "public": "boolean",
    "tags": "texts",
}
ROWS: dict[str, dict[str, Any]] = {
    "a": {
        "uri": "guide/a.md",
        "title": "Anna's guide",
        "field_author": "Anna Berg",
        "field_year": 2020,
        "field_price": 1.5,
        "field_day": "2024-01-31",
        "field_public": True,
        "field_tags": ["red", "dark red"],
    },
    "b": {
        "uri": "notes/b.md",
        "title": "Notes",
        "field_author": "Bo Annasson",
        "field_year": 2024,
        "field_price": 2.0,
        "field_day": "2024-03-01",
        "field_public": False,
        "field_tags": ["blue"],
    },
    "c": {"uri": "notes/c.txt", "title": "Notes", "field_tags": []},
}


def values(column: str) -> set[str]:
    found = [row.get(column) for row in ROWS.values()]
    return {each for one in found for each in ([one] if isinstance(one, str) else one or [])}


def fitting(*conditions: dict[str, Any], operator: str = "and") -> str:
    given = DifyConditions.model_validate(
        {"logical_operator": operator, "conditions": list(conditions)}
    )
    where = translated(given, FIELDS, values)
    return "".join(name for name, row in ROWS.items() if where is None or matches(where, row))


@pytest.mark.parametrize(
    ("name", "operator", "value", "found"),
    [
        ("author", "contains", "Anna", "ab"),
        ("author", "not contains", "Berg", "b"),
        ("author", "start with", "Anna", "a"),
        ("author", "end with", "son", "b"),
        ("author", "contains", "nobody", ""),
        ("author", "is", "Anna Berg", "a"),
        ("author", "is not", "Anna Berg", "b"),
        ("author", "in", ["Anna Berg", "Bo Annasson"], "ab"),
        ("author", "in", "Anna Berg, X", "a"),
        ("author", "in", [], ""),
        ("author", "not in", ["Anna Berg"], "b"),
        ("author", "empty", None, "c"),
        ("author", "not empty", None, "ab"),
        ("year", "=", 2020, "a"),
        ("year", "=", "2020", "a"),
        ("year", "≠", 2020, "b"),
        ("year", ">", 2020, "b"),
        ("year", "<", 2024, "a"),
        ("year", "≥", 2020, "ab"),
        ("year", "≤", "2020", "a"),
        ("price", "≥", 1.75, "b"),
        ("price", "empty", None, "c"),
        ("day", "before", "2024-02-01", "a"),
        ("day", "after", "2024-02-01", "b"),
        ("day", "before", 1706745600, "a"),  # 2024-02-01, as seconds
        ("day", "is", "2024-03-01", "b"),
        ("public", "is", "true", "a"),
        ("public", "is not", "true", "b"),
        ("tags", "contains", "red", "a"),
        ("tags", "is", "blue", "b"),
        ("tags", "start with", "dark", "a"),
        ("tags", "not contains", "red", "b"),
        ("tags", "empty", None, "c"),
        ("document_name", "contains", "guide", "a"),
        ("path", "start with", "notes/", "bc"),
        ("uri", "end with", ".md", "ab"),
    ],
)
def test_every_operator_means_what_dify_says(
    name: str, operator: str, value: Any, found: str
) -> None:
    assert fitting({"name": name, "comparison_operator": operator, "value": value}) == found


def test_conditions_are_joined_by_and_or_or() -> None:
    both = (
        {"name": "year", "comparison_operator": "≥", "value": 2020},
        {"name": "author", "comparison_operator": "start with", "value": "Bo"},
    )
    assert fitting(*both) == "b"
    assert fitting(*both, operator="or") == "ab"
    assert fitting() == "abc"


@pytest.mark.parametrize(
    ("name", "operator", "value", "says"),
    [
        ("colour", "is", "x", "no metadata field"),
        ("labels", "is", "hr", "no metadata field"),
        ("year", "contains", "20", "for texts"),
        ("author", ">", "A", "does not go with"),
        ("author", "before", "2024-01-01", "does not go with"),
        ("year", "=", "many", "could not convert"),
        ("year", "=", None, "wants a value"),
        ("year", ">", ["1"], "one value"),
        ("day", "after", "soon", "a date like"),
        ("author", "is", ["a"], "one value"),
        ("public", "is", "perhaps", "which is no boolean"),
    ],
)
def test_what_does_not_fit_is_named(name: str, operator: str, value: Any, says: str) -> None:
    with pytest.raises(WrongCondition, match=says):
        fitting({"name": name, "comparison_operator": operator, "value": value})
