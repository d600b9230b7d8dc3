"""Writing to Weaviate: in messages of bounded size, only what failed once more, deletions until
nothing matches. And whether what was written is found: the vector index of a server that died may
lack objects that all else has.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from llmops.tasks.errors import Damaged, Unavailable
from llmops.tasks.plugins.stores._frames import REPAIR
from llmops.tasks.plugins.stores.weaviate.connection import NETWORK, CollectionPlace, guarded
from llmops.tasks.plugins.stores.weaviate.rows import size
from llmops.tasks.plugins.stores.weaviate.state import MOST
from llmops.tasks.plugins.stores.weaviate.where import among

if TYPE_CHECKING:
    from weaviate import WeaviateClient
    from weaviate.collections.classes.batch import BatchObjectReturn
    from weaviate.collections.classes.filters import FilterReturn

    from llmops.tasks.plugins.stores.weaviate.rows import (
        FoundObjects,
        NewObject,
        ObjectCollection,
        StoredObject,
    )


T = TypeVar("T")

MOST_OBJECTS = 1_000
MOST_BYTES = (
    48_000_000  # the server takes 104,858,000, and what is read in one answer has the same limit
)
ATTEMPTS = 4
PAUSE = 0.2
HOPELESS = (
    "dimension",
    "vector length",
    "invalid",
    "no such prop",
    "not found in schema",
    "marshal",
)
SAMPLE = 64
CLOSE = 1e-3  # far above the error of a quantised distance, far below that of two texts


def batches(objects: Sequence["NewObject"], dimension: int) -> Iterator[list["NewObject"]]:
    """The objects in order, as many at a time as a message can take. Raises ValueError for one that
    no message can.
    """
    part: list[NewObject] = []
    held = 0
    for one in objects:
        taken = size(one.properties, dimension)
        if taken > 2 * MOST_BYTES:
            raise ValueError(
                f"a chunk of {one.properties.get('uri')} takes about {taken:,} bytes; "
                f"Weaviate takes 100 million in a message"
            )
        if part and (held + taken > MOST_BYTES or len(part) == MOST_OBJECTS):
            yield part
            part, held = [], 0
        part.append(one)
        held += taken
    if part:
        yield part


def insert(
    send: Callable[[list[T]], "BatchObjectReturn"],
    objects: Sequence[T],
    what: str,
) -> None:
    """Store objects; those that failed, and only those, are sent again. An object that is there is
    replaced.

    Raises Damaged for what will never be taken, Unavailable when some still fail.
    """
    left, messages = list(objects), [""]
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(PAUSE * 2**attempt)
        with guarded(what):
            errors = _sent(send, left)
        if not errors:
            return
        left, messages = [left[n] for n in sorted(errors)], [errors[n] for n in sorted(errors)]
        if all(any(sign in message.lower() for sign in HOPELESS) for message in messages):
            raise Damaged(
                f"{what} refuses {len(left)} of {len(objects)} rows: {messages[0][:300]}",
                hint=REPAIR,
            )
    raise Unavailable(
        f"{what} did not store {len(left)} of {len(objects)} rows: {messages[0][:300]}",
        hint=NETWORK,
    )


def _sent(send: Callable[[list[T]], "BatchObjectReturn"], objects: list[T]) -> dict[int, str]:
    """What was refused, by position. The client raises when that is everything."""
    from weaviate.exceptions import WeaviateInsertManyAllFailedError

    try:
        return {n: str(error.message) for n, error in send(objects).errors.items()}
    except WeaviateInsertManyAllFailedError as error:
        return dict.fromkeys(range(len(objects)), str(error))


def delete(collection: "ObjectCollection", where: "FilterReturn", what: str) -> int:
    """Delete all that fulfil a filter: the server takes 10,000 in a call. Returns how many. Raises
    Unavailable.
    """
    total = idle = 0
    while True:
        with guarded(what):
            deleted = collection.data.delete_many(where=where)
        if deleted.matches == 0:
            return total
        idle = 0 if deleted.successful else idle + 1
        if idle == ATTEMPTS:
            raise Unavailable(f"{what} did not delete {deleted.matches} rows", hint=NETWORK)
        total += deleted.successful


def pages(
    ask: Callable[..., "FoundObjects"], objects: int, place: CollectionPlace
) -> Iterator[list["StoredObject"]]:
    """All objects of a collection in the order of their ids. `ask` is `fetch_objects` with what to
    return; shorter pages where an answer would be longer than a message."""
    after = None
    while True:
        try:
            page = place.patiently(partial(ask, limit=objects, after=after)).objects
        except Unavailable as error:
            if "larger than max" not in str(error).lower() or objects == 1:
                raise
            objects = max(1, objects // 8)
            continue
        if not page:
            return
        yield page
        after = page[-1].uuid


def settle(client: "WeaviateClient", name: str, what: str, seconds: float) -> None:
    """Wait until nothing waits to be indexed, where the server does that behind our back. Raises
    Unavailable.
    """
    end = time.monotonic() + seconds
    while True:
        with guarded(what):
            nodes = client.cluster.nodes(name, output="verbose")
        waiting = sum(
            shard.vector_queue_length or 0 for node in nodes for shard in node.shards or ()
        )
        if not waiting:
            return
        if time.monotonic() > end:
            raise Unavailable(
                f"{what}: {waiting} vectors still wait to be indexed after {seconds:.0f} s",
                hint="raise `index_timeout` of the store, or give Weaviate more processors",
            )
        time.sleep(PAUSE)


def unfound(collection: "ObjectCollection", where: "FilterReturn", what: str) -> int:
    """How many rows of a sample of those that fulfil a filter the vector index does not find by
    their own vector.
    """
    with guarded(what):
        ids = [
            one.properties["chunk_id"]
            for one in collection.query.fetch_objects(
                filters=where, limit=MOST, return_properties=["chunk_id"]
            ).objects
        ]
        some = [
            ids[n]
            for n in np.unique(np.linspace(0, len(ids) - 1, min(SAMPLE, len(ids))).astype(int))
        ]
        if not some:
            return 0
        rows = collection.query.fetch_objects(
            filters=where & among("chunk_id", some),
            limit=2 * len(some),
            include_vector=True,
            return_properties=["chunk_id"],
        ).objects
        return sum(not _is_found(collection, row) for row in rows)


def _is_found(collection: "ObjectCollection", row: "StoredObject") -> bool:
    from weaviate.classes.query import MetadataQuery

    point: Any = row.vector.get("default")
    near = collection.query.near_vector(
        point, limit=1, return_properties=[], return_metadata=MetadataQuery(distance=True)
    ).objects
    return bool(near) and near[0].metadata.distance < CLOSE  # type: ignore[operator]
