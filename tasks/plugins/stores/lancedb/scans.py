"""Vectors that are not in memory, compared while they are read."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from llmops.tasks.filters import Where
from llmops.tasks.plugins.stores import KEYS, Point
from llmops.tasks.plugins.stores._frames import best, ranked
from llmops.tasks.plugins.stores.lancedb.held import RowIds
from llmops.tasks.plugins.stores.lancedb.postings import Floats, kth_best
from llmops.tasks.plugins.stores.lancedb.vectors import ROUNDING, cosines, plain
from llmops.tasks.plugins.stores.lancedb.where import sql
from llmops.tasks.schemas import Vectors

if TYPE_CHECKING:
    from lancedb.table import Table

ROWS = 16_384
KEPT = 4  # times as many as are wanted, before some are let go


def nearest_rows(
    table: "Table", points: Vectors, k: int, where: Where | None
) -> Sequence[pa.Table]:
    """Of each point the k nearest rows, best first, ties in the order of uri and ordinal: KEYS,
    `_rowid` and `score`. All vectors are read once, however many points there are.
    """
    if len(points) == 1:
        return [ranked(lambda limit: _scanned(table, points[0], limit, where), k)]
    every = [Nearest(k) for _ in points]
    directions = points / np.linalg.norm(points, axis=1, keepdims=True)
    for row_ids, vectors in _read(table, where):
        rough = (directions @ vectors.T) / np.sqrt(np.vecdot(vectors, vectors))
        for nearest, scores in zip(every, rough, strict=True):
            nearest.add(row_ids, scores)
    return _exact(table, points, k, [nearest.row_ids() for nearest in every])


def _read(table: "Table", where: Where | None) -> Iterator[tuple[RowIds, Vectors]]:
    """Parts of about ROWS rows: a product of small ones keeps the cores waiting for each other."""
    search = table.search().with_row_id(True).select(["vector"])
    batches: list[pa.RecordBatch] = []
    rows = 0
    for batch in (search if where is None else search.where(sql(where))).to_batches():
        batches.append(batch)
        rows += batch.num_rows
        if rows >= ROWS:
            yield _part(batches)
            batches, rows = [], 0
    if rows:
        yield _part(batches)


def _part(batches: Sequence[pa.RecordBatch]) -> tuple[RowIds, Vectors]:
    row_ids = np.concatenate([batch["_rowid"].to_numpy() for batch in batches])
    return row_ids, np.concatenate([plain(batch["vector"]) for batch in batches])


class Nearest:
    """The rows that may be among the k nearest to a point, by what is known so far."""

    def __init__(self, k: int) -> None:
        self._k, self._least, self._count = k, -np.inf, 0
        self._row_ids: list[RowIds] = []
        self._scores: list[Floats] = []

    def add(self, row_ids: RowIds, scores: Floats) -> None:
        """`scores`: their cosines, but for rounding."""
        some = np.flatnonzero(scores >= self._least)
        self._row_ids.append(row_ids[some])
        self._scores.append(scores[some])
        self._count += len(some)
        if self._count > KEPT * self._k:
            self._let_go()

    def row_ids(self) -> RowIds:
        """In no order."""
        self._let_go()
        return self._row_ids[0]

    def _let_go(self) -> None:
        row_ids = np.concatenate([np.empty(0, np.uint64), *self._row_ids])
        scores = np.concatenate([np.empty(0, np.float32), *self._scores])
        if len(scores) > self._k:
            self._least = float(kth_best(scores, self._k) - ROUNDING)
            row_ids, scores = row_ids[scores >= self._least], scores[scores >= self._least]
        self._row_ids, self._scores, self._count = [row_ids], [scores], len(scores)


def _exact(table: "Table", points: Vectors, k: int, lists: Sequence[RowIds]) -> Sequence[pa.Table]:
    """The k best rows of each list, of which every row is read once."""
    wanted = np.unique(np.concatenate(lists))
    columns = [*KEYS, "vector"]
    rows = table.take_row_ids(wanted.tolist()).select(columns).with_row_id().to_arrow()
    rows = rows.take(pa.array(np.argsort(rows["_rowid"].to_numpy())))
    vectors, keys = _vectors(rows, points.shape[1]), rows.drop_columns(["vector"])
    found = []
    for point, row_ids in zip(points, lists, strict=True):
        places = np.searchsorted(wanted, row_ids)
        scores = pa.array(cosines(vectors.__getitem__, point, places), pa.float32())
        found.append(best(keys.take(pa.array(places)).append_column("score", scores), k))
    return found


def _scanned(table: "Table", point: Point, limit: int, where: Where | None) -> pa.Table:
    search = (
        table.search(point, vector_column_name="vector")
        .distance_type("cosine")  # type: ignore[attr-defined]
        .bypass_vector_index()
        .with_row_id(True)
    )
    if where is not None:
        search = search.where(sql(where), prefilter=True)
    rows = search.select([*KEYS, "vector", "_distance"]).limit(limit).to_arrow()
    points = _vectors(rows, len(point))
    scores = cosines(points.__getitem__, point, np.arange(len(points)))
    return rows.append_column("score", pa.array(scores, pa.float32()))


def _vectors(rows: pa.Table, dimension: int) -> Vectors:
    return np.concatenate(
        [np.empty((0, dimension), np.float32), *map(plain, rows["vector"].chunks)]
    )
