"""What every vector store must do, whatever it is made of: conditions, with the meaning of
`filters.evaluate.matches`.
"""

import random
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from llmops.tasks.errors import UsageError
from llmops.tasks.filters import (
    And,
    Compare,
    Fields,
    HasAny,
    Kind,
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
from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.embedders.hash import HashEmbedder
from llmops.tasks.plugins.stores import Store, StoreCollection, StoreReader, rows_schema
from llmops.tasks.retrieval.hybrid import MODES, Searcher
from llmops.tasks.schemas import frame
from tests.plugins.stores.rows import DIMENSION, document, vectors

FIELDS: Fields = {
    "year": "integer",
    "rate": "number",
    "open": "boolean",
    "day": "date",
    "topic": "text",
    "tags": "texts",
}
COLUMNS: dict[str, Kind] = {
    "uri": "text",
    "title": "text",
    "language": "text",
    "page": "integer",
    "flags": "texts",
    "labels": "texts",
    **{f"field_{name}": kind for name, kind in FIELDS.items()},
}
NASTY = [
    "",
    " ",
    "a",
    "A",
    "b ",
    " b",
    "b",
    "ab",
    "a b",
    "ä",
    "a\u0308",
    "日本",
    "بازی\u200cها",
    "😀",
    "\u00a0",
    "\t",
    "x\n",
    "O'Brien",
    '"quoted"',
    "'; DROP TABLE kb; --",
    "' OR '1'='1",
    "\\",
    "\\'",
    "%",
    "_",
    "*",
    "?",
    "a*",
    "null",
    "None",
    "NULL",
    "true",
    "$where",
    "${HOME}",
    "{operator: Or, operands: []}",
    '"}) { Get { Kb { text } } } #',
    "a=b",
    "title?",
    "facts=a",
    "x" * 300,
    "x" * 301,
    "y" * 20_000,
    "é" * 200,
]
NUMBERS = [-(2**53), -7, -1, 0, 1, 2, 2024, 2**53]
RATES = [-1e300, -1.5, -0.0, 0.0, 1e-300, 0.1, 1.0, 2.5, 1e300]
DAYS = [str(date(2024, 1, 1) + timedelta(days=n)) for n in (0, 1, 30, 366)]
VALUES: dict[Kind, list[Any]] = {
    "text": NASTY,
    "texts": NASTY,
    "integer": NUMBERS,
    "number": RATES,
    "boolean": [True, False],
    "date": DAYS,
}
RANGE = {"page": [0, 1, 2, 7, 2**31 - 1]}
ROWS = 80
POINT = np.ones(DIMENSION, np.float32)


def rows() -> list[dict[str, Any]]:
    """Random rows, a third of all values missing, every nasty text somewhere."""
    chance, found = random.Random(7), []
    for n in range(ROWS):
        row = document(f"{NASTY[n % len(NASTY)]}{n}", [f"common text {n}"]).to_dict("records")[0]
        for name, kind in COLUMNS.items():
            some = chance.random() > 0.33
            if kind == "texts":
                row[name] = (
                    [one for one in chance.sample(NASTY, chance.randint(1, 4)) if one]
                    if some or name == "labels"
                    else []
                )
            elif name != "uri":
                row[name] = chance.choice(RANGE.get(name, VALUES[kind])) if some else None
                if name == "field_topic" and n < len(NASTY):
                    row[name] = NASTY[n]
        found.append(row | {"labels": row["labels"] or ["public"]})
    return found


HELD = rows()


@pytest.fixture(scope="module")
def filtered(
    spec: Spec, name: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[StoreCollection]:
    store, home = spec.build(Store), tmp_path_factory.mktemp("filters")
    collection = store.open(f"{name}-filters", DIMENSION, home, FIELDS)
    held = frame(HELD, rows_schema(FIELDS))
    collection.stage(1, held, vectors(held), [])
    collection.seal(1)
    yield collection
    store.drop(f"{name}-filters", home)


@pytest.fixture(scope="module")
def reader(filtered: StoreCollection) -> StoreReader:
    return filtered.at(filtered.seal(1))


def values(column: str) -> st.SearchStrategy[Any]:
    kind = COLUMNS[column]
    held = [
        value
        for row in HELD
        for value in (row[column] if kind == "texts" else [row[column]])
        if value is not None
    ]
    return st.sampled_from([*RANGE.get(column, VALUES[kind]), *held])


@st.composite
def single(draw: st.DrawFn) -> Where:
    column = draw(st.sampled_from([*COLUMNS]))
    kind = COLUMNS[column]
    shape = draw(st.sampled_from(["missing", "among", "compare"]))
    if shape == "missing":
        return Missing(column, kind)
    if kind == "texts":
        return HasAny(column, tuple(draw(st.lists(values(column), min_size=1, max_size=3))))
    if shape == "among":
        return OneOf(column, kind, tuple(draw(st.lists(values(column), min_size=1, max_size=3))))
    operator = draw(st.sampled_from(["="] if kind == "boolean" else ["=", "<", "<=", ">", ">="]))
    return Compare(column, kind, cast(Any, operator), draw(values(column)))


def trees() -> st.SearchStrategy[Where]:
    def larger(inner: st.SearchStrategy[Where]) -> st.SearchStrategy[Where]:
        parts = st.lists(inner, min_size=1, max_size=3).map(tuple)
        return st.one_of(st.builds(Not, inner), st.builds(And, parts), st.builds(Or, parts))

    return st.recursive(single(), larger, max_leaves=8)


def assert_the_same(reader: StoreReader, where: Where) -> None:
    wanted = sorted(row["chunk_id"] for row in HELD if matches(where, row))
    assert sorted(reader.vector(POINT, ROWS, where)["chunk_id"]) == wanted
    assert sorted(reader.text(["common"], ROWS, where)["chunk_id"]) == wanted


@pytest.mark.slow
@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(where=trees())
@example(where=Not(Not(Missing("field_tags", "texts"))))
@example(where=And((Not(Compare("field_rate", "number", "=", 0.0)), Missing("title", "text"))))
def test_a_store_finds_what_fulfils_a_condition_and_no_more(
    reader: StoreReader, where: Where
) -> None:
    assert_the_same(reader, where)


@pytest.mark.slow
@pytest.mark.parametrize("column", [name for name, kind in COLUMNS.items() if kind == "text"])
def test_every_nasty_text_equals_itself_alone_and_sorts_as_in_python(
    reader: StoreReader, column: str
) -> None:
    for text in NASTY:
        assert_the_same(reader, Compare(column, "text", "=", text))
        assert_the_same(reader, Compare(column, "text", "<", text))


def test_the_k_best_are_chosen_among_those_that_fulfil_the_condition(reader: StoreReader) -> None:
    where = Compare("field_year", "integer", ">=", 1)
    whole = reader.vector(POINT, ROWS, where)
    assert [*reader.vector(POINT, 3, where)["chunk_id"]] == [*whole["chunk_id"]][:3]
    assert [*reader.text(["common"], 3, where)["chunk_id"]] == [
        *reader.text(["common"], ROWS, where)["chunk_id"]
    ][:3]


@pytest.mark.slow
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(labels=st.frozensets(st.sampled_from(NASTY), max_size=3), where=st.none() | trees())
def test_labels_never_leak_in_any_mode(
    reader: StoreReader, labels: frozenset[str], where: Where | None
) -> None:
    """A user's condition, whatever it is, only narrows what the labels allow."""
    allowed = {row["chunk_id"] for row in HELD if {"public", *labels} & set(row["labels"])}
    searcher = Searcher(reader, HashEmbedder(), where=both(visible(labels), where))
    for mode in MODES:
        found = set(searcher.search("common text 5", ROWS, mode, POINT)["chunk_id"])
        assert found <= allowed, mode
        assert where is not None or mode == "text" or found == allowed


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(
    text=st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
    | st.sampled_from(
        [
            f"topic {sign} {quote}{text}{quote}"
            for text in NASTY[:30]
            for quote in "\"'"
            for sign in ("=", "<", "!=")
        ]
    )
)
def test_what_a_user_writes_is_refused_or_means_what_it_says(
    reader: StoreReader, text: str
) -> None:
    try:
        where = parse(text, FIELDS)
    except UsageError:
        return
    assert_the_same(reader, where)


def test_rows_with_nasty_values_come_back_as_they_were(reader: StoreReader) -> None:
    columns = [*COLUMNS]
    back = {
        row["chunk_id"]: row
        for part in reader.rows(["chunk_id", *columns])
        for row in part.astype(object).where(part.notna(), None).to_dict("records")
    }
    for row in HELD:
        assert {name: _plain(back[row["chunk_id"]][name]) for name in columns} == {
            name: row[name] for name in columns
        }


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, np.ndarray | list) else value


def test_a_deep_and_a_wide_condition(reader: StoreReader) -> None:
    deep: Where = Compare("field_year", "integer", ">", 0)
    for _ in range(50):
        deep = Not(deep)
    assert_the_same(reader, deep)
    assert_the_same(
        reader, OneOf("field_topic", "text", (*NASTY, *(f"word {n}" for n in range(1_000))))
    )
