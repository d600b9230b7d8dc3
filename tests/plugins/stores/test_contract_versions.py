"""What every vector store must do, whatever it is made of: versions, crashes, rollback."""

from threading import Event, Thread

import pytest

from llmops.tasks.errors import Damaged
from llmops.tasks.plugins.stores import StoreCollection
from tests.plugins.stores.rows import assert_as_it_was, built, ids, numbered, seen, vectors


def test_staging_again_after_a_crash_leaves_no_duplicates(collection: StoreCollection) -> None:
    first = built(collection, 1, 0, 10)
    rows = numbered(10, 20)
    collection.stage(2, rows, vectors(rows), ["gone"])
    collection.recover(first)
    collection.stage(2, rows, vectors(rows), [])
    assert ids(collection.at(collection.seal(2))) == sorted(numbered(0, 20)["chunk_id"])


def test_what_was_staged_but_never_sealed_is_recovered_away(collection: StoreCollection) -> None:
    first = built(collection, 1, 0, 30)
    before = seen(collection.at(first))
    rows = numbered(30, 60)
    collection.stage(2, rows, vectors(rows), [*numbered(0, 5)["chunk_id"]])
    collection.recover(first)
    collection.recover(first)
    assert seen(collection.at(first)) == before
    assert ids(collection.at(collection.seal(2))) == sorted(numbered(0, 30)["chunk_id"])


def test_recovering_to_nothing_empties_the_collection(collection: StoreCollection) -> None:
    built(collection, 1, 0, 5)
    collection.recover(None)
    collection.recover(None)
    assert collection.at(collection.seal(2)).count() == 0


def test_rollback_and_another_build_on_top(collection: StoreCollection) -> None:
    first = built(collection, 1, 0, 20)
    before = seen(collection.at(first))
    second = built(collection, 2, 20, 40, [*numbered(0, 10)["chunk_id"]])
    assert seen(collection.at(first)) == before
    collection.recover(first)
    third = built(collection, 3, 40, 50)
    assert ids(collection.at(third)) == sorted(
        [*numbered(0, 20)["chunk_id"], *numbered(40, 50)["chunk_id"]]
    )
    assert_as_it_was(collection, second, [*numbered(10, 40)["chunk_id"]])


def test_a_reader_of_a_version_that_is_taken_back_never_sees_a_mix(
    collection: StoreCollection,
) -> None:
    first = built(collection, 1, 0, 20)
    reader = collection.at(built(collection, 2, 20, 40, [*numbered(0, 10)["chunk_id"]]))
    before, wanted = seen(reader), ids(reader)
    collection.recover(first)
    built(collection, 3, 40, 50)
    for look, expected in ((seen, before), (ids, wanted)):
        try:
            found: object = look(reader)
        except Damaged:
            continue
        assert found == expected


def test_gc_keeps_what_is_kept_and_no_more(collection: StoreCollection) -> None:
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


@pytest.mark.slow
def test_a_pinned_reader_sees_the_same_while_others_write(collection: StoreCollection) -> None:
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
            sealed = built(
                collection,
                n,
                n * 100,
                n * 100 + 100,
                [*numbered((n - 2) * 20, (n - 1) * 20)["chunk_id"]],
            )
            collection.gc([first, sealed])
    finally:
        done.set()
        thread.join()
    assert not wrong
