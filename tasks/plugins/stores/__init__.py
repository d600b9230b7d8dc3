"""Where chunks and vectors live, so that a reader is pinned to a published version.

A `Store` opens collections. A collection is written by one builder at a time and read by many, each
at a **snapshot**: a token that `seal` returns and that names exactly one state. Readers at a
snapshot see the same rows for as long as it is kept, whatever is staged beside them.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import chain, islice
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple, Protocol, TypeVar, get_args, overload

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


AT_ONCE = 4
MADE_AT_ONCE = 16
Numbers = NDArray[np.integer[Any]]
T = TypeVar("T")
R = TypeVar("R")

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


class RowsOwner(Protocol):
    """What the rows of lists are made of."""

    def made(self, numbers: Numbers, scores: Sequence[float]) -> list[RankedRow]: ...


@dataclass(frozen=True, eq=False)
class RankedRows(Sequence[RankedRow]):
    """A list of results, best first, whose rows are made when they are looked at: a search ranks
    many more than anybody sees. `numbers`: for each row its rank by uri, ordinal and chunk_id among
    all rows of `owner`, so that it tells rows apart and orders those of equal scores.
    """

    owner: RowsOwner
    numbers: Numbers
    scores: NDArray[np.floating[Any]]

    def __len__(self) -> int:
        return len(self.numbers)

    @overload
    def __getitem__(self, place: int) -> RankedRow: ...
    @overload
    def __getitem__(self, place: slice) -> list[RankedRow]: ...
    def __getitem__(self, place: int | slice) -> RankedRow | list[RankedRow]:
        if isinstance(place, slice):
            return self.owner.made(self.numbers[place], self.scores[place].tolist())
        number = range(len(self))[place]
        return self[number : number + 1][0]

    def __iter__(self) -> Iterator[RankedRow]:
        return self.after(0)

    def after(self, count: int) -> Iterator[RankedRow]:
        """Without so many of the best."""
        for first in range(count, len(self), MADE_AT_ONCE):
            yield from self[first : first + MADE_AT_ONCE]

    def with_scores(self, scores: NDArray[np.floating[Any]]) -> "RankedRows":
        return replace(self, scores=scores)


class _Listed:
    """Rows that are there."""

    def __init__(self, rows: Iterable[RankedRow]) -> None:
        by_id = {row.chunk_id: row for row in rows}
        self._rows = sorted(by_id.values(), key=lambda row: row.rank[1:])
        self.numbers = {row.chunk_id: number for number, row in enumerate(self._rows)}

    def made(self, numbers: Numbers, scores: Sequence[float]) -> list[RankedRow]:
        pairs = zip(numbers, scores, strict=True)
        return [self._rows[number]._replace(score=score) for number, score in pairs]


def ranked_rows(*lists: Sequence[RankedRow]) -> list[RankedRows]:
    """The lists as those of one owner."""
    made = [each for each in lists if isinstance(each, RankedRows)]
    if len(made) == len(lists) and all(each.owner == made[0].owner for each in made):
        return made
    rows = [[*each] for each in lists]
    owner = _Listed(chain.from_iterable(reversed(rows)))
    return [
        RankedRows(
            owner,
            np.array([owner.numbers[row.chunk_id] for row in each], np.intp),
            np.array([row.score for row in each], np.float64),
        )
        for each in rows
    ]


def rows_of(lists: Sequence[Sequence[RankedRow]]) -> list[Iterator[RankedRow]]:
    """The rows of each of many lists. Those that are looked at first are made in one go, which
    takes little longer than for one list.
    """
    first = next((each.owner for each in lists if isinstance(each, RankedRows)), None)
    made = [each for each in lists if isinstance(each, RankedRows) and each.owner == first]
    if first is None or len(made) < len(lists):
        return [*map(iter, lists)]
    numbers = np.concatenate([each.numbers[:MADE_AT_ONCE] for each in made])
    scores = np.concatenate([each.scores[:MADE_AT_ONCE] for each in made])
    rows = iter(first.made(numbers, scores.tolist()))
    return [
        chain([*islice(rows, min(len(each), MADE_AT_ONCE))], each.after(MADE_AT_ONCE))
        for each in made
    ]


def _hits(rows: pd.DataFrame) -> list[RankedRow]:
    columns = [rows[name].to_numpy(object) for name in (*KEYS, "score")]
    places = [(rows, n) for n in range(len(rows))]
    return [*map(RankedRow._make, zip(*columns, places, strict=True))]


class StoreReader(ABC):
    """A collection at one snapshot. Frames come back with the columns of ROWS and a float column
    `score`, best first.

    `where`: only rows that fulfil it, chosen before the k best are, with the meaning of
    `filters.evaluate.matches`.

    A search looks at many more rows than it returns. `near` and `found` are the lists of `vector`
    and `text` without their texts, `whole` gives the rows of what was chosen among them.
    `near_many` and `found_many` are for many questions in one call, which may cost less.
    `together`: for how many; what is found for all of them is in memory at once.
    """

    together: ClassVar[int] = 16

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

    def near_many(
        self, queries: Vectors, k: int, where: Where | None = None
    ) -> Sequence[Sequence[RankedRow]]:
        """`near` for each row of `queries`, of shape (questions, dimension)."""
        return at_once(lambda query: self.near(query, k, where), queries)

    def found_many(
        self, queries: Sequence[Sequence[str]], k: int, where: Where | None = None
    ) -> Sequence[Sequence[RankedRow]]:
        """`found` for each of many lists of terms."""
        return at_once(lambda terms: self.found(terms, k, where), queries)

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


def at_once(search: Callable[[T], R], queries: Iterable[T]) -> list[R]:
    """What a search comes to for each query, in their order. Several run at a time: a search mostly
    waits for the store.
    """
    asked = [*queries]
    if len(asked) < 2:
        return [*map(search, asked)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return [*pool.map(search, asked)]


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

    def load(self) -> None:
        """Import ahead what `open` would import at its first call. Raises what that call would
        raise.
        """

    @abstractmethod
    def drop(self, name: str, home: Path) -> None:
        """Remove a collection and all its snapshots; a missing one is no error."""


Frames = Iterable[pd.DataFrame]
