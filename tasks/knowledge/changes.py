"""The difference between a batch and the live version: found first, then written into the
collection.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
from pydantic import BaseModel, ConfigDict
from sqlalchemy import Row as SqlRow
from sqlalchemy import Table, select

from llmops.tasks import processes, progress
from llmops.tasks.filters.metadata import owner_columns
from llmops.tasks.knowledge.build import Batch, Build
from llmops.tasks.knowledge.caches import load_embeddings
from llmops.tasks.knowledge.embed import text_hash
from llmops.tasks.knowledge.sketches import text_stages
from llmops.tasks.knowledge.transform import Row, rows_of
from llmops.tasks.ledger import live_at
from llmops.tasks.ledger.tables import chunks, documents
from llmops.tasks.plugins import canonical, digest
from llmops.tasks.plugins.embedders import Embedder
from llmops.tasks.plugins.stores import StoreCollection, rows_schema
from llmops.tasks.schemas import Shard, frame, sha256, write_shard
from llmops.tasks.texts.terms import indexed, indexed_all

CHANGES = pa.schema(
    [
        pa.field("doc_id", pa.string()),
        pa.field("chunk_id", pa.string()),
        pa.field("row_hash", pa.string()),
        pa.field("text_hash", pa.string()),
        pa.field(
            "action",
            pa.string(),
            metadata={
                "about": "add: new to the version; replace: same text, another place; keep; "
                "retire: "
                "gone"
            },
        ),
    ]
)
CONTENT = ("content_hash", "text_hash", "title", "metadata", "media_type", "language", "chunks")


class Staged(BaseModel):
    """What a batch changes. `changed`: doc_ids whose ledger row becomes another, `edited` those
    with other content.

    `same`: only stamps of stages and revisions move on. `added`, `retired`: numbers of chunk ids.
    """

    model_config = ConfigDict(frozen=True)
    batch: Batch
    changes: Shard
    new: tuple[str, ...]
    changed: tuple[str, ...]
    edited: tuple[str, ...]
    same: tuple[str, ...]
    added: int
    retired: int
    replaced: int

    @property
    def empty(self) -> bool:
        return not (self.new or self.changed or self.added or self.retired or self.replaced)


def find_changes(build: Build, batch: Batch) -> Staged:
    """Compare a batch with the live version; nothing is written but the list of changes."""
    rows = [(row, row_hash(row)) for row in located(build, batch)]
    owners = document_rows(build, batch)
    live = live_chunks(build, list(owners))
    actions = [
        {
            "doc_id": row["doc_id"],
            "chunk_id": row["chunk_id"],
            "row_hash": key,
            "text_hash": text_hash(row),
            "action": _action(live.get(row["chunk_id"]), key),
        }
        for row, key in rows
    ]
    there = {action["chunk_id"] for action in actions}
    gone = [key for key in live if key not in there]
    actions += [
        {"doc_id": None, "chunk_id": key, "row_hash": None, "text_hash": None, "action": "retire"}
        for key in gone
    ]
    counts = {
        name: sum(action["action"] == name for action in actions) for name in ("add", "replace")
    }
    return Staged(
        batch=batch,
        changes=write_shard(frame(actions, CHANGES), CHANGES, build.lake, "changes"),
        added=counts["add"],
        replaced=counts["replace"],
        retired=len(gone),
        **_states(build, owners),
    )


def _action(live: str | None, now: str) -> str:
    return "add" if live is None else "keep" if live == now else "replace"


def write_changes(
    build: Build, collection: StoreCollection, embedder: Embedder, staged: Staged
) -> None:
    """Write a batch's difference into the collection; into a new collection goes every row."""
    actions = {row["chunk_id"]: row for row in staged.changes.table(build.lake).to_pylist()}
    wanted = {"add", "replace", "keep"} if build.fresh else {"add", "replace"}
    new = [
        row for row in located(build, staged.batch) if actions[row["chunk_id"]]["action"] in wanted
    ]
    terms = processes.spread(indexed_all, [_searched(row) for row in new])
    put = [
        {**row, "row_hash": actions[row["chunk_id"]]["row_hash"], "terms": found}
        for row, found in zip(new, terms, strict=True)
    ]
    gone = (
        []
        if build.fresh
        else [key for key, row in actions.items() if row["action"] in ("retire", "replace")]
    )
    with progress.stage("stage", len(actions), "chunks") as step:
        _written(build, collection, embedder, actions, put, gone)
        step(len(actions))


def _written(
    build: Build,
    collection: StoreCollection,
    embedder: Embedder,
    actions: Mapping[str, Row],
    put: list[Row],
    gone: list[str],
) -> None:
    if put or gone:
        hashes = [actions[row["chunk_id"]]["text_hash"] for row in put]
        vectors = load_embeddings(
            build.ledger, build.fingerprints.model, hashes, embedder.dimension
        )
        collection.stage(
            build.version, frame(put, rows_schema(build.metadata_schema.fields)), vectors, gone
        )


def located(build: Build, batch: Batch) -> list[Row]:
    """The chunks of a batch with what the store holds of their documents."""
    if batch.chunks is None:
        return []
    owners = {
        row["doc_id"]: owner_columns(build.metadata_schema, row)
        for row in rows_of(build, batch.documents)
    }
    return [{**row, **owners[row["doc_id"]]} for row in rows_of(build, batch.chunks)]


def row_hash(row: Mapping[str, Any]) -> str:
    """Digest of all that the store holds of a chunk beside vector and terms, which follow from the
    text.
    """
    return digest(canonical(row))


def terms_of(row: Mapping[str, Any]) -> str:
    return indexed(*_searched(row))


def _searched(row: Mapping[str, Any]) -> tuple[str, str]:
    """(context, text) of what full-text search finds a chunk by."""
    return ("", row["search"]) if row["search"] is not None else (row["context"], row["text"])


def document_rows(build: Build, batch: Batch) -> dict[str, Row]:
    """doc_id -> the values of the ledger's columns for each document of a batch."""
    counts: dict[str, int] = {}
    rows = rows_of(build, batch.documents)
    texts = text_stages(build, {row["doc_id"]: row["media_type"] for row in rows})
    for key in (
        batch.chunks.table(build.lake, ["doc_id"])["doc_id"].to_pylist() if batch.chunks else []
    ):
        counts[key] = counts.get(key, 0) + 1
    return {
        row["doc_id"]: _document_row(build, batch, row, place, counts.get(row["doc_id"], 0))
        | {"text_stage": texts[row["doc_id"]]}
        for place, row in enumerate(rows)
    }


def _document_row(build: Build, batch: Batch, row: Row, place: int, count: int) -> Row:
    copied = (
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
    )
    stages = build.fingerprints.of(row["media_type"], row["language"])
    return {
        "kb": build.kb,
        **{name: row[name] for name in copied},
        "text_hash": sha256(row["text"]),
        "characters": len(row["text"]),
        "check_stage": stages.check,
        "chunk_stage": stages.chunk,
        "chunks": count,
        "shard": batch.documents.path,
        "shard_sha256": batch.documents.sha256,
        "shard_row": place,
    }


def live_chunks(build: Build, doc_ids: Sequence[str]) -> dict[str, str]:
    """chunk_id -> row_hash of the live chunks of some documents."""
    return {row.chunk_id: row.row_hash for row in _live(build, chunks, doc_ids)}


def _live(build: Build, table: Table, doc_ids: Sequence[str]) -> list[SqlRow[Any]]:
    if build.live is None:
        return []
    with build.ledger.read() as connection:
        return [
            row
            for start in range(0, len(doc_ids), 500)
            for row in connection.execute(
                select(table).where(
                    table.c.kb == build.kb,
                    live_at(table, build.live),
                    table.c.doc_id.in_(doc_ids[start : start + 500]),
                )
            )
        ]


def _states(build: Build, rows: Mapping[str, Row]) -> dict[str, tuple[str, ...]]:
    live = {row.doc_id: row for row in _live(build, documents, list(rows))}
    same = {
        key
        for key, row in rows.items()
        if key in live and all(getattr(live[key], name) == row[name] for name in CONTENT)
    }
    changed = [key for key in rows if key in live and key not in same]
    edited = [key for key in changed if live[key].content_hash != rows[key]["content_hash"]]
    return {
        "new": tuple(key for key in rows if key not in live),
        "changed": tuple(changed),
        "edited": tuple(edited),
        "same": tuple(sorted(same)),
    }
