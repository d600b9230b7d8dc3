"""Writing a knowledge base into a folder, so that it can be brought into another home or another
kind of store.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import TypedDict

import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import select

from llmops.tasks import progress
from llmops.tasks.errors import Damaged, UsageError, disk_trouble
from llmops.tasks.knowledge.handle import Handle, Version, schema_of
from llmops.tasks.knowledge.reading import collection_of, embedder_of
from llmops.tasks.lake import write_atomically
from llmops.tasks.ledger import live_at
from llmops.tasks.ledger.tables import documents
from llmops.tasks.maintenance.carried import carried
from llmops.tasks.maintenance.portable import (
    BEFORE_RANKINGS,
    LEDGER,
    MANIFEST,
    SCHEMA,
    Counts,
    ExportFile,
    ExportFiles,
    Manifest,
    digest_of,
    path_of,
    schemas,
)
from llmops.tasks.plugins import Spec, stores
from llmops.tasks.plugins.stores import StoreReader, rows_schema
from llmops.tasks.schemas import Shard


class Exported(TypedDict):
    """The object of `kb export`. `files`: SHA-256 by name."""

    knowledge_base: str
    version: int
    folder: str
    documents: int
    chunks: int
    bytes: int
    files: dict[str, str]
    rankings: int
    ranking: int | None


def export(kb: Handle, folder: Path) -> Exported:
    """Write the live version, streamed. A folder without a manifest is an export that was not
    finished.

    Raises UsageError for a folder that holds anything, Damaged when store, lake and ledger do not
    agree.
    """
    live = kb.published()
    _make_empty(folder)
    try:
        manifest = _write(kb, live, folder)
    except BaseException as error:
        for name in ("documents", "chunks", "vectors"):
            path_of(folder, name).unlink(missing_ok=True)
        for path in folder.glob("ranking-*.safetensors"):
            path.unlink(missing_ok=True)
        if isinstance(error, OSError) and (trouble := disk_trouble(error)) is not None:
            raise trouble from error
        raise
    return {
        "knowledge_base": kb.name,
        "version": live.version,
        "folder": str(folder),
        "documents": manifest.counts.documents,
        "chunks": manifest.counts.chunks,
        "bytes": sum(file.bytes for file in manifest.files.each().values()),
        "files": {f"{name}.parquet": file.sha256 for name, file in manifest.files.each().items()},
        "rankings": len(manifest.rankings),
        "ranking": manifest.ranking,
    }


def _make_empty(folder: Path) -> None:
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


def _write(kb: Handle, live: Version, folder: Path) -> Manifest:
    facts, embedder = schema_of(live), embedder_of(live)
    wanted = schemas(facts.fields, embedder.dimension)
    reader = collection_of(kb.home, live).at(live.snapshot or "")
    file = path_of(folder, "documents")
    with _written({file: wanted["documents"]}) as writers:
        for table in progress.each(_documents(kb, live), "documents", live.documents, size=len):
            _put(writers[file], wanted["documents"], table)
    files = {"documents": _measured(file)}
    files |= _rows(folder, wanted, reader, [*rows_schema(facts.fields).names], live.chunks)
    if (files["documents"].rows, files["chunks"].rows) != (live.documents, live.chunks):
        raise Damaged(
            f"the store holds {files['chunks'].rows} chunks and the lake "
            f"{files['documents'].rows} documents of version "
            f"{live.version}, the ledger says {live.chunks} and {live.documents}",
            hint=f"llmops kb verify {live.kb}",
        )
    # without the folder, which means nothing elsewhere; secrets are `${NAME}` in recorded configs
    config = {name: value for name, value in live.config.items() if name != "folder"}
    rankings = carried(kb, live.ranking, folder)
    fits = {each.number for each in rankings if each.embedder == embedder.query_fingerprint()}
    manifest = Manifest(
        schema_version=SCHEMA if rankings else BEFORE_RANKINGS,
        created_at=datetime.now(UTC),
        knowledge_base=live.kb,
        version=live.version,
        counts=Counts(documents=live.documents or 0, chunks=live.chunks or 0),
        dimension=embedder.dimension,
        embedder=Spec.model_validate(live.config["embed"]).short(),
        model=embedder.fingerprint(),
        fields=dict(facts.fields),
        weight=live.weight,
        rows=stores.REVISION,
        config=config | {"facts": facts.model_dump(mode="json")},
        files=ExportFiles(**files),
        rankings=rankings,
        ranking=live.ranking if live.ranking in fits else None,
    )
    # an empty list says nothing, and releases before rankings do not know the key
    left_out = None if rankings else {"rankings", "ranking"}
    content = manifest.model_dump_json(indent=2, exclude=left_out)
    write_atomically(folder / MANIFEST, content.encode())
    return manifest


@contextmanager
def _written(files: Mapping[Path, pa.Schema]) -> Iterator[dict[Path, pq.ParquetWriter]]:
    """Writers of new files by path; the files are on disk when this ends."""
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


def _put(writer: pq.ParquetWriter, schema: pa.Schema, table: pa.Table) -> None:
    writer.write_table(table.select(schema.names).cast(schema))


def _measured(file: Path) -> ExportFile:
    sha256, size = digest_of(file)
    return ExportFile(sha256=sha256, bytes=size, rows=pq.read_metadata(file).num_rows)


def _documents(kb: Handle, live: Version) -> Iterator[pa.Table]:
    """The documents of a version with their texts, a table for each shard of the lake."""
    of_ledger = ("revision", *LEDGER.names)
    columns = [documents.c[name] for name in ("shard", "shard_sha256", "shard_row", *of_ledger)]
    with kb.ledger.read() as connection:
        query = select(*columns).where(documents.c.kb == live.kb, live_at(documents, live.version))
        rows = connection.execute(query.order_by(documents.c.shard, documents.c.shard_row)).all()
    for (path, sha256), group in groupby(rows, key=lambda row: (row.shard, row.shard_sha256)):
        mine = list(group)
        shard = Shard(path=path, rows=0, sha256=sha256)
        table = shard.table(kb.lake).take([row.shard_row for row in mine])
        for name in of_ledger:
            column = pa.array([getattr(row, name) for row in mine], pa.string())
            if name in table.column_names:
                table = table.set_column(table.column_names.index(name), name, column)
            else:
                table = table.append_column(name, column)
        yield table


def _rows(
    folder: Path,
    wanted: Mapping[str, pa.Schema],
    reader: StoreReader,
    names: list[str],
    total: int | None,
) -> dict[str, ExportFile]:
    """Chunks and vectors, both in the order in which the store gives them, from one pass over
    it.
    """
    files = {name: path_of(folder, name) for name in ("chunks", "vectors")}
    with _written({files[name]: wanted[name] for name in files}) as writers:
        every = reader.rows([*names, "vector"])
        for frame in progress.each(every, "chunks", total, "chunks", len):
            table = pa.Table.from_pandas(frame, preserve_index=False)
            for name, file in files.items():
                _put(writers[file], wanted[name], table)
    return {name: _measured(file) for name, file in files.items()}
