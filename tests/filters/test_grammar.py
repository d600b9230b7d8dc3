"""The language of conditions: what it takes, what it means, and that nothing else gets through."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmops.tasks.errors import UsageError
from llmops.tasks.filters import (
    BUILT_IN,
    And,
    Compare,
    Fields,
    HasAny,
    Missing,
    Not,
    OneOf,
    Or,
    Where,
    both,
    visible,
)
from llmops.tasks.filters.evaluate import matches
from llmops.tasks.filters.grammar import parse

FIELDS: Fields = {
    "year": "integer",
    "price": "number",
    "draft": "boolean",
    "published": "date",
    "tags": "texts",
    "department": "text",
}
ROW = {
    "uri": "guide/a.md",
    "language": "de",
    "field_year": 2024,
    "field_price": 9.5,
    "field_draft": False,
    "field_published": "2024-03-01",
    "field_tags": ["new", "it's"],
    "field_department": "tax",
    "flags": [],
}


@pytest.mark.parametrize(
    "text",
    [
        'lang = "de" and year >= 2024',
        "language = 'de'",
        "year in (2023, 2024)",
        "year not in (1, 2)",
        "not year = 2023",
        'tags contains "new"',
        'tags in ("old", "new")',
        'tags contains "it\'s"',
        r"tags contains 'it\'s'",
        "price < 1e1",
        "draft = false",
        "draft != true",
        'published > "2024-02-29" and published < "2024-03-02"',
        "title is missing",
        "year is not missing",
        '(year = 1 or year = 2024) and (department = "tax")',
        "flags is missing",
        "YEAR = 2024 or year = 2024".removeprefix("YEAR = 2024 or "),
        'uri >= "guide/"',
        "price = 9.5",
        "year != 2023",
        'department not in ("hr")',
        "NOT draft = TRUE AND year = 2024",
    ],
)
def test_true_of_the_row(text: str) -> None:
    assert matches(parse(text, FIELDS), ROW), text


@pytest.mark.parametrize(
    "text",
    [
        'lang = "en"',
        "year > 2024",
        'title = "x"',
        'title != "x"',
        "not title is missing",
        "page < 5",
        "page != 5",
        "page in (1, 2)",
        'flags contains "injection"',
        "year = 1 or year = 2 and draft = false",
        'published < "2024-03-01"',
        'department = "TAX"',
    ],
)
def test_false_of_the_row(text: str) -> None:
    assert not matches(parse(text, FIELDS), ROW), text


def test_what_is_missing_fulfils_no_comparison_and_every_negation() -> None:
    for text in (
        "year = 1",
        "year < 1",
        "year >= 1",
        "year != 1",
        "year in (1)",
        'tags contains "a"',
        'department > "a"',
    ):
        assert not matches(parse(text, FIELDS), {})
        assert matches(parse(f"not {text}", FIELDS), {})


def test_and_binds_more_than_or_and_not_more_than_and() -> None:
    found = parse("not year = 1 and year = 2 or year = 3", FIELDS)
    assert isinstance(found, Or)
    assert isinstance(found.parts[0], And)
    assert isinstance(found.parts[0].parts[0], Not)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("colour = 1", "no declared field"),
        ("yaer = 2024", "did you mean year"),
        ("year", "is wanted after year"),
        ("year =", "2024 is wanted"),
        ("year = 'x'", "year is integer: 2024 is wanted"),
        ("year = 2024.5", "a whole number is wanted"),
        ("lang = de", '"…" is wanted'),
        ('published = "yesterday"', "a date like 2024-01-31"),
        ("draft > true", "allowed: =, !="),
        ("tags = 'a'", "allowed: contains, in"),
        ("year contains 'a'", "fields of several texts"),
        ("(year = 1", "'\\)' is wanted"),
        ("year = 1 year = 2", "`and` or `or` is wanted"),
        ("year = 1; DROP TABLE x", "is not understood"),
        ("year == 1", "write = instead of ==, at character 6"),
        ("year <> 1", "write != instead of <>"),
        ("year = 1 && year = 2", "write and instead of &&"),
        ("year = 1 || year = 2", r"write or instead of \|\|"),
        ("", "a condition is missing at the beginning"),
        (") or year = 1", "missing at the beginning"),
        ("year >= 2024 and", "a condition is missing after 'and', at character 17"),
        ("year = 1 or", "missing after 'or'"),
        ("not", "missing after 'not'"),
        ("year = 1 and (", "missing after '\\('"),
        ("()", "missing after '\\('"),
        ("year = 1 and or year = 2", "missing after 'and'"),
        ("(year = 1 OR)", "missing after 'or'"),
        ("year in ()", "is wanted"),
        ("year = 9007199254740993", "2\\*\\*53"),
        ('lang = "a\0b"', "NUL"),
        ("department = '\ud800'", "surrogate"),
        ("year = 1e400", "finite"),
        ("labels contains 'hr'", "labels are not part of a condition"),
        ("field_year = 1", "no declared field"),
        ("'year' = 1", "no declared field"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse(text, FIELDS)


def test_bounds_of_size() -> None:
    with pytest.raises(UsageError, match="characters"):
        parse("year = 1" + " or year = 1" * 1_000, FIELDS)
    with pytest.raises(UsageError, match="nested more than"):
        parse("(" * 60 + "year = 1" + ")" * 60, FIELDS)
    with pytest.raises(UsageError, match="nested more than"):
        parse("not " * 1_000 + "year = 1", FIELDS)
    with pytest.raises(UsageError, match="1001 values"):
        parse(f"year in ({', '.join('1' for _ in range(1_001))})", FIELDS)


PIECES = st.sampled_from(
    [
        *FIELDS,
        "lang",
        "uri",
        "flags",
        "and",
        "or",
        "not",
        "in",
        "is",
        "missing",
        "contains",
        "(",
        ")",
        ",",
        "=",
        "!=",
        "<",
        ">=",
        '"a"',
        "'b'",
        '"2024-01-01"',
        "1",
        "-2.5",
        "true",
        "'; --",
        "\\",
        '"',
        "\n",
        "𝄞",
        "\0",
        "or 1=1",
        "1e9",
    ]
)


@given(st.one_of(st.lists(PIECES, max_size=14).map(" ".join), st.text(max_size=60)))
def test_any_text_gives_a_condition_or_a_usage_error(text: str) -> None:
    try:
        found = parse(text, FIELDS)
    except UsageError:
        return
    assert isinstance(matches(found, ROW), bool)
    assert columns(found) <= {*BUILT_IN, *(f"field_{name}" for name in FIELDS)}


def columns(where: Where) -> set[str]:
    """Every column that a condition touches: none but the schema's may ever get there."""
    match where:
        case And(parts) | Or(parts):
            return {one for part in parts for one in columns(part)}
        case Not(part):
            return columns(part)
        case Compare(column) | OneOf(column) | HasAny(column) | Missing(column):
            return {column}


def test_labels_open_what_carries_one_of_them_and_what_is_public() -> None:
    seen = {
        name: matches(visible(frozenset({"hr"})), {"labels": labels})
        for name, labels in {
            "public": ["public"],
            "hr": ["hr", "board"],
            "board": ["board"],
            "none": [],
            "absent": None,
        }.items()
    }
    assert seen == {"public": True, "hr": True, "board": False, "none": False, "absent": False}
    assert not matches(visible(frozenset()), {"labels": ["hr"]})


def test_a_condition_only_narrows_what_labels_open() -> None:
    found = both(
        visible(frozenset()), parse('lang = "de" or lang = "en" or not lang = "fr"', FIELDS)
    )
    assert found is not None
    assert not matches(found, {"labels": ["hr"], "language": "de"})
