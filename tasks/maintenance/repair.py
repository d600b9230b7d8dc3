"""Mending a store that is not what the ledger says: as a version of its own with the same content,
beside what readers see.

Rows come from the lake and vectors from what was paid for. As with a build, one transaction makes
the mended version live, and until then nothing that is served has changed.
"""

from collections.abc import Collection as Ids
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any, TypedDict

import numpy as np
from sqlalchemy import Row as LedgerRow
from sqlalchemy import select, update

from llmops.tasks import progress, stopping
from llmops.tasks.audit.log import append
from llmops.tasks.errors import Damaged, LlmopsError
from llmops.tasks.filters.metadata import MetadataSchema, owner_columns
from llmops.tasks.knowledge import versions as numbers
from llmops.tasks.knowledge.caches import (
    known_embeddings,
    load_embeddings,
    save_embeddings,
)
from llmops.tasks.knowledge.changes import row_hash, terms_of
from llmops.tasks.knowledge.handle import Handle, Version, schema_of
from llmops.tasks.knowledge.reading import collection_of, embedder_of
from llmops.tasks.knowledge.transform import Row
from llmops.tasks.knowledge.versions import (
    build_command,
    close_version,
    condemn,
    live_moves,
    mark_cleared,
    next_number,
    open_version,
)
from llmops.tasks.lake import Lake
from llmops.tasks.ledger import live_at, now
from llmops.tasks.ledger.leases import Lease
from llmops.tasks.ledger.tables import chunks, documents, knowledge_bases, versions
from llmops.tasks.maintenance.verify import (
    Findings,
    Verification,
    examine,
    newest_beside,
    verification,
)
from llmops.tasks.plugins.stores import StoreCollection, rows_schema
from llmops.tasks.schemas import Shard, embedded_text, frame

NAMED = 5
CHUNK_COLUMNS = ("chunk_id", "doc_id", "row_hash", "text_hash", "shard")
OWNER_COLUMNS = ("doc_id", "uri", "shard", "shard_sha256", "shard_row")
OWNER = ["doc_id", "uri", "title", "source", "language", "media_type", "metadata"]


class Embeddings(TypedDict):
    computed: int
    reused: int


class Repaired(Verification):
    """The object of `kb repair`: the state after it, and what it did. `restored`, `removed`: rows;
    `undone`: rows that were staged, added or deleted after the last publish.
    """

    restored: int
    removed: int
    undone: int
    embeddings: Embeddings


def repair(kb: Handle, *, thorough: bool = False) -> Repaired:
    """Make the live version whole. A sound base is left alone, without a new version.

    Raises Damaged, with nothing changed, when the lake or the ledger no longer has what is missing;
    Blocked during a build.
    """
    kb.published()
    work = _Work()
    with kb.hold() as lease:
        findings = examine(kb, kb.published(), thorough=thorough)
        if not findings.ok:
            numbers.undo(kb, lease)
            findings = examine(kb, kb.published(), thorough=thorough)
        if not findings.ok:
            _mend(_Job(kb, lease, findings, work, thorough))
        elif findings.unpublished:
            work.undone = findings.unpublished
            newest = newest_beside(kb.ledger, findings.version)
            collection_of(kb.home, findings.version).recover(newest.snapshot)
        after = verification(kb, examine(kb, kb.published(), thorough=thorough))
    return {
        **after,
        "note": "; ".join(filter(None, [after["note"], *work.notes])),
        "restored": work.restored,
        "removed": work.removed,
        "undone": work.undone,
        "embeddings": {"computed": work.computed, "reused": work.restored - work.computed},
    }


@dataclass
class _Work:
    restored: int = 0
    removed: int = 0
    undone: int = 0
    computed: int = 0
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Job:
    kb: Handle
    lease: Lease
    findings: Findings
    work: _Work
    thorough: bool

    @property
    def live(self) -> Version:
        return self.findings.version

    @property
    def wanted(self) -> Ids[str] | None:
        """The chunks to be written; None: all of them, into a collection of their own."""
        if self.findings.lost:
            return None
        return {*self.findings.missing, *self.findings.duplicates, *self.findings.mismatched}


@dataclass(frozen=True)
class _Passages:
    """What one shard of the lake gives back. `rows` hold `row_hash` beside the columns that it
    covers, `keys` their text hashes.

    `lost`: uri -> why, for documents of which something cannot be made again.
    """

    rows: list[Row] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    lost: dict[str, str] = field(default_factory=dict)


def _mend(job: _Job) -> None:
    texts = _missing_vectors(job)
    embedder = embedder_of(job.live)
    at_once = embedder.texts_per_call
    for start in range(0, len(texts), at_once):  # remembered call by call
        part = texts[start : start + at_once]
        keys = [key for key, _ in part]
        with progress.stage("embed", len(part), "chunks") as step:
            with stopping.call():
                vectors = embedder.embed([text for _, text in part])
                save_embeddings(job.kb.ledger, embedder.fingerprint(), keys, vectors)
            step(len(part))
    job.work.computed = len(texts)
    number = next_number(job.kb)
    name = job.live.collection
    if job.findings.lost:
        name = f"{name.partition('.')[0]}.{number}"
    kept = {key: getattr(job.live, key) for key in ("parent", "weight", "config", "config_sha256")}
    reason = f"repaired: the content is that of version {job.live.version}"
    opened = {
        "version": number,
        "collection": name,
        "gate": {"verdict": "skipped", "reason": reason},
    }
    open_version(job.kb, job.lease, kept | opened)
    candidate = job.live.model_copy(update={"version": number, "collection": name})
    try:
        sealed = _staged(job, candidate)
    except LlmopsError:
        close_version(job.kb, number, status="rejected")
        raise
    _publish(job, sealed, _damaged(job))


def _missing_vectors(job: _Job) -> list[tuple[str, str]]:
    """(key, text) of what the ledger has no vector for. Raises Damaged when a row cannot be made
    again from the lake.
    """
    lost: dict[str, str] = {}
    texts: dict[str, str] = {}
    model = embedder_of(job.live).fingerprint()
    for part in _passages(job):
        lost |= part.lost
        known = known_embeddings(job.kb.ledger, model, part.keys)
        texts |= {
            key: embedded_text(row)
            for key, row in zip(part.keys, part.rows, strict=True)
            if key not in known
        }
    if lost:
        some = "; ".join(f"{uri}: {why}" for uri, why in sorted(lost.items())[:NAMED]) + (
            "; …" if len(lost) > NAMED else ""
        )
        raise Damaged(
            f"{len(lost)} documents of {job.kb.name!r} cannot be restored from the lake, "
            f"so nothing was changed: {some}",
            hint=f"run `{build_command(job.kb)} --full`, which reads them from their sources "
            f"again, then `llmops kb repair {job.kb.name}`; or restore a backup",
        )
    return list(texts.items())


def _staged(job: _Job, candidate: Version) -> Version:
    """The candidate, sealed and compared with the ledger. Raises Damaged when it is still not
    right.
    """
    collection = collection_of(job.kb.home, candidate)
    if job.findings.lost:
        collection.recover(None)
    orphans = [] if job.findings.lost else job.findings.orphans
    _stage(job, collection, candidate, _Passages(), orphans)
    total = job.findings.chunks if job.wanted is None else len(job.wanted)
    every = _passages(job)
    for part in progress.each(every, "restore", total, "chunks", lambda part: len(part.rows)):
        gone = [] if job.findings.lost else [row["chunk_id"] for row in part.rows]
        _stage(job, collection, candidate, part, gone)
        job.work.restored += len(part.rows)
    job.work.removed = 0 if job.findings.lost else len(orphans) + job.findings.surplus
    sealed = candidate.model_copy(update={"snapshot": collection.seal(candidate.version)})
    after = examine(job.kb, sealed, thorough=job.thorough)
    if not after.ok:
        raise Damaged(
            f"the mended version is not right yet: "
            f"{after.lost or 'the store does not hold what was written'}",
            hint=f"nothing live has changed; see `llmops kb verify {job.kb.name}`, and try again",
        )
    return sealed


def _stage(
    job: _Job,
    collection: StoreCollection,
    candidate: Version,
    part: _Passages,
    gone: Sequence[str],
) -> None:
    if not part.rows and not gone:
        return
    embedder = embedder_of(job.live)
    vectors = load_embeddings(job.kb.ledger, embedder.fingerprint(), part.keys, embedder.dimension)
    rows = frame(
        [{**row, "terms": terms_of(row)} for row in part.rows],
        rows_schema(schema_of(job.live).fields),
    )
    collection.stage(candidate.version, rows, vectors.astype(np.float32), gone)


def _damaged(job: _Job) -> list[Version]:
    """The live version, and each other published one that is not whole: also in another collection,
    which was lost with it.
    """
    with job.kb.ledger.read() as connection:
        query = select(versions).where(
            versions.c.kb == job.kb.name,
            versions.c.status == "published",
            versions.c.version != job.live.version,
        )
        others = [Version.model_validate(row) for row in connection.execute(query)]
    return [
        job.live,
        *(other for other in others if not examine(job.kb, other, thorough=job.thorough).ok),
    ]


def _publish(job: _Job, sealed: Version, damaged: Sequence[Version]) -> None:
    """One transaction: the mended version is live, and those that cannot be served are no longer
    kept. Then the lost collection goes.
    """
    of_kb = versions.c.kb == job.kb.name
    with job.kb.ledger.write() as connection:
        job.lease.confirm(connection)
        condemn(connection, job.kb, [other.version for other in damaged])
        connection.execute(
            update(versions)
            .where(of_kb, versions.c.version == sealed.version)
            .values(
                status="published",
                published_at=now(),
                snapshot=sealed.snapshot,
                documents=sealed.documents,
                chunks=job.findings.chunks,
                added=0,
                retired=0,
            )
        )
        what = job.findings.lost or "the store did not hold what the ledger says"
        number = str(sealed.version)
        append(connection, live_moves("repair", connection, job.kb.name, number, what))
        connection.execute(
            update(knowledge_bases)
            .where(knowledge_bases.c.name == job.kb.name)
            .values(live=sealed.version)
        )
        rows = connection.execute(select(versions).where(of_kb, versions.c.status == "published"))
        kept = [Version.model_validate(row) for row in rows]
    try:
        numbers.drop_unused(job.kb.home, damaged, kept)
        in_use = {version.collection for version in kept}
        mark_cleared(job.kb, [other for other in damaged if other.collection not in in_use])
    except LlmopsError as error:
        job.work.notes.append(
            f"the old collection could not be removed ({error.message}); "
            f"`llmops kb gc {job.kb.name}` tries again"
        )


def _passages(job: _Job) -> Iterator[_Passages]:
    """The chunks of the live version that are wanted, shard by shard, without chunking or embedding
    anything: each is exactly what the ledger says, by its hash, or is lost.
    """
    version, wanted, facts = job.live, job.wanted, schema_of(job.live)
    of_chunks = (chunks.c[name] for name in CHUNK_COLUMNS)
    of_owners = (documents.c[name] for name in OWNER_COLUMNS)
    by_shard: dict[str, list[LedgerRow[Any]]] = {}
    with job.kb.ledger.read() as connection:
        owners = {
            row.doc_id: row
            for row in connection.execute(
                select(*of_owners).where(
                    documents.c.kb == version.kb, live_at(documents, version.version)
                )
            )
        }
        for row in connection.execute(
            select(*of_chunks).where(chunks.c.kb == version.kb, live_at(chunks, version.version))
        ):
            if wanted is None or row.chunk_id in wanted:
                by_shard.setdefault(row.shard, []).append(row)
    for shard, asked in sorted(by_shard.items()):
        yield _of_shard(job.kb.lake, shard, asked, owners, facts)


def _of_shard(
    lake: Lake,
    shard: str,
    asked: Sequence[LedgerRow[Any]],
    owners: Mapping[str, LedgerRow[Any]],
    facts: MetadataSchema,
) -> _Passages:
    part = _Passages()
    there = _chunks(lake, shard, part, [_uri(owners, row.doc_id) for row in asked])
    copied = _documents(
        lake, {row.doc_id: owners[row.doc_id] for row in asked if row.doc_id in owners}, part
    )
    for row in asked:
        if row.chunk_id in there and row.doc_id in copied:
            made = {**there[row.chunk_id], **owner_columns(facts, copied[row.doc_id])}
            if row_hash(made) == row.row_hash:
                part.rows.append({**made, "row_hash": row.row_hash})
                part.keys.append(row.text_hash)
                continue
        part.lost.setdefault(
            _uri(owners, row.doc_id), "the lake holds another text of it than the ledger says"
        )
    return part


def _uri(owners: Mapping[str, LedgerRow[Any]], doc_id: str) -> str:
    return str(owners[doc_id].uri) if doc_id in owners else f"document {doc_id}"


def _chunks(lake: Lake, shard: str, part: _Passages, uris: Sequence[str]) -> dict[str, Row]:
    try:
        if not shard:
            raise Damaged(
                "it was indexed by a release that did not write down where its chunks lie"
            )
        rows = Shard(path=shard, rows=0, sha256=PurePath(shard).stem).table(lake).to_pylist()
    except Damaged as error:
        part.lost.update(dict.fromkeys(uris, error.message))
        return {}
    return {row["chunk_id"]: row for row in rows}


def _documents(lake: Lake, owners: Mapping[str, LedgerRow[Any]], part: _Passages) -> dict[str, Row]:
    """doc_id -> the columns that its chunks hold of it."""
    by_shard: dict[tuple[str, str], list[LedgerRow[Any]]] = {}
    for owner in owners.values():
        by_shard.setdefault((owner.shard, owner.shard_sha256), []).append(owner)
    copied: dict[str, Row] = {}
    for (path, sha256), mine in by_shard.items():
        try:
            table = Shard(path=path, rows=0, sha256=sha256).table(lake, OWNER)
            copied |= {
                row["doc_id"]: row
                for row in table.take([owner.shard_row for owner in mine]).to_pylist()
            }
        except Damaged as error:
            part.lost.update({owner.uri: error.message for owner in mine})
    return copied
