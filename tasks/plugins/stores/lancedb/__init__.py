"""LanceDB, embedded or in an object store. A snapshot is the number of a Lance table version, as
text.

Writers stage as ordinary commits; what is published is a version number, and readers check out
theirs. A sealed version carries a tag, which keeps Lance from pruning it and tells it from a
version of the same number of a table made anew. The tag says where the version lies: after an
erasure that is under another number.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar

import pandas as pd
import pyarrow as pa

from llmops.tasks.errors import Damaged
from llmops.tasks.filters import Fields
from llmops.tasks.plugins.stores import Store, StoreCollection, StoreReader
from llmops.tasks.plugins.stores._frames import REPAIR, packed, schema_of
from llmops.tasks.plugins.stores.lancedb.calls import (
    NEVER,
    follow,
    forget,
    guarded,
    keyed,
    prune,
    quoted,
    retried,
    tags_of,
    without,
)
from llmops.tasks.plugins.stores.lancedb.library import import_lancedb
from llmops.tasks.plugins.stores.lancedb.memory import memory_allowed
from llmops.tasks.plugins.stores.lancedb.reader import LanceDBReader
from llmops.tasks.schemas import Vectors

if TYPE_CHECKING:
    from lancedb.db import DBConnection
    from lancedb.index import FTS
    from lancedb.table import Table

IDS_PER_DELETE = 2_000
NO_FIELDS: Fields = MappingProxyType({})
WHOLE_ROWS = 200_000  # takes 0.5 s of CPU for 20,000 rows; a search of other rows costs 4 ms more
FLAT_ROWS = 2_000  # each thousand rows outside the index adds about 5 ms to a text search
FLAT_SHARE = 0.02  # and the indexed rows are scored without knowing them
DELETED_SHARE = 0.2  # deleted rows lie on disk and in the statistics of the index
FRAGMENTS = 64  # more files slow a scan of the vectors


class LanceDBCollection(StoreCollection):
    def __init__(self, database: "DBConnection", name: str, schema: pa.Schema) -> None:
        self._database, self._name, self._schema = database, name, schema
        self._what = f"the LanceDB table {name!r}"
        self._most = memory_allowed()

    def _open(self) -> "Table":
        with guarded(self._what):
            return self._database.open_table(self._name)

    def recover(self, snapshot: str | None) -> None:
        table = self._open()
        if snapshot is None:
            if table.count_rows():
                retried(table, self._what, lambda: table.delete("true"))
            return
        tags = self._sealed(table, snapshot)
        sealed = tags[f"sealed-{snapshot}"]
        if table.version not in (sealed, tags.get(f"restored-{snapshot}")):
            retried(table, self._what, lambda: table.restore(sealed))
            self._tag(table, f"restored-{snapshot}")

    def _sealed(self, table: "Table", snapshot: str) -> dict[str, int]:
        """All tags with their versions. Raises Damaged when `snapshot` is not among them."""
        with guarded(self._what):
            tags = tags_of(table)
        if f"sealed-{snapshot}" not in tags:
            raise Damaged(f"{self._what} has no snapshot {snapshot}", hint=REPAIR)
        return tags

    def _tag(self, table: "Table", name: str) -> None:
        with guarded(self._what):
            if name in tags_of(table):
                table.tags.update(name, table.version)
            else:
                table.tags.create(name, table.version)

    def stage(
        self, version: int, rows: pd.DataFrame, vectors: Vectors, retire: Sequence[str]
    ) -> None:
        """Two commits per call. Rows that are there already are replaced: a stage that is repeated
        adds nothing twice.

        Raises ValueError for a wrong shape, NaN, infinity or zero among the vectors; then nothing
        was written.
        """
        del version
        new = packed(rows, vectors, self._schema)
        table = self._open()
        ids = sorted({*retire, *new["chunk_id"].to_pylist()}) if table.count_rows() else []
        for first in range(0, len(ids), IDS_PER_DELETE):
            listed = quoted(ids[first : first + IDS_PER_DELETE])
            retried(table, self._what, partial(table.delete, f"chunk_id IN ({listed})"))
        if len(new):
            retried(table, self._what, lambda: table.add(new))

    def seal(self, version: int) -> str:
        """Index what is new. Up to WHOLE_ROWS rows the full-text index is written anew, so that it
        counts these rows and no others; beyond them when much is new, as a few rows outside the
        index are found all the same.
        """
        from lancedb.index import BTree

        del version
        table = self._open()
        with guarded(self._what):
            names = {index.name for index in table.list_indices()}
            staged = table.version not in tags_of(table).values()
            few = table.count_rows() <= WHOLE_ROWS
        if "chunk_id_idx" not in names:
            retried(table, self._what, lambda: table.create_index("chunk_id", config=BTree()))
        if "terms_idx" in names and self._worn(table, few):
            # Lance also prunes by age here, by default after a week, and fails when a tag stands in
            # the way.
            retried(table, self._what, lambda: table.optimize(cleanup_older_than=NEVER))
        if "terms_idx" not in names or (staged and few):
            index = full_text()
            retried(table, self._what, lambda: table.create_index("terms", config=index))
        self._tag(table, f"sealed-{table.version}")
        return str(table.version)

    def _worn(self, table: "Table", few: bool) -> bool:
        """Whether searches or the disk have suffered enough from small changes to rewrite files
        and, where there are not `few` rows, the index.
        """
        with guarded(self._what):
            flat = table.index_stats("terms_idx").num_unindexed_rows  # type: ignore[union-attr]
            newest = max(table.list_versions(), key=lambda entry: entry["version"])["metadata"]
        live, deleted = int(newest["total_rows"]), int(newest["total_deletion_file_rows"])
        many_files = int(newest["total_fragments"]) > FRAGMENTS
        much_is_new = not few and flat > min(FLAT_ROWS, FLAT_SHARE * live)
        return much_is_new or deleted > DELETED_SHARE * live or many_files

    def at(self, snapshot: str) -> StoreReader:
        what = f"snapshot {snapshot} of {self._what}"
        return LanceDBReader(lambda: self._pinned(snapshot), what, self._most)

    def _pinned(self, snapshot: str) -> "Table":
        table = self._open()
        version = self._sealed(table, snapshot)[f"sealed-{snapshot}"]
        with guarded(self._what):
            table.checkout(version)
        return table

    def unpublished(self, snapshot: str) -> int:
        table = self._open()
        tags = self._sealed(table, snapshot)
        if table.version in (tags[f"sealed-{snapshot}"], tags.get(f"restored-{snapshot}")):
            return 0
        with guarded(self._what):
            return len(keyed(table).symmetric_difference(keyed(self._pinned(snapshot))))

    def gc(self, keep: Sequence[str]) -> None:
        """Untag what is not kept, then let Lance remove every version older than the oldest one
        kept.

        Lance compacts on the way: where the newest version is a kept one, `recover` learns that
        this is the same.
        """
        table = self._open()
        kept = {f"sealed-{snapshot}" for snapshot in keep} | {
            f"restored-{snapshot}" for snapshot in keep
        }
        with guarded(self._what):
            tags = tags_of(table)
            for name in tags.keys() - kept:
                table.tags.delete(name)
            versions = {entry["version"]: entry["timestamp"] for entry in table.list_versions()}
        newest = [name.split("-")[1] for name in tags.keys() & kept if tags[name] == table.version]
        retried(table, self._what, lambda: table.optimize(cleanup_older_than=NEVER))
        prune(
            table,
            self._what,
            versions[min((tags[name] for name in tags.keys() & kept), default=table.version)],
        )
        if newest:
            self._tag(table, f"restored-{newest[0]}")

    def erase(self, doc_ids: Sequence[str], keep: Sequence[str]) -> None:
        """Costs about as much as building the oldest kept version anew, without embedding; the disk
        holds both for a while.
        """
        table, others = self._open(), f"doc_id NOT IN ({quoted(doc_ids)})"
        ordered = sorted(set(keep), key=int)
        for place, snapshot in enumerate(ordered):
            (follow if place else without)(table, self._pinned(snapshot), self._what, others)
            self.seal(0)
            with guarded(self._what):
                table.checkout_latest()  # type: ignore[no-untyped-call]
                table.tags.update(f"sealed-{snapshot}", table.version)
        if not ordered:
            without(table, table, self._what, "false")
        forget(table, self._what, {f"sealed-{snapshot}" for snapshot in ordered}.__contains__)


class LanceDBStore(Store):
    """LanceDB. `uri`: a folder, or an object store (`s3://…`, `gs://…`, `az://…`); default:
    LLMOPS_HOME/lancedb.
    """

    requires: ClassVar[dict[str, str]] = {"lancedb": "pip install lancedb"}
    uri: str | None = None

    def open(
        self, name: str, dimension: int, home: Path, fields: Fields = NO_FIELDS
    ) -> StoreCollection:
        schema, database = schema_of(dimension, fields), self._connect(home)
        what = f"the LanceDB table {name!r}"
        try:
            with guarded(what):
                table = database.open_table(name)
        except Damaged:
            with guarded(what):
                table = database.create_table(name, schema=schema, exist_ok=True)
        held = table.schema.field("vector").type.list_size
        if held != dimension:
            raise Damaged(
                f"{what} holds vectors of dimension {held}, not {dimension}",
                hint="drop the collection, or use the embedder that it was built with",
            )
        return LanceDBCollection(database, name, schema)

    def folder(self, home: Path) -> Path | None:
        return home / "lancedb" if self.uri is None else None

    def load(self) -> None:
        import_lancedb()

    def drop(self, name: str, home: Path) -> None:
        with guarded(f"the LanceDB table {name!r}"):
            self._connect(home).drop_table(name, ignore_missing=True)  # type: ignore[call-arg]

    def _connect(self, home: Path) -> "DBConnection":
        import_lancedb()
        import lancedb

        with guarded("LanceDB"):
            return lancedb.connect(self.uri or str(self.folder(home)))


def full_text() -> "FTS":
    from lancedb.index import FTS

    return FTS(
        base_tokenizer="whitespace",
        lower_case=False,
        stem=False,
        remove_stop_words=False,
        ascii_folding=False,
        max_token_length=None,
    )
