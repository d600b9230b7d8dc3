"""What LanceDB adds to the contract: versions that are not made without need, and indexes at a
bounded cost.
"""

import threading
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from llmops.tasks.errors import Damaged, Unavailable
from llmops.tasks.filters import Compare, Not
from llmops.tasks.plugins.stores import RankedRow, StoreReader, lancedb
from llmops.tasks.plugins.stores._frames import ranked
from llmops.tasks.plugins.stores.lancedb import LanceDBCollection, LanceDBStore, full_text
from llmops.tasks.plugins.stores.lancedb.calls import guarded, retried, tags_of
from llmops.tasks.plugins.stores.lancedb.held import SEARCHES, Pinned
from llmops.tasks.plugins.stores.lancedb.reader import LanceDBReader
from llmops.tasks.texts.terms import analyse
from tests.plugins.stores.rows import DIMENSION, document, numbered, vectors

POINT = vectors(numbered(9_000, 9_001))[0]


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


def drawn(first: int, last: int) -> pd.DataFrame:
    """Documents of texts of several lengths, in English and Chinese, with repeated words."""
    random = np.random.default_rng(first)
    words = ["apple", "pear", "plum", "the", "the", "the", "the", "东京塔", "高", "kiwi's", "C++"]
    parts = [
        document(f"doc-{n:06}.md", [" ".join(random.choice(words, 1 + n % 23)), f"number{n}"])
        for n in range(first, last)
    ]
    return pd.concat(parts, ignore_index=True)


@pytest.mark.slow
def test_full_text_counts_the_rows_of_a_version_and_no_others(
    collection: LanceDBCollection, tmp_path: Path
) -> None:
    """After a change as after a build from nothing, from the table as from memory."""
    first, second = drawn(0, 150), drawn(150, 155)
    collection.stage(1, first, vectors(first), [])
    collection.seal(1)
    collection.stage(2, second, vectors(second), [*first["chunk_id"][:8]])
    sealed = collection.seal(2)
    rows = pd.concat([first[8:], second], ignore_index=True)
    whole = LanceDBStore().open("whole", DIMENSION, tmp_path)
    whole.stage(1, rows, vectors(rows), [])
    built = warm(whole.at(whole.seal(1)))
    changed = warm(collection.at(sealed))
    assert isinstance(changed, LanceDBReader)
    assert changed._pinned.terms() is not None
    questions = ["the apple", "number152", "东京 plum the the", "kiwi's C++", "高 number3", "none"]
    conditions = [None, Compare("ordinal", "integer", "=", 0), Compare("uri", "text", ">", "doc-1")]
    for question, where, k in product(questions, conditions, (1, 7, 400)):
        terms = analyse(question)
        scored = collection.at(sealed).text(terms, k, where)  # its first search asks the table
        for reader in (changed, built):
            found = reader.text(terms, k, where)
            assert [*found["score"]] == pytest.approx([*scored["score"]], rel=1e-6)
            if k == 400:
                assert {*found["chunk_id"]} == {*scored["chunk_id"]}


def test_terms_that_lance_counts_otherwise_are_not_held(collection: LanceDBCollection) -> None:
    """As in a home of an earlier release, whose index knew rows that are deleted."""
    stage(collection, 0, 60)
    table = collection._open()
    assert Pinned(table, 2**28).terms() is not None
    table.delete("uri = 'doc-000007.md'")
    assert Pinned(table, 2**28).terms() is None
    table.create_index("terms", config=full_text())
    assert Pinned(table, 2**28).terms() is not None
    rows = numbered(60, 61)
    collection.stage(1, rows, vectors(rows), [])
    assert Pinned(collection._open(), 2**28).terms() is None


@pytest.mark.slow
def test_beyond_many_rows_small_changes_leave_the_index_alone(
    collection: LanceDBCollection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lancedb, "WHOLE_ROWS", 400)
    stage(collection, 0, 500)
    sealed = stage(collection, 500, 505)
    stats = collection._open().index_stats("terms_idx")
    assert stats is not None
    assert stats.num_unindexed_rows == 5
    assert collection.at(sealed).text(["common", "number502"], 5)["uri"][0] == "doc-000502.md"
    stage(collection, 505, 600)
    stats = collection._open().index_stats("terms_idx")
    assert stats is not None
    assert stats.num_unindexed_rows == 0


def test_columns_that_are_held_are_read_as_from_the_table(collection: LanceDBCollection) -> None:
    rows = document("a.md", ["one", "two"], title="A")
    rows = pd.concat([rows, numbered(0, 40), document("b.md", ["three"])], ignore_index=True)
    collection.stage(1, rows, vectors(rows), [])
    sealed = collection.seal(1)
    columns = ("uri", "text", "title", "page", "headings")
    held, plain = collection.at(sealed), collection.at(sealed)
    assert isinstance(held, LanceDBReader)
    held.hold(columns)
    warm(held)
    row_id = held.near(POINT, 1)[0].place[1]
    assert held._pinned.texts(columns[1:], [row_id]) is not None
    assert held._pinned.texts(("metadata",), [row_id]) is None
    for asked in (columns, ("chunk_id", "score"), (*columns, "metadata")):
        names = [name for name in asked if name != "score"]
        found = [
            reader.passages(lambda reader=reader: reader.near(POINT, 43), names)  # type: ignore[misc]
            for reader in (held, plain)
        ]
        assert found[0] == found[1]
        assert len(found[0]) == 43
    assert {row["title"] for row in found[0]} == {"A", None}


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

    assert ranked(fetch, 3)["uri"].to_pylist() == ["u000", "u001", "u002"]
    assert asked == [19, 76, 304]


def warm(reader: StoreReader) -> StoreReader:
    """A reader that answers from memory."""
    for number in range(SEARCHES + 1):
        reader.near(POINT, number + 1)
    return reader


def test_what_was_erased_is_not_found_by_a_reader_that_holds_it_in_memory(
    collection: LanceDBCollection,
) -> None:
    sealed = stage(collection, 0, 40)
    reader, where = warm(collection.at(sealed)), Not(Compare("uri", "text", "=", "doc-000039.md"))
    first = reader.vector(POINT, 1, where)
    collection.erase([*first["doc_id"]], [sealed])
    for found in (reader.vector(POINT, 40, where), reader.text(["common"], 40, where)):
        assert first["uri"][0] not in [*found["uri"]]
        assert len(found) == 38


def test_rows_are_chosen_again_when_an_erasure_comes_before_they_are_read(
    collection: LanceDBCollection,
) -> None:
    sealed = stage(collection, 0, 40)
    reader, chosen = warm(collection.at(sealed)), []

    def choose() -> list[RankedRow]:
        chosen.append(reader.near(POINT, 5))
        if len(chosen) == 1:
            collection.erase([chosen[0][0].doc_id], [sealed])
        return chosen[-1]

    rows = reader.whole(choose)
    assert len(chosen) == 2
    assert [*rows["uri"]] == [hit.uri for hit in chosen[1]]
    assert [hit.uri for hit in chosen[0][1:]] == [*rows["uri"]][:4]


class TaggedTable:
    """A table whose tags are listed while a writer takes one of them away, so many times."""

    def __init__(self, message: str, times: int) -> None:
        self.tags, self._message, self.left = self, message, times

    def list(self) -> dict[str, dict[str, int]]:
        if self.left:
            self.left -= 1
            raise RuntimeError(self._message)
        return {"sealed-1": {"version": 7}}


def test_a_tag_that_a_writer_takes_away_while_they_are_listed_is_no_damage() -> None:
    vanished = "lance error: Not found: x.lance/_refs/tags/restored-9.json"
    table: Any = TaggedTable(vanished, 2)
    assert tags_of(table) == {"sealed-1": 7}
    for message, times in ((vanished, 100), ("lance error: Not found: x.lance/data/1.lance", 1)):
        broken: Any = TaggedTable(message, times)
        with pytest.raises(RuntimeError, match="Not found"):
            tags_of(broken)
