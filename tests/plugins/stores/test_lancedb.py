"""What LanceDB adds to the contract: versions that are not made without need, and indexes at a
bounded cost.
"""

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from llmops.tasks.errors import Damaged, Unavailable
from llmops.tasks.plugins.stores._frames import ranked
from llmops.tasks.plugins.stores.lancedb import LanceDBCollection, LanceDBStore
from llmops.tasks.plugins.stores.lancedb.calls import guarded, retried
from tests.plugins.stores.rows import DIMENSION, numbered, vectors


@pytest.fixture
def collection(tmp_path: Path) -> LanceDBCollection:
    opened = LanceDBStore().open("kb", DIMENSION, tmp_path)
    assert isinstance(opened, LanceDBCollection)
    return opened


def stage(collection: LanceDBCollection, first: int, last: int) -> str:
    rows = numbered(first, last)
    collection.stage(1, rows, vectors(rows), [])
    return collection.seal(1)


def test_the_table_lies_in_the_home_or_where_uri_says(
    tmp_path: Path, collection: LanceDBCollection
) -> None:
    assert (tmp_path / "lancedb" / "kb.lance").is_dir()
    LanceDBStore(uri=str(tmp_path / "elsewhere")).open("kb", DIMENSION, tmp_path)
    assert (tmp_path / "elsewhere" / "kb.lance").is_dir()


def test_recovering_twice_makes_no_new_version(collection: LanceDBCollection) -> None:
    sealed = stage(collection, 0, 10)
    collection.recover(sealed)
    assert collection._open().version == int(sealed)
    stage(collection, 10, 20)
    collection.recover(sealed)
    once = collection._open().version
    collection.recover(sealed)
    assert collection._open().version == once
    collection.gc([sealed])
    after = collection._open().version
    collection.recover(sealed)
    assert collection._open().version == after


def test_sealing_what_is_sealed_gives_the_same_snapshot(collection: LanceDBCollection) -> None:
    sealed = stage(collection, 0, 10)
    assert collection.seal(2) == sealed


@pytest.mark.slow
def test_a_small_change_leaves_the_index_alone_and_is_ranked_right(
    collection: LanceDBCollection,
) -> None:
    stage(collection, 0, 500)
    sealed = stage(collection, 500, 505)
    assert collection._open().index_stats("terms_idx").num_unindexed_rows == 5  # type: ignore[union-attr]
    found = collection.at(sealed).text(["common", "number502"], 5)
    assert found["uri"].iloc[0] == "doc-000502.md"
    whole = LanceDBStore().open("whole", DIMENSION, Path(collection._database.uri).parent)
    rows = numbered(0, 505)
    whole.stage(1, rows, vectors(rows), [])
    exact = whole.at(whole.seal(1)).text(["common", "number502"], 5)
    assert found["score"].iloc[0] == pytest.approx(exact["score"].iloc[0], rel=0.01)


@pytest.mark.slow
def test_a_large_change_goes_into_the_index(collection: LanceDBCollection) -> None:
    stage(collection, 0, 100)
    stage(collection, 100, 200)
    stats = collection._open().index_stats("terms_idx")
    assert stats is not None
    assert (stats.num_indexed_rows, stats.num_unindexed_rows) == (200, 0)


@pytest.mark.slow
def test_gc_frees_the_disk(collection: LanceDBCollection, tmp_path: Path) -> None:
    first = stage(collection, 0, 2_000)
    collection.stage(
        2, numbered(0, 0), np.empty((0, DIMENSION), np.float32), [*numbered(10, 2_000)["chunk_id"]]
    )
    second = collection.seal(2)

    def size() -> int:
        return sum(
            file.stat().st_size for file in (tmp_path / "lancedb").rglob("*") if file.is_file()
        )

    collection.gc([first, second])
    before = size()
    collection.gc([second])
    assert size() < before / 2
    assert collection.at(second).count() == 10


def test_two_writers_conflict_but_both_succeed(collection: LanceDBCollection) -> None:
    stage(collection, 0, 50)
    parts = [numbered(n, n + 10) for n in range(100, 180, 10)]
    threads = [
        threading.Thread(target=collection.stage, args=(2, part, vectors(part), []))
        for part in parts
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert collection.at(collection.seal(2)).count() == 130


class Refreshed:
    def __init__(self) -> None:
        self.times = 0

    def checkout_latest(self) -> None:
        self.times += 1


def test_a_conflict_is_tried_again_from_the_newest_version(monkeypatch: pytest.MonkeyPatch) -> None:
    table, calls = (
        Refreshed(),
        iter([RuntimeError("Retryable commit conflict for version 7"), None]),
    )

    def write() -> str:
        if error := next(calls):
            raise error
        return "written"

    assert retried(table, "the table", write) == "written"
    assert table.times == 1


def test_an_endless_conflict_is_unavailable_and_other_errors_are_not_repeated(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        "llmops.tasks.plugins.stores.lancedb.calls.time.sleep", lambda seconds: None
    )
    table, calls = Refreshed(), []

    def conflict() -> None:
        raise RuntimeError("Commit conflict for version 7: after 20 retries")

    def full() -> None:
        calls.append(1)
        raise OSError("No space left on device")

    with pytest.raises(Unavailable, match="somebody else"):
        retried(table, "the table", conflict)
    assert table.times == 7
    with pytest.raises(Unavailable, match="No space left"):
        retried(table, "the table", full)
    assert len(calls) == 1


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (RuntimeError("lance error: Not found: data/x.lance"), Damaged),
        (ValueError("Table 'kb' was not found"), Damaged),
        (RuntimeError("lance error: connection reset"), Unavailable),
        (RuntimeError("Corrupt file"), Damaged),
    ],
)
def test_errors_are_told_apart(error: Exception, kind: type[Exception]) -> None:
    with pytest.raises(kind), guarded("the table"):
        raise error


def test_ranking_fetches_all_ties_of_the_last_place() -> None:
    import pyarrow as pa

    uris = [f"u{n:03}" for n in range(200)]
    table = pa.table(
        {"score": [1.0] * 200, "uri": uris[::-1], "ordinal": [0] * 200, "chunk_id": uris}
    )
    asked: list[int] = []

    def fetch(limit: int) -> Any:
        asked.append(limit)
        return table.slice(0, limit)

    assert [*ranked(fetch, 3)["uri"]] == ["u000", "u001", "u002"]
    assert asked == [19, 76, 304]


@pytest.mark.slow
def test_vectors_in_memory_give_the_same_as_a_scan(collection: LanceDBCollection) -> None:
    stage(collection, 0, 700)
    sealed = stage(collection, 700, 705)
    reader, points = collection.at(sealed), vectors(numbered(2_000, 2_020))
    for point in points:
        scanned = collection.at(sealed).vector(point, 12)
        pd.testing.assert_frame_equal(scanned, reader.vector(point, 12))
    assert reader._matrix is not None  # type: ignore[attr-defined]
    assert len(reader.vector(points[0], 1_000)) == 705
