"""A collection in Weaviate: staging, sealing, and taking back."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa

from llmops.tasks.errors import Damaged, Unavailable
from llmops.tasks.filters import Fields
from llmops.tasks.plugins.stores import StoreCollection, StoreReader, rows_schema
from llmops.tasks.plugins.stores._frames import REPAIR, checked
from llmops.tasks.plugins.stores.weaviate.connection import CollectionPlace, epoch
from llmops.tasks.plugins.stores.weaviate.objects import WeaviateRows
from llmops.tasks.plugins.stores.weaviate.reader import WeaviateReader
from llmops.tasks.plugins.stores.weaviate.rows import class_name, kinds, object_id, properties
from llmops.tasks.plugins.stores.weaviate.state import Sealed, StagingState, StateRecords
from llmops.tasks.plugins.stores.weaviate.where import at, came, needless, went
from llmops.tasks.plugins.stores.weaviate.write import batches, settle, unfound
from llmops.tasks.schemas import Vectors

if TYPE_CHECKING:
    from weaviate import WeaviateClient

    from llmops.tasks.plugins.stores.weaviate.rows import NewObject

AGAIN = "run the command again: the build begins anew from what is live, and pays for nothing again"
_unsure: set[tuple[str, int]] = set()
"""Stagings of this process in which a call had no answer: it may have been carried out, wholly,
partly or not at all.
"""


class WeaviateCollection(StoreCollection):
    """`make` creates the collection, `seconds` is the patience for a question, `index_seconds` that
    for an index.
    """

    def __init__(
        self,
        client: "WeaviateClient",
        name: str,
        dimension: int,
        fields: Fields,
        make: Callable[[], None],
        replication: int,
        seconds: float,
        index_seconds: float,
        *,
        scored_here: bool,
    ) -> None:
        from weaviate.classes.config import ConsistencyLevel

        self._client, self._dimension, self._make = client, dimension, make
        self._index_seconds, self._scored_here = index_seconds, scored_here
        self._class, self._what = class_name(name), f"the Weaviate collection {name!r}"
        self._place = CollectionPlace(client, self._class, self._what, seconds)
        self._schema, self._columns = rows_schema(fields), kinds(fields)
        self._read = client.collections.use(self._class)
        written = (
            self._read.with_consistency_level(ConsistencyLevel.ALL)
            if replication > 1
            else self._read
        )
        self._rows = WeaviateRows(written, dimension, self._place)
        self._records = StateRecords(self._read, self._rows.put)

    def stage(
        self, version: int, rows: pd.DataFrame, vectors: Vectors, retire: Sequence[str]
    ) -> None:
        """Rows that are there already are replaced: a stage that is repeated adds nothing twice.

        Raises ValueError for a wrong shape, NaN, infinity or zero among the vectors, and for a
        chunk that comes twice; then nothing was written. Raises Unavailable when the outcome is not
        known, from then on for every call until `recover`.
        """
        data = checked(rows, vectors, self._dimension)
        listed = pa.Table.from_pandas(
            rows[self._schema.names], schema=self._schema, preserve_index=False
        ).to_pylist()
        number = self._begun(version)
        new = self._objects(listed, data, number)
        parts = list(batches(new, self._dimension))
        with self._certain(number):
            self._rows.retire(
                {*retire, *(row["chunk_id"] for row in listed)},
                number,
                {one.uuid for one in new},  # type: ignore[misc]
            )
            for part in parts:
                self._rows.put(part)

    def _objects(
        self, rows: Sequence[Mapping[str, Any]], vectors: Vectors, number: int
    ) -> list["NewObject"]:
        from weaviate.classes.data import DataObject

        return [
            DataObject(
                uuid=object_id(row["chunk_id"], number),
                vector=point.tolist(),
                properties=properties(row, self._columns) | {"valid_from": number},
            )
            for row, point in zip(rows, vectors, strict=True)
        ]

    def _begun(self, version: int) -> int:
        """The number of the rows that are being staged. Raises Unavailable when an earlier part of
        them is in doubt.
        """
        with self._place.guarded():
            state, now = self._records.state(), epoch(self._client)
            if state.staging is None:
                number = max(version, state.free)
                self._records.save(StagingState(staging=number, free=number + 1, epoch=now))
                return number
        if (self._class, state.staging) in _unsure or now != state.epoch:
            raise Unavailable(
                f"{self._what}: the server went away while rows were being staged, and may "
                f"have lost some",
                hint=AGAIN,
            )
        return state.staging

    @contextmanager
    def _certain(self, number: int) -> Iterator[None]:
        try:
            with self._place.guarded():
                yield
        except Unavailable:
            _unsure.add((self._class, number))
            raise

    def seal(self, version: int) -> str:
        """Raises Unavailable where the server was started anew since the staging began, or its
        vector index lacks rows.
        """
        with self._place.guarded():
            kept, state = self._records.all_sealed(), self._records.state()
        if state.staging is None and kept:
            return str(kept[-1].number)
        number = self._begun(version)
        with self._certain(number):
            settle(self._client, self._class, self._what, self._index_seconds)
            if lost := unfound(self._read, came(number), self._what):
                raise Unavailable(
                    f"{self._what}: the vector index does not find {lost} rows of a sample "
                    f"of those staged",
                    hint=AGAIN,
                )
            before = max(
                (one for one in kept if one.number < number),
                key=lambda one: one.number,
                default=None,
            )
            self._records.seal(self._summed(before, number))
            self._records.save(self._records.state().model_copy(update={"staging": None}))
        return str(number)

    def _summed(self, before: Sealed | None, number: int) -> Sealed:
        """What the snapshot has: what the one before it had, and the difference. So it costs what
        the change costs.
        """
        (added, more), (gone, less) = self._rows.sums(came(number)), self._rows.sums(went(number))
        rows, terms = (before.rows, before.terms) if before else (0, 0)
        rows, terms = rows + added - gone, terms + more - less
        if self._read.aggregate.over_all(filters=at(number), total_count=True).total_count != rows:
            rows, terms = self._rows.sums(
                at(number)
            )  # somebody has added or removed rows by hand: all are counted anew
        return Sealed(number=number, rows=rows, terms=terms, token=time.time_ns())

    def recover(self, snapshot: str | None) -> None:
        """What was sealed later is gone as well: its readers get Damaged. Also removes objects that
        are no rows of ours.
        """
        with self._place.guarded():
            state = self._records.state()
            if snapshot is None:
                if self._rows.total():
                    self._client.collections.delete(self._class)
                    self._make()
                    free = max(state.free, (state.staging or 0) + 1)
                    self._records.save(StagingState(free=free))
                return
            number = self._sealed(snapshot).number
            later = [one.number for one in self._records.all_sealed() if one.number > number]
            if state.staging is None and not later and not self._rows.any_after(number):
                return
            # a crash from here on is noticed: something is being staged
            self._records.save(
                state.model_copy(
                    update={"staging": state.staging or state.free, "free": state.free + 1}
                )
            )
            for one in later:
                self._records.unseal(one)
            self._rows.undo(number, thoroughly=epoch(self._client) != state.epoch)
            self._records.save(StagingState(free=state.free + 1, epoch=state.epoch))

    def _sealed(self, snapshot: str) -> Sealed:
        sealed = self._records.sealed(int(snapshot)) if snapshot.isdecimal() else None
        if sealed is None:
            raise Damaged(f"{self._what} has no snapshot {snapshot}", hint=REPAIR)
        return sealed

    def at(self, snapshot: str) -> StoreReader:
        sealed = self._place.patiently(lambda: self._sealed(snapshot))
        return WeaviateReader(
            self._read,
            self._records,
            sealed,
            self._schema,
            self._dimension,
            self._place,
            scored_here=self._scored_here,
        )

    def unpublished(self, snapshot: str) -> int:
        """Rows added or retired since, objects that are no rows of ours, and rows of the snapshot
        that somebody removed.
        """
        with self._place.guarded():
            sealed = self._sealed(snapshot)
            changed = self._rows.changed(sealed.number)
            held = self._rows.sums(at(sealed.number))[0]
            return len(changed) + self._rows.strangers() + abs(sealed.rows - held)

    def gc(self, keep: Sequence[str]) -> None:
        """What no snapshot in `keep` needs goes; what is staged stays."""
        with self._place.guarded():
            kept = self._only(keep)
            for where in needless([one.number for one in kept]):
                self._rows.delete(where)

    def _only(self, keep: Sequence[str]) -> list[Sealed]:
        """The snapshots in `keep`; the others are no longer snapshots, before any row of theirs
        goes.
        """
        snapshots = self._records.all_sealed()
        for one in snapshots:
            if str(one.number) not in keep:
                self._records.unseal(one.number)
        return [one for one in snapshots if str(one.number) in keep]

    def erase(self, doc_ids: Sequence[str], keep: Sequence[str]) -> None:
        with self._place.guarded():
            kept = self._only(keep)
        self.recover(str(kept[-1].number) if kept else None)
        self.gc(keep)
        with self._place.guarded():
            for where in self._rows.parts("doc_id", doc_ids):
                self._rows.delete(where)
            for one in kept:
                rows, terms = self._rows.sums(at(one.number))
                self._records.seal(
                    Sealed(number=one.number, rows=rows, terms=terms, token=time.time_ns())
                )
