"""Searching a LanceDB table at one version: by vectors, by terms, under a condition."""

from collections.abc import Callable, Iterator, Sequence
from threading import Lock
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from llmops.tasks.errors import Damaged
from llmops.tasks.filters import And, Compare, HasAny, Missing, Not, OneOf, Or, Value, Where
from llmops.tasks.plugins.stores import ROWS, Point, StoreReader
from llmops.tasks.plugins.stores._frames import findable, ranked
from llmops.tasks.plugins.stores.lancedb.calls import guarded
from llmops.tasks.schemas import Vectors, from_arrow

if TYPE_CHECKING:
    import pyarrow as pa
    from lancedb.query import LanceQueryBuilder, MatchQuery
    from lancedb.table import Table


T = TypeVar("T")

ROWS_PER_FRAME = 4_096
SCANS = 2  # whoever asks more often has the vectors held in memory
ROUNDING = 1e-5  # far above the error of a float32 dot product, far below a difference that matters
MOST_BYTES = 256 * 2**20


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
                rows = (
                    _scanned(table, point, limit, where)
                    if matrix is None
                    else table.take_row_ids(matrix.nearest(point, limit))
                    .select([*ROWS.names, "vector"])
                    .to_arrow()
                )
                return _scored(rows, cosines(rows["vector"], point))

            return ranked(fetch, k)

        return self._steadily(nearest)

    def _held(self, table: "Table") -> "Matrix | None":
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
                rows = filtered(search, where).limit(limit).to_arrow()
                return _scored(rows, rows["_score"].to_numpy())

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


def _scored(table: pa.Table, scores: Sequence[float] | NDArray[np.float32]) -> pa.Table:
    return table.select(ROWS.names).append_column("score", pa.array(scores, pa.float32()))


def _match(terms: Sequence[str]) -> "MatchQuery":
    from lancedb import query

    match: Callable[..., MatchQuery] = query.MatchQuery
    return match(" ".join(terms), "terms")


def fits(table: "Table", rows: int) -> bool:
    return bool(0 < rows * table.schema.field("vector").type.list_size * 4 <= MOST_BYTES)


class Matrix:
    """Rows of length 1, shape (rows, dimension), and Lance's row id of each."""

    def __init__(self, table: "Table", rows: int) -> None:
        size = table.schema.field("vector").type.list_size
        self._ids, self._points = np.empty(rows, np.uint64), np.empty((rows, size), np.float32)
        first = 0
        for batch in table.search().with_row_id(True).select(["vector"]).to_batches():
            part = slice(first, first + batch.num_rows)
            self._ids[part], self._points[part] = batch["_rowid"].to_numpy(), plain(batch["vector"])
            first += batch.num_rows
        self._points /= np.linalg.norm(self._points, axis=1, keepdims=True)

    def nearest(self, point: Point, k: int) -> list[int]:
        """The row ids of the k nearest and of all that rounding may have put behind them, in no
        order.
        """
        scores = self._points @ (point / np.linalg.norm(point))
        if k < len(scores):
            least = np.partition(scores, len(scores) - k)[len(scores) - k]
            return self._ids[scores >= least - ROUNDING].tolist()  # type: ignore[no-any-return]
        return self._ids.tolist()


def plain(column: "pa.FixedSizeListArray") -> Vectors:
    """A fixed size list column as a matrix, without a copy."""
    matrix: Vectors = column.flatten().to_numpy(zero_copy_only=False).reshape(len(column), -1)
    return matrix


def cosines(column: "pa.ChunkedArray", point: Point) -> NDArray[np.float32]:
    """Cosine similarity of each vector, float32; equal vectors get equal scores wherever they
    stand.
    """
    vectors = np.concatenate([np.empty((0, len(point))), *(plain(part) for part in column.chunks)])
    products = (vectors * point.astype(np.float64)).sum(axis=1)
    lengths = np.sqrt((vectors**2).sum(axis=1)) * np.sqrt((point.astype(np.float64) ** 2).sum())
    similarities: NDArray[np.float32] = (products / lengths).astype(np.float32)
    return similarities


def filtered(search: "LanceQueryBuilder", where: Where | None) -> "LanceQueryBuilder":
    """A query that looks only at rows that fulfil a condition, before it ranks them."""
    return search if where is None else search.where(sql(where), prefilter=True)


def sql(where: Where, negated: bool = False) -> str:
    """Never NULL: what is missing makes a comparison false, so that NOT makes it true.

    NOT stands only before a single comparison: the planner takes exponential time over nested ones.
    """
    match where:
        case And(parts) | Or(parts):
            sign = " AND " if isinstance(where, And) != negated else " OR "
            return "(" + sign.join(sql(part, negated) for part in parts) + ")"
        case Not(part):
            return sql(part, not negated)
        case _:
            return f"(NOT {_single(where)})" if negated else _single(where)


def _single(where: Compare | OneOf | HasAny | Missing) -> str:
    match where:
        case Missing(column, kind):
            return (
                f"(array_length({column}) IS NULL OR array_length({column}) = 0)"
                if kind == "texts"
                else f"({column} IS NULL)"
            )
        case HasAny(column, values):
            return (
                f"({column} IS NOT NULL AND array_has_any({column}, "
                f"[{', '.join(map(_literal, values))}]))"
            )
        case OneOf(column, _, values):
            return f"({column} IS NOT NULL AND {column} IN ({', '.join(map(_literal, values))}))"
        case Compare(column, _, operator, value):
            return f"({column} IS NOT NULL AND {column} {operator} {_literal(value)})"


def _literal(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else repr(value)
