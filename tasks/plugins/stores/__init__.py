"""Where chunks and vectors live, so that a reader is pinned to a published version.

A `Store` opens collections. A collection is written by one builder at a time and read by many, each
at a **snapshot**: a token that `seal` returns and that names exactly one state. Readers at a
snapshot see the same rows for as long as it is kept, whatever is staged beside them.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple, get_args

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from llmops.tasks.filters import Fields, Kind, Where, column
from llmops.tasks.plugins import Plugin
from llmops.tasks.schemas import CHUNKS, Record, Vectors, from_arrow, records

# raised when ROWS changes: collections are then built anew, with the vectors that were paid for
REVISION = 2

ROWS = pa.schema(
    [
        *CHUNKS,
        pa.field("uri", pa.string()),
        pa.field("title", pa.string()),
        pa.field("source", pa.string()),
        pa.field("language", pa.string()),
        pa.field("media_type", pa.string()),
        pa.field("metadata", pa.string()),
        pa.field("flags", pa.list_(pa.string())),
        pa.field("labels", pa.list_(pa.string())),
        pa.field("row_hash", pa.string()),
        pa.field("terms", pa.string()),
    ]
)
"""What a collection holds beside the vector. `terms`: the analysed text for full-text search, terms
separated by spaces. `labels`: who may read it, never empty. `row_hash`: digest of everything else,
for verify."""


Point = NDArray[np.floating[Any]]
"""One vector, shape (dimension,)."""


TYPES: Mapping[Kind, pa.DataType] = {
    "text": pa.string(),
    "date": pa.string(),
    "integer": pa.int64(),
    "number": pa.float64(),
    "boolean": pa.bool_(),
    "texts": pa.list_(pa.string()),
}
assert set(TYPES) == set(get_args(Kind))


def rows_schema(fields: Fields) -> pa.Schema:
    """ROWS, and a column for each declared field, all nullable."""
    declared = [pa.field(column(name), TYPES[kind]) for name, kind in fields.items()]
    return pa.schema([*ROWS, *declared])


KEYS = ("chunk_id", "uri", "ordinal", "doc_id", "start", "end")
"""What a `RankedRow` holds of a row, in its order."""


class RankedRow(NamedTuple):
    """A row in a list of results: what ranks it and tells it from others, and `place`, by which its
    reader finds it again.
    """

    chunk_id: str
    uri: str
    ordinal: int
    doc_id: str
    start: int
    end: int
    score: float
    place: tuple[object, int]

    @property
    def rank(self) -> tuple[float, str, int, str]:
        """Best first, ties in the order of uri and ordinal."""
        return -self.score, self.uri, self.ordinal, self.chunk_id


class StoreReader(ABC):
    """A collection at one snapshot. Frames come back with the columns of ROWS and a float column
    `score`, best first.

    `where`: only rows that fulfil it, chosen before the k best are, with the meaning of
    `filters.evaluate.matches`.

    A search looks at many more rows than it returns. `near` and `found` are the lists of `vector`
    and `text` without their texts, `whole` gives the rows of what was chosen among them.
    """

    @abstractmethod
    def vector(self, query: Point, k: int, where: Where | None = None) -> pd.DataFrame:
        """The k rows nearest to the query vector of shape (dimension,); score = cosine
        similarity.
        """

    @abstractmethod
    def text(self, terms: Sequence[str], k: int, where: Where | None = None) -> pd.DataFrame:
        """The k best rows by BM25 over `terms`; no row without a common term."""

    def near(self, query: Point, k: int, where: Where | None = None) -> list[RankedRow]:
        """The rows of `vector`."""
        return _hits(self.vector(query, k, where))

    def found(self, terms: Sequence[str], k: int, where: Where | None = None) -> list[RankedRow]:
        """The rows of `text`."""
        return _hits(self.text(terms, k, where))

    def whole(
        self, choose: Callable[[], Sequence[RankedRow]], columns: Sequence[str] = tuple(ROWS.names)
    ) -> pd.DataFrame:
        """The rows that `choose` returns, in its order: the columns asked for (of ROWS), and
        `score`. Each column that is not among KEYS costs a reading.

        `choose` is called again where an erasure has come between its searches and the reading.
        """
        while True:
            rows = self._rows_of(choose(), columns)
            if rows is not None:
                return rows

    def passages(
        self, choose: Callable[[], Sequence[RankedRow]], columns: Sequence[str] = tuple(ROWS.names)
    ) -> list[Record]:
        """What `whole` gives, as plain values: a frame of a few rows costs more than to find
        them.
        """
        return records(self.whole(choose, columns))

    def hold(self, columns: Sequence[str]) -> None:  # noqa: B027 - a store need not
        """Keep these columns in memory as well, where there is room and the store can. For whoever
        lets the reader go when something is erased: it would not notice.
        """

    def _rows_of(self, hits: Sequence[RankedRow], columns: Sequence[str]) -> pd.DataFrame | None:
        """None where the hits are of a state that is gone."""
        frames = {id(hit.place[0]): hit.place[0] for hit in hits}
        parts = [frame for frame in frames.values() if isinstance(frame, pd.DataFrame)]
        whole = pd.concat(parts or [from_arrow(ROWS.empty_table())], ignore_index=True)
        starts = dict(zip(frames, np.cumsum([0, *map(len, parts)]), strict=False))
        places = [int(starts[id(hit.place[0])]) + hit.place[1] for hit in hits]
        rows = whole[[*columns]].take(places).reset_index(drop=True)
        return rows.assign(score=pd.array([hit.score for hit in hits], "float[pyarrow]"))

    @abstractmethod
    def rows(self, columns: Sequence[str]) -> Iterator[pd.DataFrame]:
        """Every row, in frames of bounded size, with the columns asked for (of `rows_schema`, and
        `vector`).
        """

    @abstractmethod
    def count(self) -> int:
        """How many rows there are."""


def _hits(rows: pd.DataFrame) -> list[RankedRow]:
    columns = [rows[name].to_numpy(object) for name in (*KEYS, "score")]
    places = [(rows, n) for n in range(len(rows))]
    return [*map(RankedRow._make, zip(*columns, places, strict=True))]


class StoreCollection(ABC):
    """One physical table. The order of a build: recover, stage …, seal; publishing is the ledger's
    affair.
    """

    @abstractmethod
    def recover(self, snapshot: str | None) -> None:
        """Drop all that was staged after `snapshot` (None: everything). Idempotent; serves crash,
        rejection and rollback.

        A later snapshot, and a reader at it, then reads as it did or raises Damaged: never a mix.
        """

    @abstractmethod
    def stage(
        self, version: int, rows: pd.DataFrame, vectors: Vectors, retire: Sequence[str]
    ) -> None:
        """Remove the rows with the chunk_ids in `retire`, then add rows; readers at earlier
        snapshots see no difference.

        A chunk_id may be retired and added in one call: that replaces its row.
        """

    @abstractmethod
    def seal(self, version: int) -> str:
        """Make all that was staged searchable and return its snapshot."""

    @abstractmethod
    def at(self, snapshot: str) -> StoreReader:
        """A reader. Raises Damaged when the snapshot or the table no longer exists."""

    @abstractmethod
    def unpublished(self, snapshot: str) -> int:
        """How many rows the newest state has added to, or lacks of, a snapshot: staged, or changed
        by somebody else. 0: the same.
        """

    @abstractmethod
    def gc(self, keep: Sequence[str]) -> None:
        """Free what no snapshot in `keep` needs."""

    @abstractmethod
    def erase(self, doc_ids: Sequence[str], keep: Sequence[str]) -> None:
        """Take the rows of documents out of every snapshot in `keep`, and from disk; other
        snapshots and what is staged are dropped.

        The kept snapshots keep their names and their other rows. A reader that is pinned to one
        goes on; a scan by `rows` that runs at that moment may end with Damaged. The newest state is
        then that of the newest snapshot. Idempotent: after a crash it is called again. The bytes of
        a server's files are freed when the server compacts them.
        """


class Store(Plugin, ABC):
    """The typed configuration of a vector store. Raises Unavailable where it cannot be reached."""

    family: ClassVar[str] = "stores"

    @abstractmethod
    def open(
        self, name: str, dimension: int, home: Path, fields: Fields = MappingProxyType({})
    ) -> StoreCollection:
        """The collection of that name, created when it does not exist. `home` is LLMOPS_HOME, for
        stores that are embedded.

        `fields`: the declared fields, the same for all calls with one name.
        """

    def folder(self, home: Path) -> Path | None:
        """Where in the home its files lie; None: they are elsewhere."""
        del home
        return None

    @abstractmethod
    def drop(self, name: str, home: Path) -> None:
        """Remove a collection and all its snapshots; a missing one is no error."""


Frames = Iterable[pd.DataFrame]
