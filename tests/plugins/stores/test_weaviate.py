"""What Weaviate adds to the contract: options, messages of bounded size, partial failures, and what
people do to a server by hand.
"""

import gc
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pydantic import ValidationError

from llmops.tasks.errors import Damaged, Unavailable
from llmops.tasks.plugins.embedders.hash import HashEmbedder
from llmops.tasks.plugins.stores import ROWS, StoreCollection
from llmops.tasks.plugins.stores.weaviate import WeaviateStore
from llmops.tasks.plugins.stores.weaviate.reader import WeaviateReader
from llmops.tasks.plugins.stores.weaviate.rows import class_name
from llmops.tasks.plugins.stores.weaviate.write import batches, insert
from llmops.tasks.retrieval.hybrid import Searcher
from tests.plugins.stores.rows import DIMENSION, built, document, ids, numbered, seen, vectors


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"url": "ftp://host"}, "http://127.0.0.1:8080"),
        ({"url": "http://host/path"}, "without path"),
        ({"url": "http://host:99999"}, "port"),
        ({"url": "http://me:secret@host"}, "password"),
        ({"api_key": "a", "bearer_token": "b"}, "one of them"),
        ({"api_key": " "}, "empty"),
        ({"quantization": "pq"}, "'none', 'rq', 'sq' or 'bq'"),
        ({"replication": 0}, "greater than or equal to 1"),
        ({"tenant": "a"}, "Extra"),
    ],
)
def test_mistakes_in_the_options_are_named(options: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError) as found:
        WeaviateStore.model_validate(options)
    assert says in str(found.value)


def test_keys_and_times_may_change_without_a_new_collection_but_places_may_not() -> None:
    plain = WeaviateStore()
    assert (
        plain.fingerprint()
        == WeaviateStore(api_key="new", timeout=1, headers={"x": "y"}).fingerprint()
    )
    assert (
        len(
            {
                plain.fingerprint(),
                WeaviateStore(url="http://other:8080").fingerprint(),
                WeaviateStore(quantization="rq").fingerprint(),
                WeaviateStore(replication=3).fingerprint(),
            }
        )
        == 4
    )
    assert (
        "new"
        not in repr(WeaviateStore(api_key="new")) + WeaviateStore(api_key="new").model_dump_json()
    )


def test_connections_are_closed_when_the_process_ends(
    weaviate_options: dict[str, Any], tmp_path: Path
) -> None:
    code = (
        f"from pathlib import Path\nfrom llmops.tasks.plugins import Spec\nfrom "
        f"llmops.tasks.plugins.stores import Store\n"
        f"store = Spec(name='weaviate', options={weaviate_options!r}).build(Store)\n"
        f"store.open('kb_end', 8, Path('.')); store.drop('kb_end', Path('.'))\n"
    )
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-W", "ignore::DeprecationWarning", "-c", code],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, "")


def answer(*failing: int) -> Any:
    return SimpleNamespace(
        errors={n: SimpleNamespace(message="shard is read-only") for n in failing}
    )


@pytest.mark.slow
def test_only_what_failed_is_sent_again() -> None:
    sent: list[list[str]] = []
    answers = iter([answer(1, 3), answer(0), answer()])

    def send(objects: list[str]) -> Any:
        sent.append(objects)
        return next(answers)

    insert(send, ["a", "b", "c", "d"], "the collection")
    assert sent == [["a", "b", "c", "d"], ["b", "d"], ["b"]]


@pytest.mark.slow
def test_what_fails_for_ever_is_named_and_what_cannot_succeed_is_not_repeated() -> None:
    with pytest.raises(Unavailable, match="did not store 1 of 2 rows: shard is read-only"):
        insert(lambda objects: answer(0), ["a", "b"], "the collection")
    calls: list[int] = []

    def refuse(objects: list[str]) -> Any:
        calls.append(len(objects))
        return SimpleNamespace(
            errors={
                0: SimpleNamespace(message="vector dimensions do not match the index dimensions")
            }
        )

    with pytest.raises(Damaged, match="refuses 1 of 2 rows"):
        insert(refuse, ["a", "b"], "the collection")
    assert calls == [2]


@pytest.mark.slow
def test_batches_are_bounded_by_number_and_bytes() -> None:
    def objects(count: int, text: str) -> list[Any]:
        return [SimpleNamespace(properties={"uri": "a", "text": text}) for _ in range(count)]

    assert [len(part) for part in batches(objects(2_500, "short"), 8)] == [1_000, 1_000, 500]
    assert [len(part) for part in batches(objects(5, "x" * 20_000_000), 8)] == [2, 2, 1]
    assert [len(part) for part in batches(objects(100, "x"), 1_000_000)] == [11] * 9 + [1]
    with pytest.raises(ValueError, match="100 million"):
        list(batches(objects(1, "x" * 100_000_000), 8))


@pytest.mark.slow
def test_a_part_of_a_batch_that_a_server_refuses_leaves_the_rest(
    weaviate_options: dict[str, Any], name: str, tmp_path: Path
) -> None:
    """A vector of another dimension, sent past the checks that keep it out."""
    store = WeaviateStore.model_validate(weaviate_options)
    collection: Any = store.open(f"{name}-part", DIMENSION, tmp_path)
    try:
        rows = numbered(0, 5)
        listed = pa.Table.from_pandas(rows, schema=ROWS, preserve_index=False).to_pylist()
        objects = collection._objects(listed, vectors(rows), 1)
        insert(collection._read.data.insert_many, objects[:1], "the collection")
        objects[3].vector = [1.0, 2.0]
        with pytest.raises(Damaged, match="refuses 1 of 4 rows"):
            insert(collection._read.data.insert_many, objects[1:], "the collection")
        assert collection._rows.total() == 4
    finally:
        store.drop(f"{name}-part", tmp_path)


@pytest.mark.slow
def test_a_collection_made_anew_by_hand_is_damage_and_strangers_are_told_and_removed(
    weaviate_options: dict[str, Any], name: str, tmp_path: Path
) -> None:
    from weaviate.classes.data import DataObject

    store = WeaviateStore.model_validate(weaviate_options)
    collection: Any = store.open(f"{name}-hand", DIMENSION, tmp_path)
    try:
        sealed = built(collection, 1, 0, 20)
        collection._read.data.insert_many(
            [
                DataObject(
                    properties={"chunk_id": "foreign", "text": "number3"}, vector=[1.0] * DIMENSION
                )
            ]
        )
        assert collection.unpublished(sealed) == 1
        assert "foreign" not in ids(collection.at(sealed))
        collection.recover(sealed)
        assert collection.unpublished(sealed) == 0
        some = next(iter(collection._read.iterator(return_properties=["chunk_id", "valid_from"])))
        if some.properties["valid_from"] is not None:
            collection._read.data.delete_by_id(some.uuid)
            assert collection.unpublished(sealed) == 1
        collection._client.collections.delete(class_name(f"{name}-hand"))
        with pytest.raises(Damaged, match="llmops index"):
            collection.at(sealed)
        anew = store.open(f"{name}-hand", DIMENSION, tmp_path)
        with pytest.raises(Damaged, match="no snapshot"):
            anew.at(sealed)
    finally:
        store.drop(f"{name}-hand", tmp_path)


@pytest.mark.slow
def test_a_pinned_text_search_keeps_its_scores_while_1_000_rows_change(
    weaviate_options: dict[str, Any], name: str, tmp_path: Path
) -> None:
    store = WeaviateStore.model_validate({**weaviate_options, "text_scores": "snapshot"})
    collection = store.open(f"{name}-pinned", DIMENSION, tmp_path)
    try:
        first = built(collection, 1, 0, 600)
        before = seen(collection.at(first))
        gone, rows = [*numbered(0, 500)["chunk_id"]], numbered(600, 1_100, word="other")
        collection.stage(2, rows, vectors(rows), gone)
        assert seen(collection.at(first)) == before
        second = collection.at(collection.seal(2))
        fresh = store.open(f"{name}-fresh", DIMENSION, tmp_path)
        fresh.stage(1, numbered(500, 600), vectors(numbered(500, 600)), [])
        fresh.stage(1, rows, vectors(rows), [])
        same = fresh.at(fresh.seal(1))
        for terms in (["number550"], ["common", "number700"], ["other", "text"]):
            assert same.text(terms, 20)[["uri", "score"]].equals(
                second.text(terms, 20)[["uri", "score"]]
            )
    finally:
        store.drop(f"{name}-pinned", tmp_path)
        store.drop(f"{name}-fresh", tmp_path)
        gc.collect()  # a client that nobody closed would warn here


def test_the_servers_scores_are_near_those_of_the_snapshot(
    weaviate_options: dict[str, Any], name: str, tmp_path: Path
) -> None:
    stores = [
        WeaviateStore.model_validate({**weaviate_options, "text_scores": scores})
        for scores in ("server", "snapshot")
    ]
    served, exact = (store.open(f"{name}-served", DIMENSION, tmp_path) for store in stores)
    try:
        first = built(served, 1, 0, 400)
        for terms in (["number50"], ["common", "number70", "number70"], []):
            ours, theirs = (one.at(first).text(terms, 400) for one in (exact, served))
            assert len(ours) == len(theirs)
            assert ours["uri"].tolist() == theirs["uri"].tolist()
            assert np.allclose(ours["score"], theirs["score"], rtol=5e-3, atol=0.01)
        gone = [*numbered(0, 20)["chunk_id"]]
        served.stage(2, numbered(400, 420), vectors(numbered(400, 420)), gone)
        second = served.seal(2)
        ours, theirs = (
            one.at(second).text(["common", "number300"], 500) for one in (exact, served)
        )
        assert {*ours["chunk_id"]} == {*theirs["chunk_id"]}
        assert not {*theirs["chunk_id"]} & {*gone}
        assert np.allclose(ours["score"].max(), theirs["score"].max(), rtol=0.1)
    finally:
        stores[0].drop(f"{name}-served", tmp_path)
        gc.collect()


def test_a_search_asks_once_whether_its_snapshot_is_kept(
    weaviate_options: dict[str, Any], name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = WeaviateStore.model_validate(weaviate_options)
    collection = store.open(f"{name}-asked", DIMENSION, tmp_path)
    try:
        first = built(collection, 1, 0, 40)
        reader, searches = collection.at(first), []
        searcher, point = Searcher(reader, HashEmbedder(), 0.5), vectors(numbered(7, 8))[0]
        confirm = WeaviateReader._confirm

        def counted(self: WeaviateReader) -> None:
            searches.append(first)
            confirm(self)

        monkeypatch.setattr(WeaviateReader, "_confirm", counted)
        assert len(searcher.passages("common number7", 5, vector=point)) == 5
        assert len(searches) == 1
        reader.near(vectors(numbered(0, 1))[0], 3)
        assert len(searches) == 2
        second = built(collection, 2, 40, 60)
        collection.gc([second])
        with pytest.raises(Damaged, match="no snapshot"):
            searcher.passages("common number7", 5, vector=point)
    finally:
        store.drop(f"{name}-asked", tmp_path)
        gc.collect()


def test_a_quantised_collection_keeps_the_contract(
    weaviate_options: dict[str, Any], name: str, tmp_path: Path
) -> None:
    store = WeaviateStore.model_validate({**weaviate_options, "quantization": "rq"})
    collection: StoreCollection = store.open(f"{name}-rq", DIMENSION, tmp_path)
    try:
        rows = document("a.md", [f"part {n}" for n in range(60)])
        collection.stage(1, rows, vectors(rows), [])
        found = collection.at(collection.seal(1)).vector(vectors(rows)[17], 60)
        assert found["ordinal"].iloc[0] == 17
        assert np.allclose(
            found["score"], np.sort(vectors(rows) @ vectors(rows)[17])[::-1], atol=1e-2
        )
    finally:
        store.drop(f"{name}-rq", tmp_path)
