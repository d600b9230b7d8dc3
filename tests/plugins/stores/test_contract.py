"""What every vector store must do, whatever it is made of: rows and searches."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from llmops.tasks.errors import Damaged
from llmops.tasks.plugins.stores import ROWS, Store, StoreCollection
from llmops.tasks.texts.terms import analyse
from tests.plugins.stores.rows import DIMENSION, built, document, ids, numbered, vectors

ONE = np.eye(1, DIMENSION, dtype=np.float32)[0]


def test_an_empty_collection_finds_nothing(collection: StoreCollection) -> None:
    collection.recover(None)
    reader = collection.at(collection.seal(1))
    assert reader.count() == 0
    assert list(reader.rows(["chunk_id"])) == []
    for found in (reader.vector(ONE, 5), reader.text(["anything"], 5)):
        assert [*found.columns] == [*ROWS.names, "score"]
        assert found.empty


def test_rows_come_back_as_they_were_staged(collection: StoreCollection) -> None:
    rows = document("guide/a.md", ["first part", "second part"], title="Guide")
    collection.stage(1, rows, vectors(rows), [])
    reader = collection.at(collection.seal(1))
    back = next(iter(reader.rows([*ROWS.names, "vector"]))).sort_values("ordinal")
    assert back[ROWS.names].astype(object).to_dict("list") == rows.astype(object).to_dict("list")
    assert np.allclose(np.array(back["vector"].tolist()), vectors(rows))


def test_the_nearest_vector_is_first_and_scores_are_cosines(collection: StoreCollection) -> None:
    rows = numbered(0, 50)
    points = vectors(rows)
    collection.stage(1, rows, points, [])
    found = collection.at(collection.seal(1)).vector(points[7] * 3, 50)
    assert found["chunk_id"].iloc[0] == rows["chunk_id"].iloc[7]
    assert np.allclose(found["score"].to_numpy(), np.sort(points @ points[7])[::-1], atol=1e-5)


def test_text_finds_only_rows_with_a_common_term(collection: StoreCollection) -> None:
    reader = collection.at(built(collection, 1, 0, 20))
    assert [*reader.text(["number7"], 5)["uri"]] == ["doc-000007.md"]
    assert reader.text(["number7", "common"], 50)["uri"].iloc[0] == "doc-000007.md"
    assert len(reader.text(["common"], 50)) == 20
    assert reader.text(["absent"], 5).empty
    assert reader.text([], 5).empty


def test_terms_are_matched_as_they_are(collection: StoreCollection) -> None:
    long = "x" * 200
    rows = document("a.md", ["placeholder"]).assign(
        terms=f"Running the c++ os.path.join 日本 بازی {long}"
    )
    collection.stage(1, rows, vectors(rows), [])
    reader = collection.at(collection.seal(1))
    for term in ("Running", "the", "c++", "os.path.join", "日本", "بازی", long):
        assert len(reader.text([term], 1)) == 1, term
    for term in ("running", "run", "Runn", "c", "os", "path", "日", "x" * 199):
        assert reader.text([term], 1).empty, term


@pytest.mark.parametrize(
    ("question", "uri"),
    [
        ("梅雨", "ja"),
        ("防守", "zh"),
        ("تابستانی", "fa"),
        ("비밀번호", "ko"),
        ("пароль", "ru"),
    ],
)
def test_other_languages_than_english(collection: StoreCollection, question: str, uri: str) -> None:
    texts = {
        "ja": "梅雨は雨の多い期間",
        "zh": "黑豹队的防守",
        "fa": "بازی‌های المپیک تابستانی",
        "ko": "비밀번호를 바꾸는 방법",
        "ru": "новый пароль",
        "en": "a new password",
    }
    for name, text in texts.items():
        rows = document(name, [text])
        collection.stage(1, rows, vectors(rows), [])
    assert [*collection.at(collection.seal(1)).text(analyse(question), 6)["uri"]] == [uri]


def test_equal_scores_come_in_the_order_of_uri_and_ordinal(collection: StoreCollection) -> None:
    rows = [document(uri, ["same words"] * 3) for uri in ("c", "a", "b")]
    for part in [*rows, *(document(f"z{n}", ["same words"] * 3) for n in range(20))]:
        collection.stage(1, part, np.tile(ONE, (3, 1)), [])
    reader = collection.at(collection.seal(1))
    wanted = [("a", 0), ("a", 1), ("a", 2), ("b", 0), ("b", 1)]
    for found in (reader.vector(ONE, 5), reader.text(["same"], 5)):
        assert [*zip(found["uri"], found["ordinal"], strict=True)] == wanted


def test_a_replaced_row_is_there_once(collection: StoreCollection) -> None:
    first = built(collection, 1, 0, 10)
    rows = numbered(3, 5).assign(title="renamed")
    collection.stage(2, rows, vectors(rows), [*rows["chunk_id"]])
    second = collection.at(collection.seal(2))
    assert ids(second) == ids(collection.at(first))
    assert sum((part["title"] == "renamed").sum() for part in second.rows(["title"])) == 2


def test_many_deletions_in_one_call(collection: StoreCollection) -> None:
    rows = document("big.md", [f"part {n}" for n in range(12_000)])
    collection.stage(
        1,
        rows,
        np.random.default_rng(0).standard_normal((12_000, DIMENSION)).astype(np.float32),
        [],
    )
    first = collection.seal(1)
    collection.stage(
        2, rows.head(0), np.empty((0, DIMENSION), np.float32), [*rows["chunk_id"][:11_000]]
    )
    second = collection.at(collection.seal(2))
    assert ids(second) == sorted(rows["chunk_id"][11_000:])
    assert collection.at(first).count() == 12_000


def test_a_chunk_that_comes_twice_in_one_call_is_refused(collection: StoreCollection) -> None:
    rows = numbered(0, 3)
    double = pd.concat([rows, rows.head(1)], ignore_index=True)
    with pytest.raises(ValueError, match="comes twice"):
        collection.stage(1, double, vectors(double), [])
    assert collection.at(collection.seal(1)).count() == 0


def test_a_number_that_a_store_would_round_is_refused(collection: StoreCollection) -> None:
    rows = numbered(0, 1).assign(start=pd.array([2**53 + 1], dtype="int64[pyarrow]"))
    with pytest.raises(ValueError, match=r"2\*\*53"):
        collection.stage(1, rows, vectors(rows), [])


def test_half_of_a_surrogate_pair_is_found_nowhere(collection: StoreCollection) -> None:
    reader = collection.at(built(collection, 1, 0, 3))
    assert reader.text(["\ud800"], 5).empty
    assert len(reader.text(["\ud800", "common"], 5)) == 3


@pytest.mark.parametrize("value", [np.nan, np.inf, 0.0])
def test_a_vector_without_a_direction_is_refused_and_nothing_written(
    collection: StoreCollection, value: float
) -> None:
    rows = numbered(0, 3)
    broken = np.vstack([vectors(rows)[:2], np.full((1, DIMENSION), value, np.float32)])
    with pytest.raises(ValueError, match=rows["chunk_id"].iloc[2]):
        collection.stage(1, rows, broken, [])
    with pytest.raises(ValueError, match="shape"):
        collection.stage(1, rows, vectors(rows)[:, :4], [])
    with pytest.raises(ValueError, match="shape"):
        collection.at(collection.seal(1)).vector(ONE[:4], 3)
    assert collection.at(collection.seal(1)).count() == 0


def test_what_is_missing_is_damage_with_a_hint(
    store: Store, collection: StoreCollection, name: str, tmp_path: Path
) -> None:
    sealed = built(collection, 1, 0, 3)
    with pytest.raises(Damaged, match="llmops index"):
        collection.at("987654")
    with pytest.raises(Damaged, match="llmops index"):
        collection.recover("987654")
    store.drop(name, tmp_path)
    store.drop(name, tmp_path)
    with pytest.raises(Damaged, match="llmops index"):
        collection.at(sealed)
    anew = store.open(name, DIMENSION, tmp_path)
    with pytest.raises(Damaged, match="llmops index"):
        anew.at(sealed)


def test_opening_again_finds_what_is_there(
    store: Store, collection: StoreCollection, name: str, tmp_path: Path
) -> None:
    sealed = built(collection, 1, 0, 3)
    assert store.open(name, DIMENSION, tmp_path).at(sealed).count() == 3
    with pytest.raises(Damaged, match="dimension"):
        store.open(name, DIMENSION + 1, tmp_path)
