"""Writing a knowledge base into a folder, so that it can be brought into another home or another
kind of store.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import select

from llmops.tasks.errors import Damaged, UsageError, disk_trouble
from llmops.tasks.knowledge.reading import collection_of, embedder_of, facts_of
from llmops.tasks.knowledge.versions import Version, published
from llmops.tasks.ledger import Ledger, live_at
from llmops.tasks.ledger.tables import documents
from llmops.tasks.maintenance.portable import (
    MANIFEST,
    SCHEMA,
    Counts,
    File,
    Files,
    Manifest,
    digest_of,
    path_of,
    schemas,
)
from llmops.tasks.plugins import Spec, stores
from llmops.tasks.plugins.stores import StoreReader, rows_schema
from llmops.tasks.schemas import Shard, write_atomically


def export(ledger: Ledger, home: Path, kb: str, folder: Path) -> dict[str, Any]:
    """The object of `kb export`: the live version, streamed. A folder without a manifest is an
    export that was not finished.

    Raises UsageError for a folder that holds anything, Damaged when store, lake and ledger do not
    agree.
    """
    live = published(ledger, kb)
    _empty(folder)
    try:
        manifest = _write(ledger, home, live, folder)
    except BaseException as error:
        for name in ("documents", "chunks", "vectors"):
            path_of(folder, name).unlink(missing_ok=True)
        if isinstance(error, OSError) and (trouble := disk_trouble(error)) is not None:
            raise trouble from error
        raise
    return {
        "knowledge_base": kb,
        "version": live.version,
        "folder": str(folder),
        **manifest.counts.model_dump(),
        "bytes": sum(file.bytes for file in manifest.files.each().values()),
        "files": {f"{name}.parquet": file.sha256 for name, file in manifest.files.each().items()},
    }


def _empty(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file; a new or an empty folder is wanted")
    if folder.is_dir() and any(folder.iterdir()):
        unfinished = (
            "" if (folder / MANIFEST).exists() else " It may be an export that was not finished."
        )
        raise UsageError(
            f"the folder {folder} is not empty", hint=f"give a new one, or empty it.{unfinished}"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"the folder {folder} cannot be created: {error.strerror}",
            hint="give one that you may write to",
        ) from error


def _write(ledger: Ledger, home: Path, live: Version, folder: Path) -> Manifest:
    fields, dimension = facts_of(live).fields, embedder_of(live).dimension
    wanted = schemas(fields, dimension)
    reader = collection_of(home, live).at(live.snapshot or "")
    found = {
        "documents": _parquet(
            path_of(folder, "documents"),
            wanted["documents"],
            _documents(ledger, home / "lake", live),
        )
    }
    found |= _rows(folder, wanted, reader, [*rows_schema(fields).names])
    if (found["documents"].rows, found["chunks"].rows) != (live.documents, live.chunks):
        raise Damaged(
            f"the store holds {found['chunks'].rows} chunks and the lake "
            f"{found['documents'].rows} documents of version "
            f"{live.version}, the ledger says {live.chunks} and {live.documents}",
            hint=f"llmops kb verify {live.kb}",
        )
    embed = Spec.model_validate(live.config["embed"]).short()
    manifest = Manifest(
        schema_version=SCHEMA,
        created_at=datetime.now(UTC),
        knowledge_base=live.kb,
        version=live.version,
        counts=Counts(documents=live.documents or 0, chunks=live.chunks or 0),
        dimension=dimension,
        embedder=embed,
        model=embedder_of(live).fingerprint(),
        fields=dict(fields),
        weight=live.weight,
        rows=stores.REVISION,
        config=_config(live),
        files=Files(**found),
    )
    write_atomically(folder / MANIFEST, manifest.model_dump_json(indent=2).encode())
    return manifest


def _config(live: Version) -> dict[str, Any]:
    """Without the folder, which means nothing elsewhere. Secrets are `${NAME}` in every recorded
    config.
    """
    return {name: value for name, value in live.config.items() if name != "folder"} | {
        "facts": facts_of(live).model_dump(mode="json")
    }


def _parquet(file: Path, schema: Any, tables: Iterator[Any]) -> File:
    """One file, a row group for each table, on disk when this returns."""
    with _written({file: schema}) as writers:
        rows = sum(_put(writers[file], schema, table) for table in tables)
    return _measured(file, rows)


@contextmanager
def _written(files: Mapping[Path, Any]) -> Iterator[dict[Path, Any]]:
    """Writers of new files by path."""
    with ExitStack() as stack:
        streams = {file: stack.enter_context(file.open("xb")) for file in files}
        with ExitStack() as inner:
            yield {
                file: inner.enter_context(
                    pq.ParquetWriter(streams[file], schema, compression="zstd")
                )
                for file, schema in files.items()
            }
        for stream in streams.values():
            stream.flush()
            os.fsync(stream.fileno())


def _put(writer: Any, schema: Any, table: Any) -> int:
    writer.write_table(table.select(schema.names).cast(schema))
    return int(table.num_rows)


def _measured(file: Path, rows: int) -> File:
    sha256, size = digest_of(file)
    return File(sha256=sha256, bytes=size, rows=rows)


def _documents(ledger: Ledger, lake: Path, live: Version) -> Iterator[Any]:
    """The documents of a version with their texts, a table for each shard of the lake."""
    columns = [
        documents.c[name]
        for name in (
            "shard",
            "shard_sha256",
            "shard_row",
            "revision",
            "text_stage",
            "check_stage",
            "chunk_stage",
        )
    ]
    with ledger.read() as connection:
        query = select(*columns).where(documents.c.kb == live.kb, live_at(documents, live.version))
        rows = connection.execute(query.order_by(documents.c.shard, documents.c.shard_row)).all()
    for (path, sha256), group in groupby(rows, key=lambda row: (row.shard, row.shard_sha256)):
        mine = list(group)
        table = (
            Shard(path=path, rows=0, sha256=sha256)
            .table(lake)
            .take([row.shard_row for row in mine])
        )
        for name in ("revision", "text_stage", "check_stage", "chunk_stage"):
            table = _replaced(table, name, [getattr(row, name) for row in mine])
        yield table


def _replaced(table: Any, name: str, values: list[str]) -> Any:
    column = pa.array(values, pa.string())
    if name not in table.column_names:
        return table.append_column(name, column)
    return table.set_column(table.column_names.index(name), name, column)


def _rows(
    folder: Path, wanted: Mapping[str, Any], reader: StoreReader, names: list[str]
) -> dict[str, File]:
    """Chunks and vectors, both in the order in which the store gives them, from one pass over
    it.
    """
    files = {name: path_of(folder, name) for name in ("chunks", "vectors")}
    rows = 0
    with _written({files[name]: wanted[name] for name in files}) as writers:
        for frame in reader.rows([*names, "vector"]):
            table = pa.Table.from_pandas(frame, preserve_index=False)
            for name, file in files.items():
                _put(writers[file], wanted[name], table)
            rows += table.num_rows
    return {name: _measured(file, rows) for name, file in files.items()}
