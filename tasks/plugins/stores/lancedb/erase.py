"""Taking rows out of every version of a Lance table: from what readers see, and from what lies on
disk.

A deleted row stays in its data file, in the full-text index and in older versions. So the kept
versions are written anew behind the newest one, each as its difference to the one before it, and
the old ones are removed with all their files.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import pyarrow as pa

from llmops.tasks.plugins.stores.lancedb.calls import guarded, prune, quoted, retried

if TYPE_CHECKING:
    from lancedb.table import Table

IDS_PER_QUERY = 2_000


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
    found = search.select(["chunk_id", "row_hash"]).to_arrow()
    return set(zip(found["chunk_id"].to_pylist(), found["row_hash"].to_pylist(), strict=True))


def forget(table: "Table", what: str, keep: Callable[[str], bool]) -> None:
    """Remove the tags that are not kept, every version older than the oldest tagged one, and every
    file that no version needs, also what a writer left that died before it committed."""
    with guarded(what):
        tags = {name: int(tag["version"]) for name, tag in table.tags.list().items()}
        for name in [name for name in tags if not keep(name)]:
            table.tags.delete(name)
        moments = {entry["version"]: entry["timestamp"] for entry in table.list_versions()}
    oldest = min((version for name, version in tags.items() if keep(name)), default=table.version)
    prune(table, what, moments[oldest], unverified=True)


def _parts(names: Sequence[str]) -> Iterator[Sequence[str]]:
    for first in range(0, len(names), IDS_PER_QUERY):
        yield names[first : first + IDS_PER_QUERY]
