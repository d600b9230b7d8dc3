"""Bringing an exported knowledge base in, as version 1 of a new one, without embedding anything."""

import contextlib
import re
import shlex
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypedDict

import pyarrow.compute as pc
from pydantic import ValidationError
from sqlalchemy import Connection, insert

from llmops.tasks import progress
from llmops.tasks.audit.log import append
from llmops.tasks.errors import LIVE, Blocked, Damaged, LlmopsError, UsageError
from llmops.tasks.knowledge.caches import known_embeddings, save_embeddings
from llmops.tasks.knowledge.changes import row_hash, terms_of
from llmops.tasks.knowledge.embed import text_hash
from llmops.tasks.knowledge.handle import Handle, known
from llmops.tasks.knowledge.naming import collection_name
from llmops.tasks.knowledge.rankings import forget_models
from llmops.tasks.knowledge.suppressed import suppressed_hashes, uri_hash
from llmops.tasks.knowledge.transform import Row
from llmops.tasks.knowledge.versions import live_moves
from llmops.tasks.lake import Lake
from llmops.tasks.ledger import now, open_ledger, upsert
from llmops.tasks.ledger.leases import Lease
from llmops.tasks.ledger.tables import chunks, documents, knowledge_bases, versions
from llmops.tasks.maintenance import carried
from llmops.tasks.maintenance.import_checks import (
    DOCUMENTS_AT_ONCE,
    ROWS_AT_ONCE,
    Owners,
    check,
    chunk_of,
)
from llmops.tasks.maintenance.portable import (
    LEDGER,
    Manifest,
    batches,
    damaged,
    path_of,
    read_manifest,
)
from llmops.tasks.plugins import SECRET, Spec, canonical, digest, external
from llmops.tasks.plugins.embedders import Embedder
from llmops.tasks.plugins.stores import Store, StoreCollection, rows_schema
from llmops.tasks.schemas import CHUNKS, DOCUMENTS, Shard, frame, sha256, write_shard

NAME = re.compile(r"[a-z][a-z0-9-]{0,62}")
NAMED = 3
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
class Target:
    """What is made of an export: a name, where its rows go, and with which embedder its vectors
    were computed.
    """

    kb: Handle
    spec: Spec
    store: Store
    embedder: Embedder
    collection: str


@dataclass(frozen=True)
class Cargo:
    """What was unloaded, and the rows that the ledger is still to get: they are read from the lake
    again, shard by shard.
    """

    lake: Lake
    snapshot: str
    document_rows: list[Row]
    chunk_shards: list[Shard]
    hashes: dict[str, str]

    def chunk_rows(self) -> Iterator[list[Row]]:
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


class Ranked(NamedTuple):
    """The files of rankings in the lake, by their numbers, and the documents that there are."""

    paths: dict[int, str]
    uris: list[str]


class ImportedFrom(TypedDict):
    knowledge_base: str
    version: int


Imported = TypedDict(
    "Imported",
    {
        "knowledge_base": str,
        "version": int,
        "from": ImportedFrom,
        "store": str,
        "documents": int,
        "chunks": int,
        "embeddings": dict[str, int],
        "warnings": list[str],
    },
)
"""The object of `kb import`."""


def bring_in(
    home: Path, folder: Path, name: str | None, store: Spec | None, *, trust: bool = False
) -> Imported:
    """Import an export under a name (default: its own). Everything is verified before anything is
    written.

    Raises UsageError for a name that exists, where the export would have to connect to a store that
    the user has not named, and, without `trust`, where it names code to be imported; Damaged for an
    export that is not what was written; Blocked while another import of the name runs, and for
    documents that were erased here.
    """
    manifest = read_manifest(folder)
    kb = Handle(home=home, name=name or manifest.knowledge_base)
    if not NAME.fullmatch(kb.name):
        raise UsageError(
            f"got --name {kb.name!r}; allowed: lower-case letters, digits and -, at most 63, a "
            f"letter first"
        )
    open_ledger(home)
    _free(kb)
    _trusted(manifest, trust)
    try:
        target = _target(kb, manifest, _store(manifest, store))
    except ValidationError as error:
        raise damaged(folder, f"its config is none: {error.errors()[0]['msg']}") from error
    owners = check(folder, manifest)
    models = carried.checked(folder, manifest)
    with kb.hold() as lease:
        _free(kb)
        _admitted(kb, manifest, owners)
        try:
            cargo = unload(target, folder, manifest, owners)
            # the base of the export's own name may have lost one meanwhile
            _admitted(kb, manifest, owners)
            ranked = Ranked(carried.kept_files(kb, models), _uris(owners))
            _publish(lease, target, manifest, cargo, ranked)
        except BaseException:
            if kb.name not in known(kb.ledger):  # an interrupt may come when it is live already
                _taken_back(target)
            raise
    return {
        "knowledge_base": kb.name,
        "version": 1,
        "from": {"knowledge_base": manifest.knowledge_base, "version": manifest.version},
        "store": target.spec.name,
        "documents": manifest.counts.documents,
        "chunks": manifest.counts.chunks,
        "embeddings": {"computed": 0, "reused": manifest.counts.chunks},
        "warnings": _warnings(manifest),
    }


def _free(kb: Handle) -> None:
    if kb.name in known(kb.ledger):
        raise UsageError(
            f"the knowledge base {kb.name!r} exists already",
            hint="give another name: --name NAME",
            where=kb.name,
        )


def _taken_back(target: Target) -> None:
    forget_models(target.kb)
    with contextlib.suppress(LlmopsError):  # a store that does not answer: the next try empties it
        target.store.drop(target.collection, target.kb.home)


def _uris(owners: Owners) -> list[str]:
    return [owner["uri"] for owner in owners.columns.values()]


def _trusted(manifest: Manifest, trust: bool) -> None:
    """An import runs no code that the user has not named. What installed packages register is the
    user's own choice.
    """
    spec = manifest.spec("embed")
    if "path" in spec.options and spec.name not in external("embedders") and not trust:
        raise UsageError(
            f"the export wants code to be imported and run for its embedder {spec.name}: "
            f"{str(spec.options['path'])[:200]!r}",
            hint="if you trust it and whoever wrote the export: --trust",
        )


def _admitted(kb: Handle, manifest: Manifest, owners: Owners) -> None:
    """Raise Blocked where a document of the export was erased in this home, under the new name or
    under that of the export.
    """
    for name in {kb.name: None, manifest.knowledge_base: None}:
        hashes = suppressed_hashes(Handle(home=kb.home, name=name))
        uris = _uris(owners)
        suppressed = sorted(uri for uri in uris if uri_hash(name, uri) in hashes)
        if suppressed:
            lifts = "; ".join(
                f"llmops kb erase {name} --uri {shlex.quote(uri)} --lift"
                for uri in suppressed[:NAMED]
            )
            rest = f"; and so on for all {len(suppressed)}" if len(suppressed) > NAMED else ""
            raise Blocked(
                f"documents of the export that were erased from {name!r} in this home: "
                f"{len(suppressed)}; nothing was imported",
                hint=f"to let them in again: {lifts}{rest}; or export a version without them",
                where=kb.name,
            )


def _store(manifest: Manifest, given: Spec | None) -> Spec:
    """The store that the user names, else the export's own where that is this home's: an import
    connects nowhere unasked.
    """
    own = manifest.spec("store")
    if given is None and own.options:
        raise UsageError(
            f"the export comes from a store with options of its own: {own.name} with "
            f"{', '.join(sorted(own.options))}",
            hint="say where it is to go: --store lancedb, or --store '{name: weaviate, url: …}'",
        )
    return given or own


def _target(kb: Handle, manifest: Manifest, spec: Spec) -> Target:
    store, embedder = spec.build(Store), manifest.spec("embed").build(Embedder)
    if (embedder.fingerprint(), embedder.dimension) != (manifest.model, manifest.dimension):
        raise LlmopsError(
            f"the vectors are not those that the embedder "
            f"{manifest.embedder.get('name')!r} of this release computes",
            where=str(manifest.knowledge_base),
            hint="import with the release that exported, or build from the sources",
        )
    # A name of its own: a server may hold the collection of another home's knowledge base of the
    # same name.
    own = digest(str(kb.home), socket.gethostname(), manifest.model_dump_json())[:6]
    name = f"{collection_name(kb.name, manifest.model, store, manifest.facts)}.{own}"
    return Target(kb, spec, store, embedder, name)


def unload(target: Target, folder: Path, manifest: Manifest, owners: Owners) -> Cargo:
    """From the files of an export to the lake, the store and the cache of embeddings, batch by
    batch, so that memory stays flat. The collection is emptied first.

    Raises Damaged when it does not hold what it should in the end.
    """
    kb, dimension = target.kb, target.embedder.dimension
    rows = _documents(kb.lake, folder, owners)
    collection = target.store.open(target.collection, dimension, kb.home, manifest.facts.fields)
    collection.recover(None)
    shards, hashes = _chunks(kb, folder, manifest, owners, collection)
    snapshot = collection.seal(1)
    held = collection.at(snapshot).count()
    if held != manifest.counts.chunks:
        raise Damaged(
            f"the store holds {held} chunks instead of {manifest.counts.chunks}",
            hint="run the import again",
        )
    return Cargo(kb.lake, snapshot, rows, shards, hashes)


def _documents(lake: Lake, folder: Path, owners: Owners) -> list[Row]:
    """Shards of documents; returns the ledger's rows, which hold no text."""
    of_ledger = []
    for table in batches(path_of(folder, "documents"), DOCUMENTS_AT_ONCE):
        rows = table.to_pylist()
        shard = write_shard(
            frame([{name: row[name] for name in DOCUMENTS.names} for row in rows], DOCUMENTS),
            DOCUMENTS,
            lake,
            "documents",
        )
        of_ledger += [
            {
                **{name: row[name] for name in COPIED},
                "text_hash": sha256(row["text"]),
                "characters": len(row["text"]),
                "chunks": owners.counts[row["doc_id"]],
                "shard": shard.path,
                "shard_sha256": shard.sha256,
                "shard_row": place,
            }
            for place, row in enumerate(rows)
        ]
    return of_ledger


def _chunks(
    kb: Handle, folder: Path, manifest: Manifest, owners: Owners, collection: StoreCollection
) -> tuple[list[Shard], dict[str, str]]:
    """Shards of chunks, rows of the store, and their vectors for the cache: what this home has paid
    for itself stays as it is. Returns the shards and each chunk's row hash.
    """
    schema, shards, hashes = rows_schema(manifest.facts.fields), list[Shard](), dict[str, str]()
    vectors = batches(path_of(folder, "vectors"), ROWS_AT_ONCE)
    every = batches(path_of(folder, "chunks"), ROWS_AT_ONCE)
    for table in progress.each(every, "write", manifest.counts.chunks, "chunks", len):
        points = pc.list_flatten(next(vectors)["vector"]).to_numpy().reshape(-1, manifest.dimension)
        plain = [chunk_of(row) for row in table.to_pylist()]
        shards.append(write_shard(frame(plain, CHUNKS), CHUNKS, kb.lake, "chunks"))
        rows = [row | owners.columns[row["doc_id"]] for row in plain]
        put = [{**row, "row_hash": row_hash(row), "terms": terms_of(row)} for row in rows]
        hashes |= {row["chunk_id"]: row["row_hash"] for row in put}
        keys = [text_hash(row) for row in plain]
        paid = known_embeddings(kb.ledger, manifest.model, keys)
        if new := [n for n, key in enumerate(keys) if key not in paid]:
            save_embeddings(kb.ledger, manifest.model, [keys[n] for n in new], points[new])
        collection.stage(1, frame(put, schema), points, [])
    return shards, hashes


def _publish(
    lease: Lease, target: Target, manifest: Manifest, cargo: Cargo, ranked: Ranked
) -> None:
    """The one transaction that makes it known, with documents, chunks and the pointer."""
    config = dict(manifest.config) | {"store": target.spec.short()}
    origin = f"version {manifest.version} of {manifest.knowledge_base}"
    gate = {"verdict": "skipped", "reason": f"imported from {origin}", "metrics": {}}
    with target.kb.ledger.write() as connection:
        lease.confirm(connection)
        append(connection, live_moves("import", connection, target.kb.name, "1", origin))
        connection.execute(
            insert(knowledge_bases).values(
                name=target.kb.name, next_version=2, live=1, created_at=now()
            )
        )
        connection.execute(
            insert(versions).values(
                kb=target.kb.name,
                version=1,
                status="published",
                collection=target.collection,
                snapshot=cargo.snapshot,
                weight=manifest.weight,
                added=manifest.counts.chunks,
                retired=0,
                gate=gate,
                config=config,
                config_sha256=sha256(canonical(config)),
                created_at=now(),
                published_at=now(),
                **manifest.counts.model_dump(),
            )
        )
        _rows(connection, target.kb.name, cargo)
        carried.enter(connection, target.kb.name, manifest, *ranked)
    LIVE[target.kb.name] = f"version 1 of {target.kb.name} is live"


def _rows(connection: Connection, kb: str, cargo: Cargo) -> None:
    stamp = {"kb": kb, "valid_from": 1, "valid_to": None}
    upsert(connection, documents, [row | stamp for row in cargo.document_rows])
    for part in cargo.chunk_rows():
        upsert(connection, chunks, [row | stamp for row in part])


def _warnings(manifest: Manifest) -> list[str]:
    """What an embedder from elsewhere would do with questions."""
    told = canonical(manifest.spec("embed").options)
    names = sorted(set(SECRET.findall(told)))
    if not names and "://" not in told:
        return []
    secrets = f" with the value of {', '.join(names)}" if names else ""
    return [
        f"searches will send their questions{secrets} to the embedder that the export names: {told}"
    ]
