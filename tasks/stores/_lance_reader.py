"""Searching a LanceDB table at one version."""

from collections.abc import Iterator, Sequence
from threading import Lock
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from tasks.filters import Where
from tasks.records import from_arrow
from tasks.stores import ROWS, Reader
from tasks.stores._lance import guarded, ranked
from tasks.stores._lance_matrix import Matrix, cosines, fits
from tasks.stores._lance_where import filtered

ROWS_PER_FRAME = 4_096
SCANS = 2  # whoever asks more often has the vectors held in memory


class LanceReader(Reader):
    """One handle, checked out at one version: it never follows what is written later. For any number of threads."""

    def __init__(self, table: Any, name: str) -> None:
        self._table, self._what = table, name
        self._dimension = table.schema.field("vector").type.list_size
        self._loading, self._asked = Lock(), 0
        self._matrix: Matrix | None = None

    def vector(self, query: Any, k: int, where: Where | None = None) -> pd.DataFrame:
        """Exact: every vector is compared. Raises ValueError for a query of another shape, with NaN, or zero."""
        point = np.asarray(query, dtype=np.float32)
        if point.shape != (self._dimension,) or not np.isfinite(point).all() or not point.any():
            raise ValueError(f"got a query vector of shape {point.shape}; allowed: ({self._dimension},), finite, not 0")
        with guarded(self._what):
            matrix = self._held() if where is None else None

            def fetch(limit: int) -> Any:
                found = self._scanned(point, limit, where) if matrix is None else self._taken(matrix.nearest(point, limit))
                return _scored(found, cosines(found["vector"], point))

            return ranked(fetch, k)

    def _held(self) -> Matrix | None:
        """The vectors in memory; None for the first searches, which a scan answers sooner, and for too many vectors."""
        with self._loading:
            self._asked += 1
            if self._matrix is None and self._asked > SCANS:
                rows = self._table.count_rows()
                self._matrix = Matrix(self._table, rows) if fits(self._table, rows) else None
            return self._matrix

    def _scanned(self, point: Any, limit: int, where: Where | None) -> Any:
        search = self._table.search(point, vector_column_name="vector").distance_type("cosine").bypass_vector_index()
        return filtered(search, where).select([*ROWS.names, "vector", "_distance"]).limit(limit).to_arrow()

    def _taken(self, row_ids: list[int]) -> Any:
        return self._table.take_row_ids(row_ids).select([*ROWS.names, "vector"]).to_arrow()

    def text(self, terms: Sequence[str], k: int, where: Where | None = None) -> pd.DataFrame:
        query = _match(terms)

        def fetch(limit: int) -> Any:
            if not terms:
                return _scored(ROWS.empty_table(), [])
            search = self._table.search(query, query_type="fts").select([*ROWS.names, "_score"])
            found = filtered(search, where).limit(limit).to_arrow()
            return _scored(found, found["_score"].to_numpy())

        with guarded(self._what):
            return ranked(fetch, k)

    def rows(self, columns: Sequence[str]) -> Iterator[pd.DataFrame]:
        with guarded(self._what):
            for batch in self._table.search().select(list(columns)).to_batches(batch_size=ROWS_PER_FRAME):
                if batch.num_rows:
                    yield from_arrow(pa.Table.from_batches([batch]).select(list(columns)))

    def count(self) -> int:
        with guarded(self._what):
            return int(self._table.count_rows())


def _scored(table: Any, scores: Any) -> Any:
    return table.select(ROWS.names).append_column("score", pa.array(scores, pa.float32()))


def _match(terms: Sequence[str]) -> Any:
    from lancedb import query

    match: Any = query.MatchQuery
    return match(" ".join(terms), "terms")
