"""What a reader holds in memory of a table at one version: what ranks each row, its vector, its
terms, and which rows fulfil a condition.

Keys, vectors and terms take at most `memory_allowed()` together, conditions a sixteenth of that;
where there is more, the table is asked instead.
"""

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property
from threading import RLock
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from llmops.tasks.filters import Where
from llmops.tasks.plugins.stores import KEYS, Numbers
from llmops.tasks.plugins.stores.lancedb.calls import matching
from llmops.tasks.plugins.stores.lancedb.postings import (
    Floats,
    HeldTerms,
    Mask,
    Places,
    TermsBatch,
)
from llmops.tasks.plugins.stores.lancedb.vectors import HeldVectors, VectorsBatch, plain
from llmops.tasks.plugins.stores.lancedb.where import sql
from llmops.tasks.schemas import Vectors

if TYPE_CHECKING:
    from lancedb.table import Table

LOADED_BESIDE = 200_000  # rows; fewer take about a second
SEARCHES = 4  # whoever asks more often has keys and vectors held in memory
SAME = 4e-7
"""Relative: more than scores differ by that are summed in another order, less than what a row more
or less makes of a score where there are at most MOST_COUNTED.
"""
MOST_COUNTED = 200_000
TIES = [("uri", "ascending"), ("ordinal", "ascending"), ("chunk_id", "ascending")]

RowIds = NDArray[np.uint64]
TieRanks = NDArray[np.int32]


class Pinned:
    """A table at one version, which never changes. For any number of threads."""

    def __init__(self, table: "Table", most: int, held: Sequence[str] = ()) -> None:
        self.table, self._most, self._held = table, most, held
        self.dimension: int = table.schema.field("vector").type.list_size
        self._lock, self._asked = RLock(), 0
        self._loading: Future[None] | None = None

    def keys(self, questions: int = 1) -> "HeldKeys | None":
        """None for the first searches, which the table answers sooner, while a large table is being
        loaded beside them, and for too many rows.
        """
        with self._lock:
            self._asked += questions
            return self._keys if self._asked > SEARCHES and self._loaded() else None

    def _loaded(self) -> bool:
        """Whether what is held may be looked at. Raises what the loading has raised."""
        if self._loading is None and self.table.count_rows() > LOADED_BESIDE:
            pool = ThreadPoolExecutor(1, "search-memory")
            self._loading = pool.submit(self._load)
            pool.shutdown(wait=False)
        if self._loading is None:  # each part when it is first wanted
            return True
        if not self._loading.done():
            return False
        self._loading.result()
        return True

    def _load(self) -> None:
        for part in ("_keys", "_vectors", "_terms", "_texts"):
            getattr(self, part)  # which keeps it

    def vectors(self) -> "HeldVectors | None":
        """None for too many."""
        with self._lock:
            return self._vectors

    def terms(self) -> "HeldTerms | None":
        """None for too many, and where Lance's index counts rows that are not there, or lacks some
        that are: its scores follow from what it counts.
        """
        with self._lock:
            return self._terms

    def texts(self, columns: Sequence[str], row_ids: Sequence[int]) -> pa.Table | None:
        """These columns of these rows, where they are held, and are not too much."""
        if not set(columns) <= set(self._held):
            return None
        with self._lock:
            there = self._asked > SEARCHES and self._loaded()
            keys, texts = (self._keys, self._texts) if there else (None, None)
        if keys is None or texts is None:
            return None
        return texts.take(pa.array(keys.places(np.array(row_ids, np.uint64))))

    def indexed(self) -> bool:
        """Whether the full-text index knows every row. The scores of those that it does not know
        depend on which of them fulfil the condition of a search.
        """
        with self._lock:
            return self._indexed

    @cached_property
    def _keys(self) -> "HeldKeys | None":
        return HeldKeys.load(self.table, self._most)

    @cached_property
    def _vectors(self) -> "HeldVectors | None":
        keys = self._keys
        if keys is None:
            return None
        shape, left = (len(keys.row_ids), self.dimension), self._most - keys.nbytes
        return HeldVectors.load(keys.vectors(), shape, left, keys.vectors_at)

    @cached_property
    def _terms(self) -> "HeldTerms | None":
        keys = self._keys
        if keys is None or len(keys.row_ids) > MOST_COUNTED or not self._indexed:
            return None
        used = keys.nbytes + (self._vectors.nbytes if self._vectors else 0)
        terms = HeldTerms.load(keys.terms(), len(keys.row_ids), self._most - used)
        return terms if terms and keys.counted_alike(terms) else None

    @cached_property
    def _texts(self) -> pa.Table | None:
        keys = self._keys
        if keys is None:
            return None
        others = (self._vectors, self._terms)
        left = self._most - keys.nbytes - sum(part.nbytes for part in others if part)
        rows = within(self.table, self._held, left)
        return rows and rows.take(pa.array(np.argsort(rows["_rowid"].to_numpy())))

    @cached_property
    def _indexed(self) -> bool:
        statistics = self.table.index_stats("terms_idx")
        return statistics is not None and statistics.num_unindexed_rows == 0


class HeldKeys:
    """The columns KEYS of every row; a row's place is its rank by Lance's row id."""

    def __init__(self, table: "Table", row_ids: RowIds, columns: pa.Table, most: int) -> None:
        order = np.argsort(row_ids)
        self._table, self.row_ids = table, row_ids[order]
        self._columns = columns.take(pa.array(order)).combine_chunks()
        self._by_tie_rank = pc.sort_indices(self._columns, TIES).to_numpy().astype(np.int32)
        self._tie_ranks = np.empty(len(order), np.int32)
        self._tie_ranks[self._by_tie_rank] = np.arange(len(order))
        self._masks: OrderedDict[str, Mask] = OrderedDict()
        self._most_masks = max(1, most // 16 // max(1, len(order)))
        self._lock = RLock()

    @classmethod
    def load(cls, table: "Table", most: int) -> "HeldKeys | None":
        """None where they take more than `most` bytes."""
        rows = within(table, KEYS, most)
        if not rows:
            return None
        return cls(table, rows["_rowid"].to_numpy(), rows.select(KEYS), most)

    @property
    def nbytes(self) -> int:
        return int(self._columns.nbytes + self.row_ids.nbytes + 2 * self._tie_ranks.nbytes)

    def places(self, row_ids: RowIds) -> Places:
        return np.searchsorted(self.row_ids, row_ids)

    def best(self, places: Places, scores: Floats, k: int) -> tuple[TieRanks, Floats]:
        """The rows of the k best scores, ties in the order of uri and ordinal: by their ranks in
        this order among all rows.
        """
        ranks = self._tie_ranks[places]
        order = np.lexsort((ranks, -scores))[:k]
        return ranks[order], scores[order]

    def at_ranks(self, ranks: Numbers) -> Places:
        """The places of rows that `best` gives."""
        places: Places = self._by_tie_rank[ranks]
        return places

    def rows(self, places: Places, scores: Sequence[float] | Floats) -> pa.Table:
        """Keys, `_rowid` and `score` of the rows at some places."""
        rows = self._columns.take(pa.array(places))
        return rows.append_column("_rowid", pa.array(self.row_ids[places])).append_column(
            "score", pa.array(scores, pa.float32())
        )

    def mask(self, where: Where | None) -> Mask | None:
        """Which places fulfil a condition; None: all. The table is asked once for each condition,
        as long as it is among those asked last.
        """
        if where is None:
            return None
        condition = sql(where)
        with self._lock:
            mask = self._masks.pop(condition, None)
        if mask is None:
            mask = self._fulfilling(condition)
        with self._lock:
            self._masks[condition] = mask
            while len(self._masks) > self._most_masks:
                self._masks.popitem(last=False)
        return None if mask.all() else mask

    def terms(self) -> Iterator[TermsBatch]:
        for batch in self._table.search().with_row_id(True).select(["terms"]).to_batches():
            yield TermsBatch(self.places(batch["_rowid"].to_numpy()), batch["terms"])

    def vectors(self) -> Iterator[VectorsBatch]:
        for batch in self._table.search().with_row_id(True).select(["vector"]).to_batches():
            yield VectorsBatch(self.places(batch["_rowid"].to_numpy()), plain(batch["vector"]))

    def vectors_at(self, places: Places) -> Vectors:
        """Read from the table, in the order of the places."""
        row_ids = self.row_ids[places].tolist()
        rows = self._table.take_row_ids(row_ids).select(["vector"]).with_row_id().to_arrow()
        found = np.concatenate([*map(plain, rows["vector"].chunks)])
        order = np.argsort(rows["_rowid"].to_numpy())
        wanted: Vectors = found[order[np.argsort(np.argsort(row_ids))]]
        return wanted

    def counted_alike(self, terms: HeldTerms) -> bool:
        """Whether Lance gives a few single terms the same scores."""
        for word in terms.samples():
            best = matching(self._table, [word], ["_score"], 1, None)
            ours = terms.scores([word])[self.places(best["_rowid"].to_numpy())]
            if len(ours) != 1 or not np.allclose(ours, best["_score"], rtol=SAME, atol=0):
                return False
        return True

    def _fulfilling(self, condition: str) -> Mask:
        mask = np.zeros(len(self.row_ids), np.bool_)
        search = self._table.search().where(condition).with_row_id(True).select(["_rowid"])
        for batch in search.to_batches():
            mask[self.places(batch["_rowid"].to_numpy())] = True
        return mask


def within(table: "Table", columns: Sequence[str], most: int) -> pa.Table | None:
    """Every row, with `_rowid`; None where they take more than `most` bytes, or there is none."""
    batches, size = [], 0
    for batch in table.search().with_row_id(True).select([*columns]).to_batches():
        batches.append(batch)
        size += batch.nbytes
        if size > most:
            return None
    return pa.Table.from_batches(batches) if batches else None
