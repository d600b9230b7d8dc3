"""Whether what was stored is found: the vector index of a server that died may lack objects that
all else has.
"""

import time
from typing import TYPE_CHECKING, Any

import numpy as np

from llmops.tasks.errors import Unavailable
from llmops.tasks.plugins.stores.weaviate.connection import guarded
from llmops.tasks.plugins.stores.weaviate.state import MOST
from llmops.tasks.plugins.stores.weaviate.where import among

if TYPE_CHECKING:
    from weaviate import WeaviateClient
    from weaviate.collections.classes.filters import FilterReturn

    from llmops.tasks.plugins.stores.weaviate.rows import ObjectCollection, StoredObject

SAMPLE = 64
CLOSE = 1e-3  # far above the error of a quantised distance, far below that of two texts
PAUSE = 0.2


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
        found = collection.query.fetch_objects(
            filters=where & among("chunk_id", some),
            limit=2 * len(some),
            include_vector=True,
            return_properties=["chunk_id"],
        ).objects
        return sum(not _found(collection, one) for one in found)


def _found(collection: "ObjectCollection", one: "StoredObject") -> bool:
    from weaviate.classes.query import MetadataQuery

    point: Any = one.vector.get("default")
    near = collection.query.near_vector(
        point, limit=1, return_properties=[], return_metadata=MetadataQuery(distance=True)
    ).objects
    return bool(near) and near[0].metadata.distance < CLOSE  # type: ignore[operator]
