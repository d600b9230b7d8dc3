"""What LanceDB's calls need around them: its errors as ours, and conflicts tried again."""

import random
import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Protocol, TypeVar

import pyarrow as pa

from llmops.tasks.errors import Damaged, Unavailable
from llmops.tasks.filters import Where
from llmops.tasks.plugins.stores._frames import REPAIR
from llmops.tasks.plugins.stores.lancedb.where import sql

if TYPE_CHECKING:
    from lancedb.table import AsyncTable, Table


CONFLICT = ("commit conflict", "concurrent", "retryable", "too many")
GONE = ("not found", "no longer exists", "does not exist", "no such file")
BROKEN = (
    "corrupt",
    "invalid user input: ",
    "decode",
    "checksum",
    "invalid magic",
    "end of file",
    "out of range",
)
ATTEMPTS = 8
TAGS = "_refs/tags/"
INNER = re.compile(r"(Wrapped error: )+|,? ?(at )?/?[\w./+-]*\.rs:\d+:\d+,?")
NEVER = timedelta(days=36_500)
MARGINS = [timedelta(milliseconds=2) * 10**power for power in range(5)]

T = TypeVar("T")
IDS_PER_QUERY = 2_000


class VersionedTable(Protocol):
    """A table that can be taken to its newest version."""

    def checkout_latest(self) -> None: ...


@contextmanager
def guarded(what: str) -> Iterator[None]:
    """LanceDB raises RuntimeError, ValueError and OSError for nearly everything: the message tells
    them apart.

    Raises Damaged for what is gone or unreadable, Unavailable for conflicts and for a store that
    does not answer.
    """
    try:
        yield
    except (RuntimeError, ValueError, OSError) as error:
        message = str(error).lower()
        if any(sign in message for sign in GONE):
            lost = (
                "no longer exists"
                if "table" in message and "was not found" in message
                else "has lost files"
            )
            raise Damaged(f"{what} {lost}: {_short(error)}", hint=REPAIR) from error
        if any(sign in message for sign in CONFLICT):
            raise Unavailable(
                f"{what} is written by somebody else: {_short(error)}", hint="try again later"
            ) from error
        if isinstance(error, ValueError) or any(sign in message for sign in BROKEN):
            raise Damaged(f"{what} cannot be read: {_short(error)}", hint=REPAIR) from error
        raise Unavailable(
            f"{what} did not answer: {_short(error)}", hint="check its uri, disk and network"
        ) from error


def _short(error: Exception) -> str:
    """The first line, without the places in Lance's own source that it ends with."""
    text = INNER.sub("", str(error).strip())
    return text.splitlines()[0][:300] if text else type(error).__name__


def retried(table: VersionedTable, what: str, write: Callable[[], T]) -> T:
    """The result of a write, tried again from the newest version when another commit came first.

    Raises Unavailable when it still conflicts after about five seconds.
    """
    for attempt in range(ATTEMPTS):
        try:
            with guarded(what):
                return write()
        except Unavailable as error:
            if attempt + 1 == ATTEMPTS or not any(
                sign in str(error.__cause__).lower() for sign in CONFLICT
            ):
                raise
        time.sleep(0.02 * 2**attempt * (0.5 + random.random()))
        with guarded(what):
            table.checkout_latest()
    raise AssertionError("the last attempt returns or raises")


def tags_of(table: "Table") -> dict[str, int]:
    """Every tag with its version. Lance lists their files and then reads each: where a writer takes
    one away in between, they are listed anew.
    """
    for attempt in range(ATTEMPTS):
        try:
            return {name: int(tag["version"]) for name, tag in table.tags.list().items()}
        except RuntimeError as error:
            if TAGS not in str(error) or attempt + 1 == ATTEMPTS:
                raise
            time.sleep(0.001 * 2**attempt)
    raise AssertionError("the last attempt returns or raises")


def prune(table: "Table", what: str, oldest: datetime, *, unverified: bool = False) -> None:
    """Remove the versions committed before `oldest` (local time, as Lance lists it).

    `unverified`: also the files that no version has ever referred to; only where no other writer is
    at work.

    Lance takes an age and reads the clock itself, a little later: it refuses, harmlessly, when a
    tagged version has come to look too old by then. Hence the growing margins.
    """
    for margin in MARGINS:
        try:
            with guarded(what):
                age = datetime.now().astimezone() - oldest.astimezone()
                table.optimize(
                    cleanup_older_than=max(age + margin, margin), delete_unverified=unverified
                )
                return
        except Unavailable as error:
            if "tagged version" not in str(error) or margin == MARGINS[-1]:
                raise


def quoted(names: Iterable[str]) -> str:
    """Texts as SQL literals, for `IN (…)`."""
    return ", ".join("'" + name.replace("'", "''") + "'" for name in names)


def without(table: "Table", source: "Table", what: str, condition: str) -> None:
    """Make the table's newest version the rows of another, or of itself at another version, that
    fulfil a condition.

    Streams: memory holds a batch. All indexes of the table are gone afterwards.
    """
    with guarded(what):
        rows = source.search().where(condition).to_batches()
        stream = pa.RecordBatchReader.from_batches(table.schema, rows)
    # not retried: the stream is spent, and the lease keeps other writers away
    with guarded(what):
        table.add(stream, mode="overwrite")


def follow(table: "Table", source: "Table", what: str, condition: str) -> None:
    """Make the table's newest version the same as `without` does, by deleting and adding only what
    differs.
    """
    with guarded(what):
        wanted, there = keyed(source, condition), keyed(table)
    for part in _parts(sorted({key for key, _ in there - wanted})):
        retried(table, what, lambda part=part: table.delete(f"chunk_id IN ({quoted(part)})"))  # type: ignore[misc]
    for part in _parts(sorted({key for key, _ in wanted - there})):
        with guarded(what):
            rows = source.search().where(f"chunk_id IN ({quoted(part)})").to_arrow()
        retried(table, what, lambda rows=rows: table.add(rows.cast(table.schema)))  # type: ignore[misc]


def keyed(table: "Table", condition: str | None = None) -> set[tuple[str, str]]:
    """(chunk_id, row_hash) of every row."""
    search = table.search() if condition is None else table.search().where(condition)
    rows = search.select(["chunk_id", "row_hash"]).to_arrow()
    return set(zip(rows["chunk_id"].to_pylist(), rows["row_hash"].to_pylist(), strict=True))


def forget(table: "Table", what: str, keep: Callable[[str], bool]) -> None:
    """Remove the tags that are not kept, every version older than the oldest tagged one, and every
    file that no version needs, also what a writer left that died before it committed."""
    with guarded(what):
        tags = tags_of(table)
        for name in [name for name in tags if not keep(name)]:
            table.tags.delete(name)
        moments = {entry["version"]: entry["timestamp"] for entry in table.list_versions()}
    oldest = min((version for name, version in tags.items() if keep(name)), default=table.version)
    prune(table, what, moments[oldest], unverified=True)


def _parts(names: Sequence[str]) -> Iterator[Sequence[str]]:
    for first in range(0, len(names), IDS_PER_QUERY):
        yield names[first : first + IDS_PER_QUERY]


def matching(
    table: "Table", terms: Sequence[str], columns: Sequence[str], limit: int, where: Where | None
) -> pa.Table:
    """The best rows by BM25, with `_rowid`, in no order. As `table.search` has it, which asks for
    the schema several times on its way, and so takes twice as long.
    """
    from lancedb.query import BaseQueryBuilder, MatchQuery

    query: Callable[..., MatchQuery] = MatchQuery
    inner: AsyncTable = table._table  # type: ignore[attr-defined]
    search = inner.query().nearest_to_text(query(" ".join(terms), "terms"))
    if where is not None:
        search = search.where(sql(where))  # looked at before the rows are ranked
    return BaseQueryBuilder(search.select(list(columns)).with_row_id().limit(limit)).to_arrow()
