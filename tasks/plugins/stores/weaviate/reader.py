"""Searching a collection in Weaviate at one snapshot."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from llmops.tasks.errors import Damaged
from llmops.tasks.filters import Where
from llmops.tasks.filters.evaluate import matches
from llmops.tasks.plugins.stores import ROWS, Point, StoreReader
from llmops.tasks.plugins.stores._frames import REPAIR, findable
from llmops.tasks.plugins.stores.weaviate.connection import CollectionPlace
from llmops.tasks.plugins.stores.weaviate.rows import INTERVAL, table
from llmops.tasks.plugins.stores.weaviate.scores import bm25, frequencies, reach
from llmops.tasks.plugins.stores.weaviate.state import MOST, Sealed, StateRecords
from llmops.tasks.plugins.stores.weaviate.where import among, at, by_id, holds, named, translated
from llmops.tasks.plugins.stores.weaviate.write import pages
from llmops.tasks.schemas import from_arrow

if TYPE_CHECKING:
    from weaviate.collections.classes.filters import FilterReturn

    from llmops.tasks.plugins.stores.weaviate.rows import (
        FoundObjects,
        ObjectCollection,
        StoredObject,
    )

ORDERING = ("uri", "ordinal", "chunk_id")
IDS_PER_QUERY = 1_000
Scores = NDArray[np.float32]
PAGE_BYTES, ROW_BYTES = 24_000_000, 6_000

T = TypeVar("T")


class WeaviateReader(StoreReader):
    """A search returns at most 10,000 rows, as the server does. It waits for a server that is
    restarting.

    After every question it is asked whether the snapshot is still kept: what a build that goes on
    from an earlier one, or gc, has taken away is never missed silently. Then Damaged is raised.
    """

    def __init__(
        self,
        collection: "ObjectCollection",
        records: StateRecords,
        snapshot: Sealed,
        schema: pa.Schema,
        dimension: int,
        place: CollectionPlace,
    ) -> None:
        self._collection, self._records, self._snapshot, self._schema = (
            collection,
            records,
            snapshot,
            schema,
        )
        self._dimension, self._place = dimension, place
        self._returned = [*schema.names, *INTERVAL]

    def vector(self, query: Point, k: int, where: Where | None = None) -> pd.DataFrame:
        """Exact up to the store's `exact_below` rows. Raises ValueError for a query of another
        shape, with NaN, or zero.
        """
        from weaviate.classes.query import MetadataQuery

        point = np.asarray(query, dtype=np.float32)
        if point.shape != (self._dimension,) or not np.isfinite(point).all() or not point.any():
            raise ValueError(
                f"got a query vector of shape {point.shape}; allowed: "
                f"({self._dimension},), finite, not 0"
            )
        asked, filters = point.tolist(), self._filters(where)

        def find(limit: int) -> list["StoredObject"]:
            rows: list[StoredObject] = self._collection.query.near_vector(
                asked,
                limit=limit,
                filters=filters,
                return_properties=self._returned,
                return_metadata=MetadataQuery(distance=True),
            ).objects
            return rows

        def score(rows: Sequence["StoredObject"]) -> list[float]:
            return [1 - row.metadata.distance for row in rows]  # type: ignore[operator]

        best, scores = self._best(find, score, lambda _, scores: scores[-1], k, where)
        return _frame([row.properties for row in best], scores)

    def text(self, terms: Sequence[str], k: int, where: Where | None = None) -> pd.DataFrame:
        from weaviate.classes.query import MetadataQuery

        query = Counter(term for text in findable(terms) for term in text.split())
        if not query:
            return _frame([], [])
        asked, filters = " ".join(query.elements()), self._filters(where)
        looked_at = sorted({*ORDERING, "terms", *INTERVAL, *(named(where) if where else ())})
        now = at(self._snapshot.number)
        within = frequencies(
            self._collection.name,
            self._snapshot,
            query,
            lambda term: self._counted(now & among("terms", [term])),
        )

        def find(limit: int) -> list["StoredObject"]:
            rows: list[StoredObject] = self._collection.query.bm25(
                asked,
                query_properties=["terms"],
                limit=limit,
                filters=filters,
                return_properties=looked_at,
                return_metadata=MetadataQuery(score=True),
            ).objects
            return rows

        def score(rows: Sequence["StoredObject"]) -> list[float]:
            return bm25([row.properties for row in rows], query, within, self._snapshot)

        best, scores = self._best(
            find,
            score,
            lambda rows, scores: reach([row.metadata.score for row in rows], scores),  # type: ignore[misc]
            k,
            where,
        )
        return _frame(self._whole([row.uuid for row in best]), scores)

    def _whole(self, ids: Sequence[UUID]) -> list[Mapping[str, Any]]:
        """The rows of these objects, in this order. The candidates are many more: of them only what
        ranks them is read.
        """
        held: dict[UUID, Mapping[str, Any]] = {}
        for first in range(0, len(ids), IDS_PER_QUERY):
            some = by_id(ids[first : first + IDS_PER_QUERY])
            page = self._asked(
                lambda some=some: (
                    self._collection.query.fetch_objects(  # type: ignore[misc]
                        filters=some, limit=IDS_PER_QUERY, return_properties=ROWS.names
                    ).objects
                )
            )
            held |= {row.uuid: row.properties for row in page}
        return [held[each] for each in ids]

    def _filters(self, where: Where | None) -> "FilterReturn":
        own = at(self._snapshot.number)
        return own if where is None else own & translated(where)

    def _counted(self, filters: "FilterReturn") -> int:
        return int(
            self._asked(
                lambda: (
                    self._collection.aggregate.over_all(
                        filters=filters, total_count=True
                    ).total_count
                    or 0
                )
            )
        )

    def _best(
        self,
        find: Callable[[int], list["StoredObject"]],
        score: Callable[[Sequence["StoredObject"]], list[float]],
        most: Callable[[Sequence["StoredObject"], Scores], float],
        k: int,
        where: Where | None,
    ) -> tuple[list["StoredObject"], Scores]:
        """The k best, ties in the order of uri and ordinal.

        `most`: the most that a row which the server ranks behind the found ones can score. While
        that reaches the k-th score, more are fetched, so that the choice never depends on how rows
        lie on disk.
        """
        wanted = k + 16
        while True:
            limit = min(wanted, MOST)
            candidates = self._asked(lambda limit=limit: find(limit))  # type: ignore[misc]
            rows = [
                row  # that says itself what the index said
                for row in candidates
                if holds(row.properties, self._snapshot.number)
                and (where is None or matches(where, row.properties))
            ]
            scores = np.asarray(score(rows), np.float32)
            if (
                len(candidates) < limit
                or limit == MOST
                or (len(rows) >= k and most(rows, scores) < np.sort(scores)[-k])
            ):
                break
            wanted *= 4
        places = sorted(
            range(len(rows)),
            key=lambda n: (-scores[n], *(rows[n].properties[name] for name in ORDERING)),
        )[:k]
        return [rows[n] for n in places], scores[places]

    def rows(self, columns: Sequence[str]) -> Iterator[pd.DataFrame]:
        with_vector = "vector" in columns
        plain = [name for name in columns if name != "vector"]
        schema = pa.schema([self._schema.field(name) for name in plain])
        whole = {"text", "terms", "context", "search", "metadata"}.intersection(columns)
        per_page = PAGE_BYTES // ((ROW_BYTES if whole else 300) + 8 * self._dimension * with_vector)

        def ask(**place: Any) -> "FoundObjects":
            return self._collection.query.fetch_objects(
                return_properties=[*plain, *INTERVAL], include_vector=with_vector, **place
            )

        for page in pages(ask, min(4_096, per_page), self._place):
            rows = [row for row in page if holds(row.properties, self._snapshot.number)]
            self._confirm()
            if rows:
                yield from_arrow(
                    _with_vectors(
                        table([row.properties for row in rows], schema),
                        rows,
                        columns,
                        self._dimension,
                    )
                )

    def count(self) -> int:
        return self._counted(at(self._snapshot.number))

    def _asked(self, question: Callable[[], T]) -> T:
        answer = self._place.patiently(question)
        self._confirm()
        return answer

    def _confirm(self) -> None:
        """Raises Damaged when the snapshot is no longer kept: the record goes before the rows
        do.
        """
        sealed = self._place.patiently(lambda: self._records.sealed(self._snapshot.number))
        if sealed is None:
            raise Damaged(
                f"{self._place.what} has no snapshot {self._snapshot.number} any more", hint=REPAIR
            )
        self._snapshot = sealed


def _frame(rows: Sequence[Mapping[str, Any]], scores: Sequence[float] | Scores) -> pd.DataFrame:
    return from_arrow(table(rows, ROWS).append_column("score", pa.array(scores, pa.float32())))


def _with_vectors(
    rows: pa.Table, objects: Sequence["StoredObject"], columns: Sequence[str], dimension: int
) -> pa.Table:
    """The columns in the order asked for."""
    if "vector" in columns:
        points = np.array([_vector(row, dimension) for row in objects], np.float32).ravel()
        rows = rows.append_column(
            "vector", pa.FixedSizeListArray.from_arrays(pa.array(points), dimension)
        )
    return rows.select(list(columns))


def _vector(row: "StoredObject", dimension: int) -> Sequence[float]:
    """A row that lost its vector gets zeros: verify must see it."""
    vector: Any = row.vector.get("default") or []
    return vector if len(vector) == dimension else [0.0] * dimension
