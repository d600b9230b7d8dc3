"""What every vector store must do, whatever it is made of: forgetting a document in every
snapshot.
"""

from threading import Event, Thread

import numpy as np
import pytest

from llmops.tasks.errors import Damaged
from llmops.tasks.plugins.stores import StoreCollection
from tests.plugins.stores.rows import (
    DIMENSION,
    assert_as_it_was,
    built,
    document,
    ids,
    numbered,
    seen,
    vectors,
)

SECRET = "Zanzibar harbours the unmentionable"


def stage(
    collection: StoreCollection, version: int, *texts: str, retire: tuple[str, ...] = ()
) -> str:
    rows = document("secret.md", texts)
    collection.stage(version, rows, vectors(rows), retire)
    return collection.seal(version)


@pytest.fixture
def snapshots(collection: StoreCollection) -> list[str]:
    """Of three versions: without the document, with it, with it changed; each has rows of others,
    too.
    """
    first = built(collection, 1, 0, 300)
    rows = document("secret.md", [SECRET, f"{SECRET} twice"])
    collection.stage(2, rows, vectors(rows), [])
    second = built(collection, 2, 300, 310, [*numbered(0, 5)["chunk_id"]])
    return [first, second, stage(collection, 3, f"{SECRET} changed", retire=(*rows["chunk_id"],))]


def erase(collection: StoreCollection, keep: list[str]) -> None:
    collection.erase([document("secret.md", [SECRET])["doc_id"].iloc[0]], keep)


@pytest.mark.slow
def test_an_erased_document_is_in_no_snapshot_and_the_others_are_whole(
    collection: StoreCollection, snapshots: list[str]
) -> None:
    erase(collection, snapshots)
    wanted = [numbered(0, 300), numbered(5, 310), numbered(5, 310)]
    for snapshot, rows in zip(snapshots, wanted, strict=True):
        reader = collection.at(snapshot)
        assert ids(reader) == sorted(rows["chunk_id"])
        assert reader.text(["zanzibar"], 5).empty
        assert "secret.md" not in set(
            reader.vector(vectors(document("secret.md", [SECRET]))[0], 400)["uri"]
        )
        assert reader.text(["number7"], 1)["uri"].iloc[0] == "doc-000007.md"


def test_what_is_not_kept_is_gone_and_erasing_again_is_harmless(
    collection: StoreCollection, snapshots: list[str]
) -> None:
    erase(collection, snapshots[1:])
    erase(collection, snapshots[1:])
    with pytest.raises(Damaged, match="no snapshot"):
        collection.at(snapshots[0])
    assert ids(collection.at(snapshots[2])) == sorted(numbered(5, 310)["chunk_id"])


@pytest.mark.slow
def test_builds_rollback_and_gc_go_on_after_an_erasure(
    collection: StoreCollection, snapshots: list[str]
) -> None:
    erase(collection, snapshots)
    assert collection.unpublished(snapshots[2]) == 0
    collection.recover(snapshots[0])
    fourth = built(collection, 4, 400, 410)
    assert ids(collection.at(fourth)) == sorted(
        [*numbered(0, 300)["chunk_id"], *numbered(400, 410)["chunk_id"]]
    )
    collection.gc([snapshots[1], fourth])
    assert_as_it_was(collection, snapshots[1], [*numbered(5, 310)["chunk_id"]])
    assert fourth not in snapshots


def test_the_only_document_may_be_erased(collection: StoreCollection) -> None:
    snapshot = stage(collection, 1, SECRET)
    erase(collection, [snapshot])
    assert collection.at(snapshot).count() == 0
    assert collection.at(snapshot).vector(np.eye(1, DIMENSION, dtype=np.float32)[0], 3).empty
    erase(collection, [])


@pytest.mark.slow
def test_readers_that_were_pinned_before_go_on(
    collection: StoreCollection, snapshots: list[str]
) -> None:
    reader = collection.at(snapshots[2])
    before, done, wrong = seen(reader)[:10], Event(), list[object]()

    def read() -> None:
        while not done.is_set():
            found = seen(reader)
            if found[:10] != before or "number7" not in reader.text(["number7"], 1)["text"].iloc[0]:
                wrong.append(found)

    threads = [Thread(target=read) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        erase(collection, snapshots)
        after = reader.text(["zanzibar"], 3)
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert not wrong
    assert after.empty
