"""What a reader of LanceDB holds in memory, and how it searches what it does not hold."""

from itertools import product
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pandas as pd
import psutil
import pytest

from llmops.tasks.errors import Damaged, UsageError
from llmops.tasks.filters import Compare
from llmops.tasks.plugins.stores.lancedb import LanceDBCollection, LanceDBStore, held, memory, scans
from llmops.tasks.plugins.stores.lancedb.held import SEARCHES, Pinned
from llmops.tasks.plugins.stores.lancedb.memory import MEMORY, memory_allowed
from llmops.tasks.plugins.stores.lancedb.postings import Places
from llmops.tasks.plugins.stores.lancedb.reader import LanceDBReader
from llmops.tasks.plugins.stores.lancedb.vectors import HeldVectors, VectorsBatch, cosines
from llmops.tasks.schemas import Vectors
from tests.plugins.stores.rows import DIMENSION, numbered, vectors
from tests.plugins.stores.test_lancedb import collection, stage

__all__ = ["collection"]


def test_memory_is_bounded(collection: LanceDBCollection) -> None:
    stage(collection, 0, 50)
    table = collection._open()

    def asked(most: int) -> Pinned:
        pinned = Pinned(table, most, ["text"])
        for _ in range(SEARCHES):
            assert pinned.keys() is None
        return pinned

    assert asked(100).keys() is None
    keys = asked(100_000).keys()
    assert keys is not None
    codes = 50 * (DIMENSION + 3 * 4)
    full = codes + 50 * DIMENSION * 4
    half = codes + 2 * (full - codes)  # the other half is for terms and texts
    finer, quarter = codes + 50 * DIMENSION, codes + 2 * 50 * DIMENSION
    steps = ((codes - 1, None), (codes, codes), (quarter - 1, codes), (quarter, finer))
    for room, taken in (*steps, (half - 1, finer), (half, full)):
        points = asked(keys.nbytes + room).vectors()
        assert (points and points.nbytes) == taken
    assert asked(keys.nbytes + codes).terms() is None
    row_id = int(keys.row_ids[0])
    for most, there in ((keys.nbytes, False), (100_000, True)):
        pinned = asked(most)
        pinned.keys()
        assert (pinned.texts(["text"], [row_id]) is not None) == there
    for number in range(200):
        keys.mask(Compare("ordinal", "integer", "<", number))
    assert sum(map(len, keys._masks.values())) <= 100_000 // 16


def test_memory_is_what_the_environment_allows(
    collection: LanceDBCollection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = numbered(0, 50)
    rows["uri"] = rows["uri"] + "x" * 30_000  # 1.5 MB of keys
    collection.stage(1, rows, vectors(rows), [])
    snapshot = collection.seal(1)
    lists = []
    for megabytes, there in (("1", False), (" 3 ", True), ("", True)):
        monkeypatch.setenv(MEMORY, megabytes)
        again = LanceDBCollection(collection._database, "kb", collection._schema)
        reader = again.at(snapshot)
        assert isinstance(reader, LanceDBReader)
        for _ in range(SEARCHES):
            reader.near(np.ones(DIMENSION), 5)
        assert (reader._pinned.keys() is not None) == there
        lists.append([hit.chunk_id for hit in reader.near(np.ones(DIMENSION), 5)])
    assert lists[0] == lists[1] == lists[2]
    for wrong in ("0", "-5", "1.5", "much", "²"):
        monkeypatch.setenv(MEMORY, wrong)
        with pytest.raises(UsageError, match=f"{MEMORY} is '{wrong}'; allowed: a whole number"):
            LanceDBStore().open("kb", DIMENSION, tmp_path)


def test_a_container_has_a_sixteenth_of_what_it_may_take(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(MEMORY, raising=False)
    machine = psutil.virtual_memory().total
    limits = tmp_path / "new", tmp_path / "old"
    monkeypatch.setattr(memory, "LIMITS", limits)
    assert memory_allowed() == max(2**28, machine // 16)
    limits[0].write_text("max\n")
    limits[1].write_text(f"{2**63 - 4096}\n")
    assert memory_allowed() == max(2**28, machine // 16)
    limits[1].write_text(f"{min(machine, 2**33)}\n")
    assert memory_allowed() == max(2**28, min(machine, 2**33) // 16)
    limits[0].write_text(f"{2**30}\n")
    assert memory_allowed() == 2**28


def test_a_large_table_is_loaded_beside_the_searches(
    collection: LanceDBCollection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(held, "LOADED_BESIDE", 100)
    sealed, go_on = stage(collection, 0, 120), Event()
    load = HeldVectors.load

    def slowly(*given: Any) -> Any:
        assert go_on.wait(30)
        return load(*given)

    monkeypatch.setattr(HeldVectors, "load", slowly)
    reader, points = collection.at(sealed), vectors(numbered(0, 3))
    assert isinstance(reader, LanceDBReader)
    pinned = reader._pinned
    before = [[hit.chunk_id for hit in reader.near(points[0], 9)] for _ in range(SEARCHES + 3)]
    assert pinned.keys() is None
    assert [found["score"].notna().all() for found in [reader.text(["common"], 5)]] == [True]
    go_on.set()
    assert pinned._loading is not None
    pinned._loading.result(30)
    assert pinned.keys() is not None
    assert pinned.vectors() is not None
    assert [hit.chunk_id for hit in reader.near(points[0], 9)] == before[0] == before[-1]


def test_what_loading_has_raised_is_raised(
    collection: LanceDBCollection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(held, "LOADED_BESIDE", 100)
    sealed = stage(collection, 0, 120)

    def broken(*given: Any) -> Any:
        raise RuntimeError("Not found: a file of the table")

    monkeypatch.setattr(HeldVectors, "load", broken)
    reader = collection.at(sealed)
    assert isinstance(reader, LanceDBReader)
    for _ in range(SEARCHES + 1):
        reader.near(np.ones(DIMENSION), 3)
    pinned = reader._pinned
    assert pinned._loading is not None
    assert isinstance(pinned._loading.exception(30), RuntimeError)
    with pytest.raises(Damaged, match="has lost files"):
        reader.near(np.ones(DIMENSION), 3)


def test_vectors_beyond_memory_are_read_once_for_many_questions(
    collection: LanceDBCollection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scans, "ROWS", 64)  # several parts of a small table
    few = vectors(numbered(0, 25))
    rows = numbered(0, 700)
    for first in range(0, 700, 100):  # equal vectors, so that the order of uris decides
        part = rows.iloc[first : first + 100].reset_index(drop=True)
        collection.stage(1, part, few[np.arange(first, first + 100) % 25], [])
    snapshot = collection.seal(1)
    in_memory = collection.at(snapshot)
    in_memory.near_many(few, 1)  # and the next ones are of memory
    small = LanceDBReader(lambda: collection._pinned(snapshot), "small", most=1)
    asked = np.concatenate([few[:10], vectors(numbered(900, 910))])
    conditions = (
        None,
        Compare("uri", "text", "<", "doc-000031.md"),
        Compare("uri", "text", "=", "no"),
    )
    for where, k in product(conditions, (1, 5, 40, 700, 1_000)):
        found = small.near_many(asked, k, where)
        assert small._pinned.keys() is None
        alone = [small.near(point, k, where) for point in asked]
        for some, one, kept in zip(found, alone, in_memory.near_many(asked, k, where), strict=True):
            wanted = [(hit.chunk_id, hit.score) for hit in one]
            assert [(hit.chunk_id, hit.score) for hit in some] == wanted
            assert [(hit.chunk_id, hit.score) for hit in kept] == wanted
    assert len(found[0]) == 0
    assert small.near_many(asked[:0], 5) == []


@pytest.mark.slow
def test_vectors_in_memory_give_the_same_as_a_scan(collection: LanceDBCollection) -> None:
    stage(collection, 0, 700)
    sealed = stage(collection, 700, 705)
    reader, points = collection.at(sealed), vectors(numbered(2_000, 2_020))
    for point in points:
        scanned = collection.at(sealed).vector(point, 12)
        pd.testing.assert_frame_equal(scanned, reader.vector(point, 12))
    assert len(reader.vector(points[0], 1_000)) == 705


@pytest.mark.parametrize("kind", ["at random", "near each other", "often equal", "few numbers"])
@pytest.mark.parametrize("finer", [False, True])
def test_codes_alone_find_what_comparing_all_vectors_finds(kind: str, *, finer: bool) -> None:
    made = np.random.default_rng(3)
    rows, dimension, k = 3_000, 64, 40
    points = made.standard_normal((rows, dimension), dtype=np.float32)
    if kind == "near each other":
        points = points * np.float32(0.05) + points[:1]
    elif kind == "often equal":
        points[: rows // 2] = points[0]
    elif kind == "few numbers":
        points *= made.random(points.shape) < 0.05
        points[:, 0] += np.float32(0.1)
    read = list[int]()

    def vectors_at(places: Places) -> Vectors:
        read.append(len(places))
        return points[places]

    most = rows * (dimension + 12) + (2 * rows * dimension if finer else 0)
    every = VectorsBatch(np.arange(rows), points)
    held = HeldVectors.load([every], points.shape, most, vectors_at)
    assert held is not None
    for number in range(20):
        point = points[number] + made.standard_normal(dimension, dtype=np.float32)
        mask = made.random(rows) < 0.5 if number % 2 else None
        right = cosines(points.__getitem__, point, np.arange(rows))
        right = np.sort(right if mask is None else right[mask])[-k:]
        ((_, scores),) = held.nearest(point[None], k, mask)
        assert np.array_equal(np.sort(scores)[-k:], right)
    if finer and kind == "at random":
        assert sum(read) < 20 * k * 1.1
