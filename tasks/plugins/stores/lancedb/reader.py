"""Searching a LanceDB table at one version: by vectors, by terms, under a condition."""

from collections.abc import Callable, Iterator, Sequence
from threading import Lock
from typing import TYPE_CHECKING, ClassVar, NamedTuple, TypeVar

import numpy as np
import pandas as pd
import pyarrow as pa

from llmops.tasks.errors import Damaged
from llmops.tasks.filters import Where
from llmops.tasks.plugins.stores import (
    KEYS,
    ROWS,
    Numbers,
    Point,
    RankedRow,
    RankedRows,
    StoreReader,
    at_once,
)
from llmops.tasks.plugins.stores._frames import findable, ranked
from llmops.tasks.plugins.stores.lancedb.calls import guarded, matching
from llmops.tasks.plugins.stores.lancedb.held import HeldKeys, Pinned
from llmops.tasks.plugins.stores.lancedb.postings import Mask
from llmops.tasks.plugins.stores.lancedb.scans import nearest_rows
from llmops.tasks.schemas import Record, Vectors, from_arrow

if TYPE_CHECKING:
    from lancedb.table import Table


T = TypeVar("T")

ROWS_PER_FRAME = 4_096
# Where fewer rows fulfil a condition, Lance looks for them alone; else the others are dropped from
# a longer list, which is quicker.
LEAST_SHARE = 0.05


class LanceDBReader(StoreReader):
    """One handle, checked out at one version: it never follows what is written later. For any
    number of threads.

    `pin` opens the table at the snapshot. It is asked again where the files are gone, because an
    erasure has written the snapshot anew. `most`: how many bytes it may hold in memory.
    """

    together: ClassVar[int] = 128

    def __init__(self, pin: Callable[[], "Table"], name: str, most: int) -> None:
        self._pin, self._what, self._most = pin, name, most
        self._pinned, self._pinning = Pinned(pin(), most), Lock()
        self._held: tuple[str, ...] = ()

    def _steadily(self, ask: Callable[[Pinned], T]) -> T:
        """What a question to the table comes to. Raises Damaged."""
        pinned = self._pinned
        try:
            with guarded(self._what):
                return ask(pinned)
        except Damaged:
            anew = self._pin()
            if anew.version == pinned.table.version:
                raise
        with self._pinning:
            if self._pinned.table.version != anew.version:
                self._pinned = Pinned(anew, self._most, self._held)
            pinned = self._pinned
        with guarded(self._what):
            return ask(pinned)

    def vector(self, query: Point, k: int, where: Where | None = None) -> pd.DataFrame:
        """Exact: every vector is compared. Raises ValueError for a query of another shape, with
        NaN, or zero.
        """
        return self.whole(lambda: self.near(query, k, where))

    def text(self, terms: Sequence[str], k: int, where: Where | None = None) -> pd.DataFrame:
        return self.whole(lambda: self.found(terms, k, where))

    def near(self, query: Point, k: int, where: Where | None = None) -> list[RankedRow]:
        return [*self.near_many(np.asarray(query)[None], k, where)[0]]

    def near_many(
        self, queries: Vectors, k: int, where: Where | None = None
    ) -> Sequence[Sequence[RankedRow]]:
        points, dimension = np.asarray(queries, dtype=np.float32), self._pinned.dimension
        if points.shape[1:] != (dimension,) or not _directed(points):
            raise ValueError(
                f"got a query vector of shape {points.shape[1:]}; allowed: ({dimension},), finite, "
                f"not 0"
            )

        def nearest(pinned: Pinned) -> Sequence[Sequence[RankedRow]]:
            keys = pinned.keys(len(points))
            vectors = keys and pinned.vectors()
            if keys and vectors:
                lists, owner = (
                    vectors.nearest(points, k, keys.mask(where)),
                    PinnedRows(pinned, keys),
                )
                return [RankedRows(owner, *keys.best(*each, k)) for each in lists]
            found = nearest_rows(pinned.table, points, k, where)
            return [_hits(pinned, rows) for rows in found]

        return self._steadily(nearest) if len(points) else []

    def found(self, terms: Sequence[str], k: int, where: Where | None = None) -> list[RankedRow]:
        return [*self.found_many([terms], k, where)[0]]

    def found_many(
        self, queries: Sequence[Sequence[str]], k: int, where: Where | None = None
    ) -> Sequence[Sequence[RankedRow]]:
        asked = [findable(terms) for terms in queries]

        def best_matches(pinned: Pinned) -> Sequence[Sequence[RankedRow]]:
            keys = pinned.keys(len(asked))
            terms = keys and pinned.terms()
            if keys and terms:
                mask, owner = keys.mask(where), PinnedRows(pinned, keys)
                lists = (terms.best(words, k, mask) for words in asked)
                return [RankedRows(owner, *keys.best(*each, k)) for each in lists]
            return at_once(lambda words: matched(pinned, keys, words), asked)

        def matched(pinned: Pinned, keys: HeldKeys | None, words: Sequence[str]) -> list[RankedRow]:
            if not words:
                return []
            return _hits(pinned, ranked(Matching(pinned, keys, words, where).fetch, k))

        return self._steadily(best_matches) if any(asked) else [[] for _ in asked]

    def passages(
        self, choose: Callable[[], Sequence[RankedRow]], columns: Sequence[str] = tuple(ROWS.names)
    ) -> list[Record]:
        while True:
            rows = self._table_of(choose(), columns)
            if rows is not None:
                return [*rows.to_pylist()]

    def hold(self, columns: Sequence[str]) -> None:
        self._held = tuple(name for name in columns if name not in KEYS)
        with self._pinning:
            self._pinned = Pinned(self._pinned.table, self._most, self._held)

    def _rows_of(self, hits: Sequence[RankedRow], columns: Sequence[str]) -> pd.DataFrame | None:
        rows = self._table_of(hits, columns)
        return None if rows is None else from_arrow(rows)

    def _table_of(self, hits: Sequence[RankedRow], columns: Sequence[str]) -> pa.Table | None:
        schema = pa.schema([*map(ROWS.field, columns), pa.field("score", pa.float32())])
        if not hits:
            return schema.empty_table()
        stored = [name for name in columns if name not in KEYS]
        rows = self._steadily(lambda pinned: _read(pinned, hits, stored))
        if rows is None:
            return None
        known = {name: [getattr(hit, name) for hit in hits] for name in (*KEYS, "score")}
        arrays = [rows[name] if name in stored else known[name] for name in schema.names]
        return pa.table(arrays, schema)

    def rows(self, columns: Sequence[str]) -> Iterator[pd.DataFrame]:
        with guarded(self._what):
            for batch in (
                self._pinned.table.search()
                .select(list(columns))
                .to_batches(batch_size=ROWS_PER_FRAME)
            ):
                if batch.num_rows:
                    yield from_arrow(pa.Table.from_batches([batch]).select(list(columns)))

    def count(self) -> int:
        return self._steadily(lambda pinned: int(pinned.table.count_rows()))


class PinnedRows(NamedTuple):
    """Rows whose keys are in memory."""

    pinned: Pinned
    keys: HeldKeys

    def made(self, numbers: Numbers, scores: Sequence[float]) -> list[RankedRow]:
        places = self.keys.at_ranks(numbers)
        return _hits(self.pinned, self.keys.rows(places, scores))


def _read(pinned: Pinned, hits: Sequence[RankedRow], columns: Sequence[str]) -> pa.Table | None:
    """The rows of the hits in their order; None where they are of another state."""
    if any(hit.place[0] is not pinned for hit in hits):
        return None
    ids = [hit.place[1] for hit in hits]
    held = pinned.texts(columns, ids)
    if held is not None:
        return held
    rows = pinned.table.take_row_ids(ids).select([*columns]).with_row_id().to_arrow()
    lies = {row_id: n for n, row_id in enumerate(rows["_rowid"].to_pylist())}
    return rows.take([lies[row_id] for row_id in ids])


def _hits(pinned: Pinned, rows: pa.Table) -> list[RankedRow]:
    columns = [rows[name].to_pylist() for name in (*KEYS, "score")]
    places = [(pinned, row_id) for row_id in rows["_rowid"].to_pylist()]
    return [*map(RankedRow._make, zip(*columns, places, strict=True))]


def _directed(points: Vectors) -> bool:
    """Whether each of them points somewhere."""
    return bool(np.isfinite(points).all() and points.any(axis=1).all())


class Matching:
    """A full-text search, with keys from memory where they are held."""

    def __init__(
        self, pinned: Pinned, keys: HeldKeys | None, words: Sequence[str], where: Where | None
    ) -> None:
        self._table, self._words, self._where = pinned.table, words, where
        self._keys = keys
        mask = self._keys.mask(where) if self._keys else None
        share = 1.0 if mask is None else float(mask.mean())
        self._mask: Mask | None = None
        if self._keys and mask is None:
            self._where = None
        elif mask is not None and share >= LEAST_SHARE and pinned.indexed():
            self._where, self._mask = None, mask
        self._factor = 1.0 if self._mask is None else 1.5 / share

    def fetch(self, limit: int) -> pa.Table:
        """The best rows, at least `limit` where there are as many: KEYS, `_rowid` and `score`."""
        asked = int(limit * self._factor)
        while True:
            columns = ["_score"] if self._keys else [*KEYS, "_score"]
            rows = matching(self._table, self._words, columns, asked, self._where)
            scores = rows["_score"].to_numpy()
            if self._keys is None:
                return rows.append_column("score", pa.array(scores))
            places = self._keys.places(rows["_rowid"].to_numpy())
            if self._mask is None:
                return self._keys.rows(places, scores)
            seen = self._mask[places]
            if seen.sum() >= limit or len(rows) < asked:
                return self._keys.rows(places[seen], scores[seen])
            asked *= 4
