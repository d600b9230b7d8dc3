"""Searching a collection in Weaviate at one snapshot."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from threading import local
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from llmops.tasks.errors import Damaged
from llmops.tasks.filters import Where
from llmops.tasks.filters.evaluate import matches
from llmops.tasks.plugins.stores import KEYS, ROWS, Point, RankedRow, StoreReader
from llmops.tasks.plugins.stores._frames import REPAIR, findable
from llmops.tasks.plugins.stores.weaviate.connection import CollectionPlace
from llmops.tasks.plugins.stores.weaviate.rows import INTERVAL, table
from llmops.tasks.plugins.stores.weaviate.scores import bm25, frequencies, reach, served_scores
from llmops.tasks.plugins.stores.weaviate.state import MOST, Sealed, StateRecords
from llmops.tasks.plugins.stores.weaviate.where import among, at, by_id, holds, named, translated
from llmops.tasks.plugins.stores.weaviate.write import pages
from llmops.tasks.schemas import Record, from_arrow

if TYPE_CHECKING:
    from weaviate.collections.classes.filters import FilterReturn

    from llmops.tasks.plugins.stores.weaviate.rows import (
        FoundObjects,
        ObjectCollection,
        StoredObject,
    )

IDS_PER_QUERY = 1_000
CHOSEN_AGAIN = 3  # an erasure may come between a search and the reading of its rows
Scores = NDArray[np.float32]
ScoreRows = Callable[[Sequence["StoredObject"]], list[float]]
MostBehind = Callable[[Sequence["StoredObject"], Scores], float]
"""The most that a row can score which the server ranks behind the found ones."""
PAGE_BYTES, ROW_BYTES = 24_000_000, 6_000

T = TypeVar("T")


class WeaviateReader(StoreReader):
    """A search returns at most 10,000 rows, as the server does. It waits for a server that is
    restarting.

    After every question it is asked whether the snapshot is still kept: what a build that goes on
    from an earlier one, or gc, has taken away is never missed silently. Then Damaged is raised.

    `scored_here`: texts are scored with the statistics of the snapshot, else by the server with
    those of all that the collection holds.
    """

    def __init__(
        self,
        collection: "ObjectCollection",
        records: StateRecords,
        snapshot: Sealed,
        schema: pa.Schema,
        dimension: int,
        place: CollectionPlace,
        *,
        scored_here: bool,
    ) -> None:
        self._collection, self._records, self._snapshot, self._schema = (
            collection,
            records,
            snapshot,
            schema,
        )
        self._dimension, self._place, self._scored_here = dimension, place, scored_here
        self._later = local()

    def vector(self, query: Point, k: int, where: Where | None = None) -> pd.DataFrame:
        """Exact up to the store's `exact_below` rows. Raises ValueError for a query of another
        shape, with NaN, or zero.
        """
        return self.whole(lambda: self.near(query, k, where))

    def text(self, terms: Sequence[str], k: int, where: Where | None = None) -> pd.DataFrame:
        return self.whole(lambda: self.found(terms, k, where))

    def near(self, query: Point, k: int, where: Where | None = None) -> list[RankedRow]:
        from weaviate.classes.query import MetadataQuery

        point = np.asarray(query, dtype=np.float32)
        if point.shape != (self._dimension,) or not np.isfinite(point).all() or not point.any():
            raise ValueError(
                f"got a query vector of shape {point.shape}; allowed: "
                f"({self._dimension},), finite, not 0"
            )
        asked, filters, looked_at = point.tolist(), self._filters(where), _looked_at(where)

        def find(limit: int) -> list["StoredObject"]:
            rows: list[StoredObject] = self._collection.query.near_vector(
                asked,
                limit=limit,
                filters=filters,
                return_properties=looked_at,
                return_metadata=MetadataQuery(distance=True),
            ).objects
            return rows

        def score(rows: Sequence["StoredObject"]) -> list[float]:
            return [1 - row.metadata.distance for row in rows]  # type: ignore[operator]

        return self._best(find, score, _last, k, where)

    def found(self, terms: Sequence[str], k: int, where: Where | None = None) -> list[RankedRow]:
        from weaviate.classes.query import MetadataQuery

        query = Counter(term for text in findable(terms) for term in text.split())
        if not query:
            return []
        asked, filters = " ".join(query.elements()), self._filters(where)
        looked_at = [*_looked_at(where), *(["terms"] if self._scored_here else [])]
        score, most = self._own_scores(query) if self._scored_here else (served_scores, _last)

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

        return self._best(find, score, most, k, where)

    def _own_scores(self, query: Mapping[str, int]) -> tuple["ScoreRows", "MostBehind"]:
        """With the statistics of this snapshot alone."""
        now = at(self._snapshot.number)
        within = frequencies(
            self._collection.name,
            self._snapshot,
            query,
            lambda term: self._counted(now & among("terms", [term])),
        )

        def score(rows: Sequence["StoredObject"]) -> list[float]:
            return bm25([row.properties for row in rows], query, within, self._snapshot)

        def most(rows: Sequence["StoredObject"], scores: Scores) -> float:
            return reach([row.metadata.score for row in rows], scores)  # type: ignore[misc]

        return score, most

    def whole(
        self, choose: Callable[[], Sequence[RankedRow]], columns: Sequence[str] = tuple(ROWS.names)
    ) -> pd.DataFrame:
        hits, rows = self._chosen(choose, columns)
        schema = pa.schema([ROWS.field(name) for name in columns])
        scores = pa.array([hit.score for hit in hits], pa.float32())
        return from_arrow(table(rows, schema).append_column("score", scores))

    def passages(
        self, choose: Callable[[], Sequence[RankedRow]], columns: Sequence[str] = tuple(ROWS.names)
    ) -> list[Record]:
        hits, rows = self._chosen(choose, columns)
        schema = pa.schema([ROWS.field(name) for name in columns])
        listed = table(rows, schema).to_pylist()
        scores = np.array([hit.score for hit in hits], np.float32).tolist()
        return [{**row, "score": score} for row, score in zip(listed, scores, strict=True)]

    def _chosen(
        self, choose: Callable[[], Sequence[RankedRow]], columns: Sequence[str]
    ) -> tuple[Sequence[RankedRow], list[Mapping[str, Any]]]:
        """The hits and their rows. Whether the snapshot is still kept is asked once, after all of
        it.
        """
        for _ in range(CHOSEN_AGAIN):
            with self._confirmed_once():
                hits = choose()
                rows = self._read(hits, columns)
            if rows is not None:
                return hits, rows
        raise Damaged(f"{self._place.what} names rows that it does not have", hint=REPAIR)

    def _read(
        self, hits: Sequence[RankedRow], columns: Sequence[str]
    ) -> list[Mapping[str, Any]] | None:
        """The rows in the order of the hits; None where some are gone since they were found."""
        if set(columns) <= set(KEYS):
            return [hit._asdict() for hit in hits]
        ids: list[Any] = [hit.place[0] for hit in hits]
        held: dict[object, Mapping[str, Any]] = {}
        for first in range(0, len(ids), IDS_PER_QUERY):
            some = by_id(ids[first : first + IDS_PER_QUERY])
            page = self._asked(
                lambda some=some: (
                    self._collection.query.fetch_objects(  # type: ignore[misc]
                        filters=some, limit=IDS_PER_QUERY, return_properties=[*columns]
                    ).objects
                )
            )
            held |= {row.uuid: row.properties for row in page}
        return [held[each] for each in ids] if held.keys() >= {*ids} else None

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
        score: "ScoreRows",
        most: "MostBehind",
        k: int,
        where: Where | None,
    ) -> list[RankedRow]:
        """The k best, ties in the order of uri and ordinal.

        While what the server ranks behind the found rows may score as the k-th does, more are
        fetched, so that the choice never depends on how rows lie on disk.
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
        return sorted(map(_hit, rows, scores.tolist()), key=lambda hit: hit.rank)[:k]

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
        if not getattr(self._later, "confirmed", False):
            self._confirm()
        return answer

    @contextmanager
    def _confirmed_once(self) -> Iterator[None]:
        """Whether the snapshot is still kept is asked at the end, not after each question of this
        thread: the record goes before the rows do.
        """
        self._later.confirmed = True
        try:
            yield
        finally:
            self._later.confirmed = False
        self._confirm()

    def _confirm(self) -> None:
        """Raises Damaged when the snapshot is no longer kept."""
        sealed = self._place.patiently(lambda: self._records.sealed(self._snapshot.number))
        if sealed is None:
            raise Damaged(
                f"{self._place.what} has no snapshot {self._snapshot.number} any more", hint=REPAIR
            )
        self._snapshot = sealed


def _looked_at(where: Where | None) -> list[str]:
    """The properties that rank a candidate and say whether it counts."""
    return sorted({*KEYS, *INTERVAL, *(named(where) if where else ())})


def _last(rows: Sequence["StoredObject"], scores: Scores) -> float:
    """What the server ranks behind these scores no more than the last of them."""
    del rows
    return float(scores[-1])


def _hit(row: "StoredObject", score: float) -> RankedRow:
    keys: tuple[Any, ...] = tuple(row.properties[name] for name in KEYS)
    return RankedRow._make((*keys, score, (row.uuid, 0)))


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
