"""What a collection in Weaviate knows of itself: which snapshots are sealed, and what is being
staged.

The records lie in the collection itself, without a vector, so that they are lost together with its
rows or not at all.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING
from uuid import NAMESPACE_URL, UUID, uuid5

from pydantic import BaseModel, ConfigDict

from llmops.tasks.plugins.stores.weaviate.rows import RECORD
from llmops.tasks.plugins.stores.weaviate.where import sealed_after

if TYPE_CHECKING:
    from llmops.tasks.plugins.stores.weaviate.rows import NewObject, ObjectCollection

MOST = 10_000
RETURNED = ["record"]


class StagingState(BaseModel):
    """`staging`: the number of the rows that are being written or were left behind; `free`: the
    least that was never used.

    A number is never used twice: what a server that died has left of it must not come back.
    `epoch`: that of the server when the staging began.
    """

    model_config = ConfigDict(frozen=True)
    staging: int | None = None
    free: int = 1
    epoch: str = ""


class Sealed(BaseModel):
    """A snapshot: how many rows it has, and how many terms they hold. `token` is another one after
    an erasure, and in a collection made anew."""

    model_config = ConfigDict(frozen=True)
    number: int
    rows: int
    terms: int
    token: int


class StateRecords:
    """The records of one collection. `write` stores objects and raises when it cannot."""

    def __init__(
        self, collection: "ObjectCollection", write: Callable[[list["NewObject"]], None]
    ) -> None:
        self._collection, self._write = collection, write

    def state(self) -> StagingState:
        record = self._one("state")
        return StagingState.model_validate_json(record) if record else StagingState()

    def save(self, state: StagingState) -> None:
        self._put("state", state)

    def sealed(self, number: int) -> Sealed | None:
        record = self._one(f"sealed {number}")
        return Sealed.model_validate_json(record) if record else None

    def all_sealed(self) -> list[Sealed]:
        """Oldest first."""
        records = self._collection.query.fetch_objects(
            filters=sealed_after(-1), limit=MOST, return_properties=RETURNED
        ).objects
        return sorted(
            (Sealed.model_validate_json(one.properties["record"]) for one in records),
            key=lambda one: one.number,
        )

    def seal(self, snapshot: Sealed) -> None:
        self._put(f"sealed {snapshot.number}", snapshot, sealed=snapshot.number)

    def unseal(self, number: int) -> None:
        self._collection.data.delete_by_id(_id(f"sealed {number}"))

    def _one(self, name: str) -> str | None:
        record = self._collection.query.fetch_object_by_id(_id(name), return_properties=RETURNED)
        return None if record is None else str(record.properties["record"])

    def _put(self, name: str, record: BaseModel, **numbers: int) -> None:
        from weaviate.classes.data import DataObject

        self._write(
            [
                DataObject(
                    uuid=_id(name),
                    properties={"record": record.model_dump_json(), "facts": [RECORD], **numbers},
                )
            ]
        )


def _id(name: str) -> UUID:
    return uuid5(NAMESPACE_URL, f"record/{name}")
