"""What Weaviate adds to the contract: a server that refuses, dies in mid-batch, is restarted, comes
back.
"""

import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from llmops.tasks.errors import Unavailable
from llmops.tasks.plugins.stores.weaviate import WeaviateStore
from tests import weaviate
from tests.plugins.stores.rows import DIMENSION, built, ids, numbered, seen, vectors

KEY = "a-key-of-the-tests"
EXACT = {"text_scores": "snapshot"}  # scores that others do not change are compared
QUICK = {"timeout": 4, "insert_timeout": 6}


@pytest.fixture
def own(tmp_path: Path) -> Iterator[weaviate.Server]:
    """A server that a test may kill."""
    with weaviate.started(tmp_path / "weaviate") as server:
        yield server


def store_of(server: weaviate.Server, **options: Any) -> WeaviateStore:
    return WeaviateStore.model_validate(
        {"url": server.url, "grpc_port": server.grpc_port, **QUICK, **EXACT, **options}
    )


def test_a_server_that_is_not_there_is_named_with_a_hint(tmp_path: Path) -> None:
    port = weaviate._free(1)[0]
    with pytest.raises(
        Unavailable, match=rf"Weaviate at http://127.0.0.1:{port} did not answer.*gRPC port"
    ):
        WeaviateStore(url=f"http://127.0.0.1:{port}", timeout=0.5).open("kb", DIMENSION, tmp_path)


@pytest.mark.slow
def test_a_server_with_a_key_lets_in_who_has_it(tmp_path: Path) -> None:
    with weaviate.started(tmp_path / "weaviate", KEY) as server:
        collection = store_of(server, api_key=KEY).open("kb", DIMENSION, tmp_path)
        assert collection.at(built(collection, 1, 0, 3)).count() == 3
        for wrong in ({}, {"api_key": "another"}, {"bearer_token": "another"}):
            with pytest.raises(
                Unavailable, match=r"refuses the credentials.*WEAVIATE_API_KEY"
            ) as found:
                store_of(server, **wrong).open("kb", DIMENSION, tmp_path)
            assert KEY not in str(found.value)


def killed_while(
    server: weaviate.Server, collection: Any, work: Callable[[], object], after: int
) -> list[BaseException]:
    """Kill a server when it holds so many objects; what the work in another thread came to, once it
    has.
    """
    raised: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except Unavailable as error:
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    while collection._rows.total() < after and thread.is_alive():
        time.sleep(0.005)
    server.kill()
    thread.join()
    return raised


@pytest.mark.slow
def test_a_server_killed_in_mid_batch_ends_the_build_and_the_next_one_starts_clean(
    own: weaviate.Server, tmp_path: Path
) -> None:
    collection: Any = store_of(own).open("kb", DIMENSION, tmp_path)
    first = built(collection, 1, 0, 300)
    before, rows = seen(collection.at(first)), numbered(300, 2_300)
    gone = [*numbered(0, 100)["chunk_id"]]
    raised = killed_while(
        own, collection, lambda: collection.stage(2, rows, vectors(rows), gone), 700
    )
    assert [type(error) for error in raised] == [Unavailable]
    with pytest.raises(Unavailable, match="did not answer"):
        collection.at(first)
    own.start()
    assert seen(collection.at(first)) == before
    with pytest.raises(Unavailable, match=r"the server went away.*run the command again"):
        collection.stage(2, rows, vectors(rows), gone)
    with pytest.raises(Unavailable, match="the server went away"):
        collection.seal(2)
    collection.recover(first)
    assert (seen(collection.at(first)), collection.unpublished(first)) == (before, 0)
    collection.stage(3, rows, vectors(rows), gone)
    second = collection.at(collection.seal(3))
    assert ids(second) == sorted([*numbered(100, 300)["chunk_id"], *rows["chunk_id"]])
    assert second.count() == 2_200
    for n in (0, 500, 1_000, 1_999):
        assert second.vector(vectors(rows)[n], 1)["chunk_id"].iloc[0] == rows["chunk_id"].iloc[n]


@pytest.mark.slow
def test_a_server_that_was_restarted_between_two_calls_is_noticed(
    own: weaviate.Server, tmp_path: Path
) -> None:
    """Also where the client's own second attempt was answered, and nobody saw an error."""
    collection = store_of(own, timeout=30).open("kb", DIMENSION, tmp_path)
    first = built(collection, 1, 0, 50)
    rows = numbered(50, 80)
    collection.stage(2, rows, vectors(rows), [])
    own.kill()
    own.start()
    with pytest.raises(Unavailable, match="the server went away"):
        collection.seal(2)
    collection.recover(first)
    assert ids(collection.at(built(collection, 3, 50, 80))) == sorted(numbered(0, 80)["chunk_id"])


@pytest.mark.slow
def test_readers_wait_for_a_server_that_restarts(own: weaviate.Server, tmp_path: Path) -> None:
    store = store_of(own, timeout=60)
    reader = store.open("kb", DIMENSION, tmp_path).at(
        built(store.open("kb", DIMENSION, tmp_path), 1, 0, 100)
    )
    before = seen(reader)
    own.kill()
    later = threading.Timer(1.5, lambda: own.start(wait=False))
    later.start()
    try:
        assert seen(reader) == before
        assert seen(store.open("kb", DIMENSION, tmp_path).at("1")) == before
    finally:
        later.join()


@pytest.mark.slow
def test_an_undo_after_a_kill_also_removes_what_no_index_names(
    own: weaviate.Server, tmp_path: Path
) -> None:
    """Killed again and again while it stages: readers of the live version never notice, and nothing
    is left over.
    """
    collection: Any = store_of(own).open("kb", DIMENSION, tmp_path)
    live = built(collection, 1, 0, 200)
    before = seen(collection.at(live))
    for turn in range(3):
        rows, gone = numbered(1_000, 2_500, word=f"turn{turn}"), [*numbered(0, 150)["chunk_id"]]
        killed_while(
            own,
            collection,
            partial(collection.stage, 2, rows, vectors(rows), gone),
            250 + 300 * turn,
        )
        own.start()
        assert seen(collection.at(live)) == before
        collection.recover(live)
        assert (ids(collection.at(live)), collection.unpublished(live)) == (
            sorted(numbered(0, 200)["chunk_id"]),
            0,
        )
        assert collection._rows.total() == 202  # the state and one snapshot beside the rows
