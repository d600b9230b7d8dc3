"""Whether an export is what was written, before anything of it is believed or kept."""

import json
import re
import tempfile
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from llmops.tasks import progress
from llmops.tasks.errors import DocumentError, disk_trouble
from llmops.tasks.filters.metadata import owner_columns
from llmops.tasks.knowledge.changes import row_hash
from llmops.tasks.knowledge.transform import Row
from llmops.tasks.maintenance.portable import (
    LEDGER,
    Manifest,
    batches,
    damaged,
    digest_of,
    path_of,
    schemas,
)
from llmops.tasks.plugins import stores
from llmops.tasks.schemas import CHUNKS, doc_id

ID = re.compile(r"[0-9a-f]{32}")
HASH = re.compile(r"[0-9a-f]{64}")
LENGTH = 1e-3  # how far from 1 the length of a vector may be, after a store has rounded it
DOCUMENTS_AT_ONCE, ROWS_AT_ONCE = 64, 2_048
FILLED = (
    "text",
    "markup",
    "media_type",
    "content_hash",
    "metadata",
    "revision",
    "fetched_at",
    *LEDGER.names,
)
LONGEST = {"source": 63, "language": 8} | dict.fromkeys(LEDGER.names, 16)


@dataclass
class Owners:
    """doc_id -> what the rows of its chunks hold of the document, and how many chunks it has."""

    columns: dict[str, Row] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)


class Texts:
    """Texts by key, in a temporary file without a name. The one that was asked for last is kept at
    hand.
    """

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by __exit__
        self._places: dict[str, tuple[int, int]] = {}
        self._last: tuple[str, str] | None = None

    def add(self, key: str, text: str) -> None:
        content = text.encode()
        self._places[key] = (self._file.tell(), len(content))
        self._file.write(content)

    def of(self, key: str) -> str:
        """Raises KeyError for one that was never added. No text may be added afterwards."""
        if self._last is None or self._last[0] != key:
            start, size = self._places[key]
            self._file.seek(start)
            self._last = (key, self._file.read(size).decode())
        return self._last[1]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()


@dataclass
class _Seen:
    """The chunks so far: their ids, and the ordinals in each document."""

    ids: set[str] = field(default_factory=set)
    ordinals: defaultdict[str, set[int]] = field(default_factory=lambda: defaultdict(set))


def check(folder: Path, manifest: Manifest) -> Owners:
    """Verify hashes, lengths, columns, numbers of rows, the dimension, ids, places and what belongs
    together. Raises Damaged.
    """
    wanted = schemas(manifest.facts.fields, manifest.dimension)
    for name, file in manifest.files.each().items():
        path = path_of(folder, name)
        if not path.is_file():
            raise damaged(path, "the file is missing")
        if path.stat().st_size != file.bytes or digest_of(path) != (file.sha256, file.bytes):
            raise damaged(path, "its content is not what the manifest says")
        _shape(path, file.rows, wanted[name])
    try:
        with Texts() as texts:
            owners = _documents(path_of(folder, "documents"), manifest, texts)
            _chunks(folder, manifest, owners, texts)
    except (
        pa.ArrowException,
        OSError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        RecursionError,
        DocumentError,
    ) as error:
        if (trouble := disk_trouble(error)) is not None:
            raise trouble from error
        raise damaged(folder, f"it cannot be read: {str(error)[:300]}") from error
    return owners


def _shape(path: Path, rows: int, schema: pa.Schema) -> None:
    try:
        with pq.ParquetFile(path) as file:
            held, count = file.schema_arrow, file.metadata.num_rows
    except (pa.ArrowException, OSError) as error:
        raise damaged(path, f"it is no Parquet file: {error}") from error
    if count != rows:
        raise damaged(path, f"it has {count} rows, the manifest says {rows}")
    if held.names != schema.names or held.types != schema.types:
        wrong = [
            name
            for name in schema.names
            if name not in held.names or held.field(name).type != schema.field(name).type
        ]
        raise damaged(
            path,
            f"its columns are not those of a knowledge base: {', '.join(wrong) or 'another order'}",
        )


def _documents(path: Path, manifest: Manifest, texts: Texts) -> Owners:
    owners = Owners()
    every = batches(path, DOCUMENTS_AT_ONCE)
    for table in progress.each(every, "check", manifest.counts.documents, size=len):
        for name in FILLED:
            if table[name].null_count:
                raise damaged(path, f"the column {name} has empty values")
        for row in table.to_pylist():
            if row["doc_id"] in owners.columns:
                raise damaged(path, f"the document {row['uri']!r} is there twice")
            _document(path, row)
            owners.columns[row["doc_id"]] = owner_columns(manifest.facts, row)
            texts.add(row["doc_id"], row["text"])
    owners.counts = dict.fromkeys(owners.columns, 0)
    return owners


def _document(path: Path, row: Row) -> None:
    """One document by itself."""
    if (
        row["source"] is None
        or row["uri"] is None
        or row["doc_id"] != doc_id(row["source"], row["uri"])
    ):
        raise damaged(path, f"the document {row['uri']!r} has an id that is not its own")
    if not HASH.fullmatch(row["content_hash"]):
        raise damaged(
            path,
            f"the document {row['uri']!r} has a content_hash that is no SHA-256: "
            f"{row['content_hash'][:40]!r}",
        )
    if long := [name for name, most in LONGEST.items() if len(row[name] or "") > most]:
        raise damaged(
            path, f"the document {row['uri']!r} has something too long in {', '.join(long)}"
        )
    if not isinstance(json.loads(row["metadata"]), dict):
        raise damaged(
            path,
            f"the document {row['uri']!r} has metadata that is no JSON object: "
            f"{row['metadata'][:40]}",
        )


def _chunks(folder: Path, manifest: Manifest, owners: Owners, texts: Texts) -> None:
    """Chunks and vectors side by side: the same ids in the same order, each once, each of a
    document that is there.
    """
    path, seen = path_of(folder, "chunks"), _Seen()
    vectors = batches(path_of(folder, "vectors"), ROWS_AT_ONCE)
    other = (
        ""
        if manifest.rows == stores.REVISION
        else f" (it has revision {manifest.rows} of the rows, this release {stores.REVISION})"
    )
    every = batches(path, ROWS_AT_ONCE)
    for table in progress.each(every, "check chunks", manifest.counts.chunks, "chunks", len):
        part = next(vectors, None)
        if part is None or part["chunk_id"] != table["chunk_id"]:
            raise damaged(folder, "chunks.parquet and vectors.parquet are not of the same chunks")
        _points(folder, part["vector"], manifest.dimension)
        # sorted, so that each text is fetched once
        for row in sorted(table.to_pylist(), key=lambda row: str(row["doc_id"])):
            _chunk(path, row, owners, seen, other)
            _place(path, row, texts.of(row["doc_id"]), seen)


def _points(folder: Path, column: pa.ChunkedArray, dimension: int) -> None:
    flat = pc.list_flatten(column)
    points = (
        flat.to_numpy().reshape(-1, dimension)
        if not (column.null_count or flat.null_count)
        else np.empty((0, dimension))
    )
    if len(points) != len(column) or not np.isfinite(points).all() or not points.any(axis=1).all():
        raise damaged(path_of(folder, "vectors"), "a vector is missing, zero, or not finite")
    if (np.abs(np.linalg.norm(points.astype(np.float64), axis=1) - 1) > LENGTH).any():
        raise damaged(path_of(folder, "vectors"), "a vector is not of length 1")


def _chunk(path: Path, row: Row, owners: Owners, seen: _Seen, other: str) -> None:
    """One chunk and its owner. The hash is made anew, whatever release wrote the export."""
    key, owner = row["chunk_id"], row["doc_id"]
    if not isinstance(key, str) or not ID.fullmatch(key) or key in seen.ids:
        raise damaged(path, f"the chunk id {str(key)[:40]!r} is wrong, or is there twice")
    if owner not in owners.columns:
        raise damaged(path, f"the chunk {key} belongs to no document of the export")
    if any(row[column.name] is None for column in CHUNKS if not column.nullable):
        raise damaged(path, f"the chunk {key} lacks something that every chunk has")
    if row_hash(chunk_of(row) | owners.columns[owner]) != row["row_hash"]:
        raise damaged(path, f"the chunk {key} is not what its hash and its document say{other}")
    seen.ids.add(key)
    owners.counts[owner] += 1


def _place(path: Path, row: Row, text: str, seen: _Seen) -> None:
    """Where a chunk stands in its document: at a place of its own in the order, with exactly that
    text between its offsets.
    """
    key, ordinals = row["chunk_id"], seen.ordinals[row["doc_id"]]
    if row["ordinal"] < 0 or row["ordinal"] in ordinals or row["tokens"] < 0:
        raise damaged(
            path,
            f"the chunk {key} has a number that cannot be, or that another one has: "
            f"ordinal {row['ordinal']}, "
            f"tokens {row['tokens']}",
        )
    if (
        not 0 <= row["start"] <= row["end"] <= len(text)
        or text[row["start"] : row["end"]] != row["text"]
    ):
        raise damaged(
            path,
            f"the chunk {key} is not what stands at {row['start']} to {row['end']} of its document",
        )
    ordinals.add(row["ordinal"])


def chunk_of(row: Row) -> Row:
    return {name: row[name] for name in CHUNKS.names}
