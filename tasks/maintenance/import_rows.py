"""From the files of an export to the lake, the store and the cache of embeddings: batch by batch,
so that memory stays flat.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.compute as pc

from llmops.tasks.errors import Damaged
from llmops.tasks.knowledge.caches import known_embeddings, save_embeddings
from llmops.tasks.knowledge.changes import row_hash, terms_of
from llmops.tasks.knowledge.embed import text_hash
from llmops.tasks.ledger import Ledger
from llmops.tasks.maintenance.import_checks import DOCUMENTS_AT_ONCE, ROWS_AT_ONCE, Origin, chunk_of
from llmops.tasks.maintenance.portable import LEDGER, Manifest, batches, path_of
from llmops.tasks.plugins.embedders import Embedder
from llmops.tasks.plugins.stores import Store, StoreCollection, rows_schema
from llmops.tasks.schemas import CHUNKS, DOCUMENTS, Shard, Vectors, frame, sha256, write_shard

COPIED = (
    "doc_id",
    "source",
    "uri",
    "title",
    "media_type",
    "language",
    "content_hash",
    "revision",
    "metadata",
    "fetched_at",
    *LEDGER.names,
)


@dataclass(frozen=True)
class Cargo:
    """What was unloaded, and the rows that the ledger is still to get: they are read from the lake
    again, shard by shard.
    """

    lake: Path
    snapshot: str
    document_rows: list[dict[str, Any]]
    chunk_shards: list[Shard]
    hashes: dict[str, str]

    def documents(self) -> Iterator[list[dict[str, Any]]]:
        yield self.document_rows

    def chunks(self) -> Iterator[list[dict[str, Any]]]:
        for shard in self.chunk_shards:
            yield [
                {
                    "chunk_id": row["chunk_id"],
                    "doc_id": row["doc_id"],
                    "row_hash": self.hashes[row["chunk_id"]],
                    "text_hash": text_hash(row),
                    "shard": shard.path,
                }
                for row in shard.table(self.lake).to_pylist()
            ]


def unload(
    ledger: Ledger,
    home: Path,
    folder: Path,
    manifest: Manifest,
    origin: Origin,
    name: str,
    store: Store,
    embedder: Embedder,
) -> Cargo:
    """Fill a collection of that name, emptied first. Raises Damaged when it does not hold what it
    should in the end.
    """
    lake = home / "lake"
    rows = _documents(lake, folder, origin)
    collection = store.open(name, embedder.dimension, home, manifest.facts.fields)
    collection.recover(None)
    shards, hashes = _chunks(ledger, lake, folder, manifest, origin, collection)
    snapshot = collection.seal(1)
    held = collection.at(snapshot).count()
    if held != manifest.counts.chunks:
        raise Damaged(
            f"the store holds {held} chunks instead of {manifest.counts.chunks}",
            hint="run the import again",
        )
    return Cargo(lake, snapshot, rows, shards, hashes)


def _documents(lake: Path, folder: Path, origin: Origin) -> list[dict[str, Any]]:
    """Shards of documents; returns the ledger's rows, which hold no text."""
    found = []
    for table in batches(path_of(folder, "documents"), DOCUMENTS_AT_ONCE):
        rows = table.to_pylist()
        shard = write_shard(
            frame([{name: row[name] for name in DOCUMENTS.names} for row in rows], DOCUMENTS),
            DOCUMENTS,
            lake,
            "documents",
        )
        found += [
            {
                **{name: row[name] for name in COPIED},
                "text_hash": sha256(row["text"]),
                "characters": len(row["text"]),
                "chunks": origin.counts[row["doc_id"]],
                "shard": shard.path,
                "shard_sha256": shard.sha256,
                "shard_row": place,
            }
            for place, row in enumerate(rows)
        ]
    return found


def _chunks(
    ledger: Ledger,
    lake: Path,
    folder: Path,
    manifest: Manifest,
    origin: Origin,
    collection: StoreCollection,
) -> tuple[list[Shard], dict[str, str]]:
    """Shards of chunks, rows of the store, and their vectors for the cache; returns the shards and
    each chunk's row hash.
    """
    schema, shards, hashes = rows_schema(manifest.facts.fields), list[Shard](), dict[str, str]()
    vectors = batches(path_of(folder, "vectors"), ROWS_AT_ONCE)
    for table in batches(path_of(folder, "chunks"), ROWS_AT_ONCE):
        points = pc.list_flatten(next(vectors)["vector"]).to_numpy().reshape(-1, manifest.dimension)
        plain = [chunk_of(row) for row in table.to_pylist()]
        shards.append(write_shard(frame(plain, CHUNKS), CHUNKS, lake, "chunks"))
        rows = [row | origin.owners[row["doc_id"]] for row in plain]
        put = [{**row, "row_hash": row_hash(row), "terms": terms_of(row)} for row in rows]
        hashes |= {row["chunk_id"]: row["row_hash"] for row in put}
        _remember(ledger, manifest.model, [text_hash(row) for row in plain], points)
        collection.stage(1, frame(put, schema), points, [])
    return shards, hashes


def _remember(ledger: Ledger, model: str, hashes: list[str], points: Vectors) -> None:
    """Vectors of texts that this home has not embedded itself: what it has paid for stays as it
    is.
    """
    known = known_embeddings(ledger, model, hashes)
    new = [n for n, key in enumerate(hashes) if key not in known]
    if new:
        save_embeddings(ledger, model, [hashes[n] for n in new], points[new])
