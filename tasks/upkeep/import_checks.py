"""Whether an export is what was written, before anything of it is believed or kept."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tasks import stores
from tasks.errors import DocumentError
from tasks.knowledge.changes import owner_columns, row_hash
from tasks.records import CHUNKS, doc_id
from tasks.upkeep.portable import LEDGER, Manifest, batches, damaged, digest_of, path_of, schemas

ID = re.compile(r"[0-9a-f]{32}")
DOCUMENTS_AT_ONCE, ROWS_AT_ONCE = 64, 2_048
FILLED = ("text", "markup", "media_type", "content_hash", "metadata", "revision", "fetched_at", *LEDGER.names)
OWNER = ["doc_id", "source", "uri", "title", "media_type", "language", "metadata"]


@dataclass
class Origin:
    """doc_id -> what the rows of its chunks hold of the document, and how many chunks it has."""

    owners: dict[str, dict[str, Any]] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)


def check(folder: Path, manifest: Manifest) -> Origin:
    """Verify hashes, lengths, columns, numbers of rows, the dimension, ids and what belongs together. Raises Damaged."""
    wanted = schemas(manifest.facts.fields, manifest.dimension)
    for name, file in manifest.files.each().items():
        path = path_of(folder, name)
        if not path.is_file():
            raise damaged(path, "the file is missing")
        if path.stat().st_size != file.bytes or digest_of(path) != (file.sha256, file.bytes):
            raise damaged(path, "its content is not what the manifest says")
        _shape(path, file.rows, wanted[name])
    try:
        origin = _documents(path_of(folder, "documents"), manifest)
        _chunks(folder, manifest, origin)
    except (pa.ArrowException, OSError, ValueError, KeyError, DocumentError) as error:
        raise damaged(folder, f"it cannot be read: {error}") from error
    return origin


def _shape(path: Path, rows: int, schema: Any) -> None:
    try:
        with pq.ParquetFile(path) as file:
            found, count = file.schema_arrow, file.metadata.num_rows
    except (pa.ArrowException, OSError) as error:
        raise damaged(path, f"it is no Parquet file: {error}") from error
    if count != rows:
        raise damaged(path, f"it has {count} rows, the manifest says {rows}")
    if found.names != schema.names or [one.type for one in found] != [one.type for one in schema]:
        wrong = [name for name in schema.names if name not in found.names or found.field(name).type != schema.field(name).type]
        raise damaged(path, f"its columns are not those of a knowledge base: {', '.join(wrong) or 'another order'}")


def _documents(path: Path, manifest: Manifest) -> Origin:
    origin = Origin()
    for table in batches(path, DOCUMENTS_AT_ONCE, [*OWNER]):
        for row in table.to_pylist():
            if row["source"] is None or row["uri"] is None or row["doc_id"] != doc_id(row["source"], row["uri"]):
                raise damaged(path, f"the document {row['uri']!r} has an id that is not its own")
            if row["doc_id"] in origin.owners:
                raise damaged(path, f"the document {row['uri']!r} is there twice")
            origin.owners[row["doc_id"]] = owner_columns(manifest.facts, row)
    origin.counts = dict.fromkeys(origin.owners, 0)
    _without_nulls(path, FILLED)
    return origin


def _without_nulls(path: Path, columns: Iterable[str]) -> None:
    for table in batches(path, DOCUMENTS_AT_ONCE, [*columns]):
        for name in table.column_names:
            if table[name].null_count:
                raise damaged(path, f"the column {name} has empty values")


def _chunks(folder: Path, manifest: Manifest, origin: Origin) -> None:
    """Chunks and vectors side by side: the same ids in the same order, each once, each of a document that is there."""
    path = path_of(folder, "chunks")
    seen: set[str] = set()
    vectors = batches(path_of(folder, "vectors"), ROWS_AT_ONCE)
    for table in batches(path, ROWS_AT_ONCE):
        part = next(vectors, None)
        if part is None or part["chunk_id"] != table["chunk_id"]:
            raise damaged(folder, "chunks.parquet and vectors.parquet are not of the same chunks")
        _points(folder, part["vector"], manifest.dimension)
        for row in table.to_pylist():
            _chunk(path, row, origin, seen, manifest.rows == stores.REVISION)


def _points(folder: Path, column: Any, dimension: int) -> None:
    flat = pc.list_flatten(column)
    points = flat.to_numpy().reshape(-1, dimension) if not (column.null_count or flat.null_count) else np.empty((0, dimension))
    if len(points) != len(column) or not np.isfinite(points).all() or not points.any(axis=1).all():
        raise damaged(path_of(folder, "vectors"), "a vector is missing, zero, or not finite")


def _chunk(path: Path, row: dict[str, Any], origin: Origin, seen: set[str], hashed: bool) -> None:
    key, owner = row["chunk_id"], row["doc_id"]
    if not isinstance(key, str) or not ID.fullmatch(key) or key in seen:
        raise damaged(path, f"the chunk id {str(key)[:40]!r} is wrong, or is there twice")
    if owner not in origin.owners:
        raise damaged(path, f"the chunk {key} belongs to no document of the export")
    if any(row[one.name] is None for one in CHUNKS if not one.nullable):
        raise damaged(path, f"the chunk {key} lacks something that every chunk has")
    if hashed and row_hash(chunk_of(row) | origin.owners[owner]) != row["row_hash"]:
        raise damaged(path, f"the chunk {key} is not what its hash and its document say")
    seen.add(key)
    origin.counts[owner] += 1


def chunk_of(row: dict[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in CHUNKS.names}

