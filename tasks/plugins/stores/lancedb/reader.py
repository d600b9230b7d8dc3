"""Searching a LanceDB table at one version."""

from collections.abc import Callable, Iterator, Sequence
from threading import Lock
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from llmops.tasks.errors import Damaged
from llmops.tasks.filters import Where
from llmops.tasks.plugins.stores import ROWS, Point, StoreReader
from llmops.tasks.plugins.stores._frames import findable, ranked
from llmops.tasks.plugins.stores.lancedb.calls import guarded
from llmops.tasks.plugins.stores.lancedb.matrix import Matrix, cosines, fits
from llmops.tasks.plugins.stores.lancedb.where import filtered
from llmops.tasks.schemas import from_arrow

if TYPE_CHECKING:
    from lancedb.query import MatchQuery
    from lancedb.table import Table

T = TypeVar("T")

ROWS_PER_FRAME = 4_096
SCANS = 2  # whoever asks more often has the vectors held in memory


class LanceDBReader(StoreReader):
    """One handle, checked out at one version: it never follows what is written later. For any
    number of threads.

    `pin` opens the table at the snapshot. It is asked again where the files are gone, because an
    erasure has written the snapshot anew.
    """

    def __init__(self, pin: Callable[[], "Table"], name: str) -> None:
        self._pin, self._what = pin, name
        self._table = pin()
        self._dimension = self._table.schema.field("vector").type.list_size
        self._loading, self._asked = Lock(), 0
        self._matrix: Matrix | None = None

    def _steadily(self, ask: Callable[["Table"], T]) -> T:
        """What a question to the table comes to. Raises Damaged."""
        table = self._table
        try:
            with guarded(self._what):
                return ask(table)
        except Damaged:
            anew = self._pin()
            if anew.version == table.version:
                raise
        with self._loading:
            self._table, self._matrix, self._asked = anew, None, 0
        with guarded(self._what):
            return ask(anew)

    def vector(self, query: Point, k: int, where: Where | None = None) -> pd.DataFrame:
        """Exact: every vector is compared. Raises ValueError for a query of another shape, with
        NaN, or zero.
        """
        point = np.asarray(query, dtype=np.float32)
        if point.shape != (self._dimension,) or not np.isfinite(point).all() or not point.any():
            raise ValueError(
                f"got a query vector of shape {point.shape}; allowed: "
                f"({self._dimension},), finite, not 0"
            )

        def nearest(table: "Table") -> pd.DataFrame:
            matrix = self._held(table) if where is None else None

            def fetch(limit: int) -> pa.Table:
                found = (
                    _scanned(table, point, limit, where)
                    if matrix is None
                    else _taken(table, matrix.nearest(point, limit))
                )
                return _scored(found, cosines(found["vector"], point))

            return ranked(fetch, k)

        return self._steadily(nearest)

    def _held(self, table: "Table") -> Matrix | None:
        """The vectors in memory; None for the first searches, which a scan answers sooner, and for
        too many vectors.
        """
        with self._loading:
            if table is not self._table:
                return None  # another thread has opened it anew meanwhile
            self._asked += 1
            if self._matrix is None and self._asked > SCANS:
                rows = table.count_rows()
                self._matrix = Matrix(table, rows) if fits(table, rows) else None
            return self._matrix

    def text(self, terms: Sequence[str], k: int, where: Where | None = None) -> pd.DataFrame:
        words = findable(terms)
        query = _match(words)

        def best(table: "Table") -> pd.DataFrame:
            def fetch(limit: int) -> pa.Table:
                if not words:
                    return _scored(ROWS.empty_table(), [])
                search = table.search(query, query_type="fts").select([*ROWS.names, "_score"])
                found = filtered(search, where).limit(limit).to_arrow()
                return _scored(found, found["_score"].to_numpy())

            return ranked(fetch, k)

        return self._steadily(best)

    def rows(self, columns: Sequence[str]) -> Iterator[pd.DataFrame]:
        with guarded(self._what):
            for batch in (
                self._table.search().select(list(columns)).to_batches(batch_size=ROWS_PER_FRAME)
            ):
                if batch.num_rows:
                    yield from_arrow(pa.Table.from_batches([batch]).select(list(columns)))

    def count(self) -> int:
        return self._steadily(lambda table: int(table.count_rows()))


def _scanned(table: "Table", point: Point, limit: int, where: Where | None) -> pa.Table:
    search = (
        table.search(point, vector_column_name="vector")
        .distance_type("cosine")  # type: ignore[attr-defined]
        .bypass_vector_index()
    )
    return (
        filtered(search, where).select([*ROWS.names, "vector", "_distance"]).limit(limit).to_arrow()
    )


def _taken(table: "Table", row_ids: list[int]) -> pa.Table:
    return table.take_row_ids(row_ids).select([*ROWS.names, "vector"]).to_arrow()


def _scored(table: pa.Table, scores: Sequence[float] | NDArray[np.float32]) -> pa.Table:
    return table.select(ROWS.names).append_column("score", pa.array(scores, pa.float32()))


def _match(terms: Sequence[str]) -> "MatchQuery":
    from lancedb import query

    match: Callable[..., MatchQuery] = query.MatchQuery
    return match(" ".join(terms), "terms")
