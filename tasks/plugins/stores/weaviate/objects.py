"""The rows of a collection in Weaviate: written, retired, brought back, removed."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID

from llmops.tasks.errors import Unavailable
from llmops.tasks.plugins.stores.weaviate.connection import NETWORK, CollectionPlace
from llmops.tasks.plugins.stores.weaviate.state import MOST
from llmops.tasks.plugins.stores.weaviate.where import (
    added_after,
    among,
    at,
    by_id,
    holds,
    retired_after,
    strange,
)
from llmops.tasks.plugins.stores.weaviate.write import batches, delete, insert, pages

if TYPE_CHECKING:
    from weaviate.collections.classes.filters import FilterReturn

    from llmops.tasks.plugins.stores.weaviate.rows import (
        NewObject,
        ObjectCollection,
        StoredObject,
    )

IDS_PER_QUERY = 400
ROWS_PER_PAGE = 2_000
ROUNDS = 3


class WeaviateRows:
    """Everything here raises the client's errors, or ours."""

    def __init__(
        self, collection: "ObjectCollection", dimension: int, place: CollectionPlace
    ) -> None:
        self._collection, self._dimension, self._place, self._what = (
            collection,
            dimension,
            place,
            place.what,
        )

    def put(self, objects: Sequence["NewObject"]) -> None:
        """Store objects; those of the same id are replaced."""
        for part in batches(objects, self._dimension):
            insert(self._collection.data.insert_many, part, self._what)

    def retire(self, chunk_ids: Iterable[str], number: int, replaced: Collection[UUID]) -> None:
        """End the rows of these chunks at a number; those that began with it are removed, unless
        they are about to be replaced.
        """
        for where in self.parts("chunk_id", sorted(chunk_ids)):
            rows = [
                row for row in self._fetched(where & at(number)) if holds(row.properties, number)
            ]
            self.put(
                [self._again(row, number) for row in rows if row.properties["valid_from"] < number]
            )
            self._remove(
                [
                    row.uuid
                    for row in rows
                    if row.properties["valid_from"] == number and row.uuid not in replaced
                ]
            )

    def undo(self, number: int, *, thoroughly: bool) -> None:
        """Remove what came after a number and bring back what went after it.

        `thoroughly`: look at every object, as a server that died may have indexes that do not name
        them all.
        """
        self.delete(added_after(number))
        self.delete(strange())
        for _ in range(ROUNDS):
            ended = self._ended(number)
            if not ended:
                break
            self._bring_back(ended)
        else:
            raise Unavailable(
                f"{self._what}: {len(ended)} retired rows could not be brought back", hint=NETWORK
            )
        if thoroughly:
            self._sweep(number)

    def _ended(self, number: int) -> list[UUID]:
        ids: list[UUID] = []
        while True:
            page = self._collection.query.fetch_objects(
                filters=retired_after(number), limit=MOST, return_properties=[]
            ).objects
            ids = [row.uuid for row in page]
            if len(page) < MOST:
                return ids
            self._bring_back(ids)

    def _bring_back(self, ids: Sequence[UUID]) -> None:
        """Written once more with an end and then without it: where an index did not agree with the
        row, it does now.
        """
        for first in range(0, len(ids), IDS_PER_QUERY):
            rows = self._fetched(by_id(ids[first : first + IDS_PER_QUERY]))
            self.put(
                [
                    self._again(row, row.properties["valid_to"] or row.properties["valid_from"] + 1)
                    for row in rows
                ]
            )
            self.put([self._again(row, None) for row in rows])

    def _sweep(self, number: int) -> None:
        later, ended = [], []
        fetch = partial(
            self._collection.query.fetch_objects, return_properties=["valid_from", "valid_to"]
        )
        for page in pages(fetch, ROWS_PER_PAGE, self._place):
            for row in page:
                if (row.properties["valid_from"] or 0) > number:
                    later.append(row.uuid)
                elif (row.properties["valid_to"] or 0) > number:
                    ended.append(row.uuid)
        self._remove(later)
        self._bring_back(ended)

    def changed(self, number: int) -> list[tuple[str, str]]:
        """(chunk_id, row_hash) of each row that the newest state has more or less than a
        snapshot.
        """
        added = Counter(self._keys(added_after(number), lambda row: row["valid_to"] is None))
        gone = Counter(
            self._keys(retired_after(number), lambda row: (row["valid_from"] or 0) <= number)
        )
        return [*(added - gone).elements(), *(gone - added).elements()]

    def _keys(
        self, where: "FilterReturn", wanted: Callable[[Mapping[str, Any]], bool]
    ) -> Iterator[tuple[str, str]]:
        rows = self._collection.query.fetch_objects(
            filters=where,
            limit=MOST,
            return_properties=["chunk_id", "row_hash", "valid_from", "valid_to"],
        ).objects
        return (
            (str(row.properties["chunk_id"]), str(row.properties["row_hash"]))
            for row in rows
            if wanted(row.properties)
        )

    def any_after(self, number: int) -> bool:
        """Whether anything is there that the snapshot does not have, or was retired since."""
        return any(
            self._collection.query.fetch_objects(
                filters=where, limit=1, return_properties=[]
            ).objects
            for where in (added_after(number), retired_after(number), strange())
        )

    def sums(self, where: "FilterReturn") -> tuple[int, int]:
        """How many rows fulfil a filter, and how many terms they hold."""
        from weaviate.classes.query import Metrics

        sums = self._collection.aggregate.over_all(
            filters=where, total_count=True, return_metrics=Metrics("length").integer(sum_=True)
        )
        lengths: Any = sums.properties.get("length")
        return int(sums.total_count or 0), int(lengths.sum_ or 0) if lengths is not None else 0

    def strangers(self) -> int:
        """How many objects are neither rows nor records, up to 10,000. Counted one by one: after a
        crash the index knows numbers that no object has."""
        return len(
            self._collection.query.fetch_objects(
                filters=strange(), limit=MOST, return_properties=[]
            ).objects
        )

    def total(self) -> int:
        return int(self._collection.aggregate.over_all(total_count=True).total_count or 0)

    def delete(self, where: "FilterReturn") -> None:
        delete(self._collection, where, self._what)

    def parts(self, name: str, values: Sequence[str]) -> Iterator["FilterReturn"]:
        """Filters for some values of a property, of bounded length."""
        return (
            among(name, values[first : first + IDS_PER_QUERY])
            for first in range(0, len(values), IDS_PER_QUERY)
        )

    def _remove(self, ids: Sequence[UUID]) -> None:
        for first in range(0, len(ids), IDS_PER_QUERY):
            self.delete(by_id(ids[first : first + IDS_PER_QUERY]))

    def _fetched(self, where: "FilterReturn") -> list["StoredObject"]:
        rows: list[StoredObject] = self._collection.query.fetch_objects(
            filters=where, limit=MOST, include_vector=True
        ).objects
        return rows

    @staticmethod
    def _again(row: "StoredObject", valid_to: int | None) -> "NewObject":
        """The same object with another end."""
        from weaviate.classes.data import DataObject

        kept = {
            name: value
            for name, value in row.properties.items()
            if value is not None and name != "valid_to"
        }
        end = {} if valid_to is None else {"valid_to": valid_to}
        return DataObject(uuid=row.uuid, vector=row.vector.get("default"), properties=kept | end)  # type: ignore[arg-type]
