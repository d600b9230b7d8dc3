"""Writing to Weaviate: in messages of bounded size, only what failed once more, deletions until
nothing matches.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from llmops.tasks.errors import Damaged, Unavailable
from llmops.tasks.plugins.stores._frames import REPAIR
from llmops.tasks.plugins.stores.weaviate.connection import NETWORK, CollectionPlace, guarded
from llmops.tasks.plugins.stores.weaviate.rows import size

if TYPE_CHECKING:
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
            found = collection.data.delete_many(where=where)
        if found.matches == 0:
            return total
        idle = 0 if found.successful else idle + 1
        if idle == ATTEMPTS:
            raise Unavailable(f"{what} did not delete {found.matches} rows", hint=NETWORK)
        total += found.successful


def pages(
    ask: Callable[..., "FoundObjects"], objects: int, place: CollectionPlace
) -> Iterator[list["StoredObject"]]:
    """All objects of a collection in the order of their ids. `ask` is `fetch_objects` with what to
    return; shorter pages where an answer would be longer than a message."""
    after = None
    while True:
        try:
            found = place.patiently(partial(ask, limit=objects, after=after)).objects
        except Unavailable as error:
            if "larger than max" not in str(error).lower() or objects == 1:
                raise
            objects = max(1, objects // 8)
            continue
        if not found:
            return
        yield found
        after = found[-1].uuid
