"""Searching a LanceDB table at one version."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from tasks.records import from_arrow
from tasks.stores import ROWS, Reader
from tasks.stores._lance import guarded, ranked

ROWS_PER_FRAME = 4_096


class LanceReader(Reader):
    """One handle, checked out at one version: it never follows what is written later."""

    def __init__(self, table: Any, name: str) -> None:
        self._table, self._what = table, name
        self._dimension = table.schema.field("vector").type.list_size

    def vector(self, query: Any, k: int) -> pd.DataFrame:
        """Exact: every vector is compared. Raises ValueError for a query of another shape, with NaN, or zero."""
        point = np.asarray(query, dtype=np.float32)
        if point.shape != (self._dimension,) or not np.isfinite(point).all() or not point.any():
            raise ValueError(f"got a query vector of shape {point.shape}; allowed: ({self._dimension},), finite, not 0")

        def fetch(limit: int) -> Any:
            search = self._table.search(point, vector_column_name="vector").distance_type("cosine")
            found = search.bypass_vector_index().select([*ROWS.names, "_distance"]).limit(limit).to_arrow()
            return _scored(found, 1.0 - found["_distance"].to_numpy())

        with guarded(self._what):
            return ranked(fetch, k)

    def text(self, terms: Sequence[str], k: int) -> pd.DataFrame:
        query = _match(terms)

        def fetch(limit: int) -> Any:
            if not terms:
                return pa.table({**{f.name: pa.array([], f.type) for f in ROWS}, "score": pa.array([], pa.float32())})
            search = self._table.search(query, query_type="fts").select([*ROWS.names, "_score"])
            found = search.limit(limit).to_arrow()
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
