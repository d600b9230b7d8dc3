"""What every vector store must do, whatever it is made of. A store joins by adding its spec to STORES."""

from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread

import numpy as np
import pytest

from tasks.errors import Damaged
from tasks.knowledge.terms import analyse
from tasks.plugins import Spec
from tasks.stores import ROWS, Collection, Store
from tests.stores.rows import DIMENSION, document, ids, numbered, seen, vectors

STORES = [Spec(name="lancedb")]
ONE = np.eye(1, DIMENSION, dtype=np.float32)[0]


@pytest.fixture(params=STORES, ids=lambda spec: spec.name)
def store(request: pytest.FixtureRequest) -> Store:
    return request.param.build(Store)  # type: ignore[no-any-return]


@pytest.fixture
def collection(store: Store, tmp_path: Path) -> Iterator[Collection]:
    yield store.open("kb_test", DIMENSION, tmp_path)
    store.drop("kb_test", tmp_path)


def built(collection: Collection, version: int, first: int, last: int, retire: list[str] | None = None) -> str:
    rows = numbered(first, last)
    collection.stage(version, rows, vectors(rows), retire or [])
    return collection.seal(version)


def test_an_empty_collection_finds_nothing(collection: Collection) -> None:
    collection.recover(None)
    reader = collection.at(collection.seal(1))
    assert reader.count() == 0
    assert list(reader.rows(["chunk_id"])) == []
    for found in (reader.vector(ONE, 5), reader.text(["anything"], 5)):
        assert [*found.columns] == [*ROWS.names, "score"]
        assert found.empty


def test_rows_come_back_as_they_were_staged(collection: Collection) -> None:
    rows = document("guide/a.md", ["first part", "second part"], title="Guide")
    collection.stage(1, rows, vectors(rows), [])
    reader = collection.at(collection.seal(1))
    back = next(iter(reader.rows([*ROWS.names, "vector"]))).sort_values("ordinal")
    assert back[ROWS.names].astype(object).to_dict("list") == rows.astype(object).to_dict("list")
    assert np.allclose(np.array(back["vector"].tolist()), vectors(rows))


def test_the_nearest_vector_is_first_and_scores_are_cosines(collection: Collection) -> None:
    rows = numbered(0, 50)
    points = vectors(rows)
    collection.stage(1, rows, points, [])
    found = collection.at(collection.seal(1)).vector(points[7] * 3, 50)
    assert found["chunk_id"].iloc[0] == rows["chunk_id"].iloc[7]
    assert np.allclose(found["score"].to_numpy(), np.sort(points @ points[7])[::-1], atol=1e-5)


def test_text_finds_only_rows_with_a_common_term(collection: Collection) -> None:
    reader = collection.at(built(collection, 1, 0, 20))
    assert [*reader.text(["number7"], 5)["uri"]] == ["doc-000007.md"]
    assert reader.text(["number7", "common"], 50)["uri"].iloc[0] == "doc-000007.md"
    assert len(reader.text(["common"], 50)) == 20
    assert reader.text(["absent"], 5).empty
    assert reader.text([], 5).empty


def test_terms_are_matched_as_they_are(collection: Collection) -> None:
    long = "x" * 200
    rows = document("a.md", ["placeholder"]).assign(terms=f"Running the c++ os.path.join 日本 بازی {long}")
    collection.stage(1, rows, vectors(rows), [])
    reader = collection.at(collection.seal(1))
    for term in ("Running", "the", "c++", "os.path.join", "日本", "بازی", long):
        assert len(reader.text([term], 1)) == 1, term
    for term in ("running", "run", "Runn", "c", "os", "path", "日", "x" * 199):
        assert reader.text([term], 1).empty, term


@pytest.mark.parametrize(("question", "uri"), [
    ("梅雨", "ja"), ("防守", "zh"), ("تابستانی", "fa"), ("비밀번호", "ko"), ("пароль", "ru"),
])
def test_other_languages_than_english(collection: Collection, question: str, uri: str) -> None:
    texts = {
        "ja": "梅雨は雨の多い期間", "zh": "黑豹队的防守", "fa": "بازی‌های المپیک تابستانی",
        "ko": "비밀번호를 바꾸는 방법", "ru": "новый пароль", "en": "a new password",
    }
    for name, text in texts.items():
        rows = document(name, [text])
        collection.stage(1, rows, vectors(rows), [])
    assert [*collection.at(collection.seal(1)).text(analyse(question), 6)["uri"]] == [uri]


def test_equal_scores_come_in_the_order_of_uri_and_ordinal(collection: Collection) -> None:
    rows = [document(uri, ["same words"] * 3) for uri in ("c", "a", "b")]
    for part in [*rows, *(document(f"z{n}", ["same words"] * 3) for n in range(20))]:
        collection.stage(1, part, np.tile(ONE, (3, 1)), [])
    reader = collection.at(collection.seal(1))
    wanted = [("a", 0), ("a", 1), ("a", 2), ("b", 0), ("b", 1)]
    for found in (reader.vector(ONE, 5), reader.text(["same"], 5)):
        assert [*zip(found["uri"], found["ordinal"], strict=True)] == wanted


def test_a_replaced_row_is_there_once(collection: Collection) -> None:
    first = built(collection, 1, 0, 10)
    rows = numbered(3, 5).assign(title="renamed")
    collection.stage(2, rows, vectors(rows), [*rows["chunk_id"]])
    second = collection.at(collection.seal(2))
    assert ids(second) == ids(collection.at(first))
    assert sum((part["title"] == "renamed").sum() for part in second.rows(["title"])) == 2


def test_staging_again_after_a_crash_leaves_no_duplicates(collection: Collection) -> None:
    first = built(collection, 1, 0, 10)
    rows = numbered(10, 20)
    collection.stage(2, rows, vectors(rows), ["gone"])
    collection.recover(first)
    collection.stage(2, rows, vectors(rows), [])
    assert ids(collection.at(collection.seal(2))) == sorted(numbered(0, 20)["chunk_id"])


def test_what_was_staged_but_never_sealed_is_recovered_away(collection: Collection) -> None:
    first = built(collection, 1, 0, 30)
    before = seen(collection.at(first))
    rows = numbered(30, 60)
    collection.stage(2, rows, vectors(rows), [*numbered(0, 5)["chunk_id"]])
    collection.recover(first)
    collection.recover(first)
    assert seen(collection.at(first)) == before
    assert ids(collection.at(collection.seal(2))) == sorted(numbered(0, 30)["chunk_id"])


def test_recovering_to_nothing_empties_the_collection(collection: Collection) -> None:
    built(collection, 1, 0, 5)
    collection.recover(None)
    collection.recover(None)
    assert collection.at(collection.seal(2)).count() == 0


def test_rollback_and_another_build_on_top(collection: Collection) -> None:
    first = built(collection, 1, 0, 20)
    before = seen(collection.at(first))
    second = built(collection, 2, 20, 40, [*numbered(0, 10)["chunk_id"]])
    assert seen(collection.at(first)) == before
    collection.recover(first)
    third = built(collection, 3, 40, 50)
    assert ids(collection.at(third)) == sorted([*numbered(0, 20)["chunk_id"], *numbered(40, 50)["chunk_id"]])
    assert ids(collection.at(second)) == sorted(numbered(10, 40)["chunk_id"])


def test_gc_keeps_what_is_kept_and_no_more(collection: Collection) -> None:
    snapshots = [built(collection, n, n * 10, n * 10 + 10) for n in range(4)]
    before = seen(collection.at(snapshots[2]))
    collection.gc(snapshots[2:])
    assert seen(collection.at(snapshots[2])) == before
    assert collection.at(snapshots[3]).count() == 40
    for gone in snapshots[:2]:
        with pytest.raises(Damaged, match="no snapshot"):
            collection.at(gone)
    collection.recover(snapshots[3])
    assert collection.at(built(collection, 4, 40, 50)).count() == 50


def test_many_deletions_in_one_call(collection: Collection) -> None:
    rows = document("big.md", [f"part {n}" for n in range(12_000)])
    collection.stage(1, rows, np.random.default_rng(0).standard_normal((12_000, DIMENSION)).astype(np.float32), [])
    first = collection.seal(1)
    collection.stage(2, rows.head(0), np.empty((0, DIMENSION), np.float32), [*rows["chunk_id"][:11_000]])
    second = collection.at(collection.seal(2))
    assert ids(second) == sorted(rows["chunk_id"][11_000:])
    assert collection.at(first).count() == 12_000


def test_a_pinned_reader_sees_the_same_while_others_write(collection: Collection) -> None:
    first = built(collection, 1, 0, 100)
    before, done, wrong = seen(collection.at(first)), Event(), []

    def read() -> None:
        reader = collection.at(first)
        while not done.is_set():
            if seen(reader) != before or seen(collection.at(first)) != before:
                wrong.append(True)

    thread = Thread(target=read)
    thread.start()
    try:
        for n in range(2, 6):
            sealed = built(collection, n, n * 100, n * 100 + 100, [*numbered((n - 2) * 20, (n - 1) * 20)["chunk_id"]])
            collection.gc([first, sealed])
    finally:
        done.set()
        thread.join()
    assert not wrong


@pytest.mark.parametrize("value", [np.nan, np.inf, 0.0])
def test_a_vector_without_a_direction_is_refused_and_nothing_written(collection: Collection, value: float) -> None:
    rows = numbered(0, 3)
    broken = np.vstack([vectors(rows)[:2], np.full((1, DIMENSION), value, np.float32)])
    with pytest.raises(ValueError, match=rows["chunk_id"].iloc[2]):
        collection.stage(1, rows, broken, [])
    with pytest.raises(ValueError, match="shape"):
        collection.stage(1, rows, vectors(rows)[:, :4], [])
    with pytest.raises(ValueError, match="shape"):
        collection.at(collection.seal(1)).vector(ONE[:4], 3)
    assert collection.at(collection.seal(1)).count() == 0


def test_what_is_missing_is_damage_with_a_hint(store: Store, collection: Collection, tmp_path: Path) -> None:
    sealed = built(collection, 1, 0, 3)
    with pytest.raises(Damaged, match="kb repair"):
        collection.at("987654")
    with pytest.raises(Damaged, match="kb repair"):
        collection.recover("987654")
    store.drop("kb_test", tmp_path)
    store.drop("kb_test", tmp_path)
    with pytest.raises(Damaged, match="kb repair"):
        collection.at(sealed)
    anew = store.open("kb_test", DIMENSION, tmp_path)
    with pytest.raises(Damaged, match="kb repair"):
        anew.at(sealed)


def test_opening_again_finds_what_is_there(store: Store, collection: Collection, tmp_path: Path) -> None:
    sealed = built(collection, 1, 0, 3)
    assert store.open("kb_test", DIMENSION, tmp_path).at(sealed).count() == 3
    with pytest.raises(Damaged, match="dimension"):
        store.open("kb_test", DIMENSION + 1, tmp_path)
