"""The rows of a version made again from the lake, without chunking or embedding anything: what
mends a store, and what moves it.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any

from sqlalchemy import select

from llmops.tasks.errors import Damaged
from llmops.tasks.filters.metadata import Facts
from llmops.tasks.knowledge.changes import owner_columns, row_hash
from llmops.tasks.knowledge.reading import facts_of
from llmops.tasks.knowledge.transform import Row
from llmops.tasks.knowledge.versions import Version
from llmops.tasks.ledger import Ledger, live_at
from llmops.tasks.ledger.tables import chunks, documents
from llmops.tasks.schemas import Shard

OWNER = ["doc_id", "uri", "title", "source", "language", "media_type", "metadata"]


@dataclass(frozen=True)
class Passages:
    """What one shard of the lake gives back. `rows` hold `row_hash` beside the columns that it
    covers, `keys` their text hashes.

    `lost`: uri -> why, for documents of which something cannot be made again.
    """

    rows: list[Row] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    lost: dict[str, str] = field(default_factory=dict)


def passages(
    ledger: Ledger, lake: Path, version: Version, wanted: Collection[str] | None = None
) -> Iterator[Passages]:
    """The chunks of a version, or some of them, shard by shard: each is exactly what the ledger
    says, by its hash, or is lost.
    """
    owners, by_shard = _owners(ledger, version), _by_shard(ledger, version, wanted)
    for shard, asked in sorted(by_shard.items()):
        yield _one(lake, shard, asked, owners, facts_of(version))


def _owners(ledger: Ledger, version: Version) -> dict[str, Any]:
    columns = [
        documents.c[name] for name in ("doc_id", "uri", "shard", "shard_sha256", "shard_row")
    ]
    with ledger.read() as connection:
        query = select(*columns).where(
            documents.c.kb == version.kb, live_at(documents, version.version)
        )
        return {row.doc_id: row for row in connection.execute(query)}


def _by_shard(
    ledger: Ledger, version: Version, wanted: Collection[str] | None
) -> dict[str, list[Any]]:
    columns = [chunks.c[name] for name in ("chunk_id", "doc_id", "row_hash", "text_hash", "shard")]
    found: dict[str, list[Any]] = {}
    with ledger.read() as connection:
        for row in connection.execute(
            select(*columns).where(chunks.c.kb == version.kb, live_at(chunks, version.version))
        ):
            if wanted is None or row.chunk_id in wanted:
                found.setdefault(row.shard, []).append(row)
    return found


def _one(
    lake: Path, shard: str, asked: Sequence[Any], owners: Mapping[str, Any], facts: Facts
) -> Passages:
    part = Passages()
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


def _uri(owners: Mapping[str, Any], doc_id: str) -> str:
    return str(owners[doc_id].uri) if doc_id in owners else f"document {doc_id}"


def _chunks(lake: Path, shard: str, part: Passages, uris: Sequence[str]) -> dict[str, Row]:
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


def _documents(lake: Path, owners: Mapping[str, Any], part: Passages) -> dict[str, Row]:
    """doc_id -> the columns that its chunks hold of it."""
    by_shard: dict[tuple[str, str], list[Any]] = {}
    for owner in owners.values():
        by_shard.setdefault((owner.shard, owner.shard_sha256), []).append(owner)
    found: dict[str, Row] = {}
    for (path, sha256), mine in by_shard.items():
        try:
            table = Shard(path=path, rows=0, sha256=sha256).table(lake, OWNER)
            found |= {
                row["doc_id"]: row
                for row in table.take([owner.shard_row for owner in mine]).to_pylist()
            }
        except Damaged as error:
            part.lost.update({owner.uri: error.message for owner in mine})
    return found
