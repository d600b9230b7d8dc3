"""Where something in a knowledge base comes from: chunk, document, source, the versions that hold
it, and the runs that made them.
"""

import json
import re
from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import Any, NamedTuple

from sqlalchemy import select

from llmops.tasks.errors import Damaged, UsageError, did_you_mean
from llmops.tasks.filters import LABELS
from llmops.tasks.knowledge.changes import owner_columns
from llmops.tasks.knowledge.reading import collection_of, facts_of
from llmops.tasks.knowledge.suppressed import uri_hash
from llmops.tasks.knowledge.versions import Version, known, published
from llmops.tasks.ledger import Ledger
from llmops.tasks.ledger.leases import aware
from llmops.tasks.ledger.tables import chunks, documents, erased, knowledge_bases, versions
from llmops.tasks.schemas import Shard

PASSAGE = ("ordinal", "text", "start", "end", "tokens", "headings", "page", "context", "search")
PREFIX = re.compile(r"[0-9a-f]{8,}")


class Found(NamedTuple):
    """What an id names, and all rows of it: a row for each stretch of versions in which it was the
    same, oldest first.
    """

    kind: str
    id: str
    kb: str
    rows: Sequence[Any]


def explain(ledger: Ledger, home: Path, given: str, kb: str | None = None) -> dict[str, Any]:
    """The object of `explain`, for a chunk id, a document id (8 digits or more of it are enough) or
    a uri. What was retired is explained, too.

    Raises UsageError for what is unknown, for what is in several knowledge bases or sources, and
    for digits that begin several ids.
    """
    if kb is not None and kb not in known(ledger):
        published(ledger, kb)
    found = _found(ledger, given.strip(), kb)
    with ledger.read() as connection:
        mine = connection.execute(
            select(versions).where(versions.c.kb == found.kb).order_by(versions.c.version)
        ).all()
        live = connection.scalar(
            select(knowledge_bases.c.live).where(knowledge_bases.c.name == found.kb)
        )
    holding = [
        row for row in mine if row.published_at and any(_in(one, row.version) for one in found.rows)
    ]
    newest = Version.model_validate(holding[-1] if holding else mine[-1])
    owner, chunk = found.rows[-1], None
    if found.kind == "chunk":
        chunk, owner = _passage(home, newest, found), _owner(ledger, found)
    return {
        "kind": found.kind,
        "id": found.id,
        "knowledge_base": found.kb,
        "live": _in(found.rows[-1], live or 0),
        **({"chunk": chunk} if chunk else {}),
        "document": _document(ledger, home, newest, owner),
        "versions": [_version(row, live) for row in holding],
        "config": newest.config,
    }


def _found(ledger: Ledger, given: str, kb: str | None) -> Found:
    if given.startswith("tr-"):
        raise UsageError(
            f"{given!r} is a trace; this release records none",
            hint="give a chunk id, a document id or a uri",
        )
    for kind, table, column in (
        ("chunk", chunks, chunks.c.chunk_id),
        ("document", documents, documents.c.doc_id),
        ("document", documents, documents.c.uri),
    ):
        query = select(table).where(column == given).order_by(table.c.valid_from)
        with ledger.read() as connection:
            rows = connection.execute(query.where(table.c.kb == kb) if kb else query).all()
        if rows:
            return _one(kind, given, rows)
    if whole := _completed(ledger, given, kb):
        return _found(ledger, whole, kb)
    raise _unknown(ledger, given, kb)


def _completed(ledger: Ledger, given: str, kb: str | None) -> str | None:
    """The id that begins so; None where none does. Raises UsageError where several do."""
    if not PREFIX.fullmatch(given):
        return None
    ids: set[str] = set()
    with ledger.read() as connection:
        for table, column in ((chunks, chunks.c.chunk_id), (documents, documents.c.doc_id)):
            query = (
                select(column)
                .distinct()
                .where(column > given, column < f"{given}g")
                .order_by(column)
                .limit(3)
            )
            ids |= set(connection.scalars(query.where(table.c.kb == kb) if kb else query))
    if len(ids) > 1:
        raise UsageError(
            f"several ids begin with {given!r}: {', '.join(sorted(ids)[:3])}",
            hint="give more of it",
        )
    return ids.pop() if ids else None


def _one(kind: str, given: str, rows: Sequence[Any]) -> Found:
    bases = sorted({row.kb for row in rows})
    if len(bases) > 1:
        raise UsageError(
            f"{given!r} is in {len(bases)} knowledge bases: {', '.join(bases)}",
            hint=f"say which: --kb {bases[0]}",
        )
    owners = {row.doc_id: row for row in rows}
    if len(owners) > 1 and kind == "document":
        listed = ", ".join(f"{row.doc_id} of the source {row.source}" for row in owners.values())
        raise UsageError(
            f"{given!r} is in {len(owners)} sources of {bases[0]!r}",
            hint=f"give a document id: {listed}",
        )
    return Found(kind, rows[-1].chunk_id if kind == "chunk" else rows[-1].doc_id, bases[0], rows)


def _unknown(ledger: Ledger, given: str, kb: str | None) -> UsageError:
    where = f"the knowledge base {kb!r}" if kb else "any knowledge base"
    with ledger.read() as connection:
        query = select(documents.c.uri).distinct()
        uris = list(connection.scalars(query.where(documents.c.kb == kb) if kb else query))
        gone = {row.uri_hash: row for row in connection.execute(select(erased))}
    for name in [kb] if kb else known(ledger):
        if row := gone.get(uri_hash(name, given)):
            return UsageError(
                f"{given!r} was erased from {name!r} at "
                f"{aware(row.erased_at):%Y-%m-%d %H:%M} UTC: nothing of it is known"
            )
    hint = did_you_mean(given, uris, most=3, alike=0.5) or (
        "give a chunk id or doc_id of a search, or a uri of `llmops kb documents`"
    )
    return UsageError(f"{given!r} is no chunk and no document of {where}", hint=hint)


def _in(row: Any, version: int) -> bool:
    return bool(row.valid_from <= version and (row.valid_to is None or row.valid_to > version))


def _owner(ledger: Ledger, found: Found) -> Any:
    """The document as it was when it had the chunk last."""
    with ledger.read() as connection:
        mine = (documents.c.kb == found.kb) & (documents.c.doc_id == found.rows[-1].doc_id)
        rows = connection.execute(
            select(documents).where(mine).order_by(documents.c.valid_from)
        ).all()
    before = [
        row
        for row in rows
        if found.rows[-1].valid_to is None or row.valid_from < found.rows[-1].valid_to
    ]
    if not before:
        raise Damaged(
            f"the ledger has the chunk {found.id}, but not its document",
            hint=f"llmops kb verify {found.kb}",
        )
    return before[-1]


def _passage(home: Path, version: Version, found: Found) -> dict[str, Any]:
    """The chunk itself, from the lake, or from the store where an older release did not say in
    which shard it lies.
    """
    last = found.rows[-1]
    rows = _shard_rows(home / "lake", last.shard) if last.shard else _stored(home, version)
    row = next((row for row in rows if row["chunk_id"] == found.id), None)
    if row is None:
        raise Damaged(
            f"the text of the chunk {found.id} is lost", hint=f"llmops kb verify {found.kb}"
        )
    return {
        "chunk_id": found.id,
        "doc_id": last.doc_id,
        **{name: row[name] for name in PASSAGE},
        "row_hash": last.row_hash,
        "valid_from": found.rows[0].valid_from,
        "valid_to": last.valid_to,
    }


def _shard_rows(lake: Path, path: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = (
        Shard(path=path, rows=0, sha256=PurePath(path).stem).table(lake).to_pylist()
    )
    return rows


def _stored(home: Path, version: Version) -> list[dict[str, Any]]:
    from llmops.tasks.knowledge.reading import records

    reader = collection_of(home, version).at(version.snapshot or "")
    return [row for part in reader.rows(["chunk_id", *PASSAGE]) for row in records(part)]


def _document(ledger: Ledger, home: Path, version: Version, row: Any) -> dict[str, Any]:
    """The document, with the stretches of versions in which its content was the same."""
    columns = owner_columns(facts_of(version), row._mapping)
    with ledger.read() as connection:
        mine = (documents.c.kb == row.kb) & (documents.c.doc_id == row.doc_id)
        every = connection.execute(
            select(documents).where(mine).order_by(documents.c.valid_from)
        ).all()
    return {
        "doc_id": row.doc_id,
        "uri": row.uri,
        "source": row.source,
        "title": row.title,
        "content_hash": row.content_hash,
        "revision": row.revision,
        "fetched_at": aware(row.fetched_at).isoformat(),
        "media_type": row.media_type,
        "language": row.language,
        "labels": columns[LABELS],
        "flags": columns["flags"],
        "metadata": json.loads(row.metadata),
        "characters": row.characters,
        "chunks": row.chunks,
        "text_in": str(home / "lake" / row.shard),
        "text_row": row.shard_row,
        "versions": [
            {"from": one.valid_from, "to": one.valid_to, "content_hash": one.content_hash}
            for one in every
        ],
    }


def _version(row: Any, live: int | None) -> dict[str, Any]:
    return {
        "version": row.version,
        "status": "live" if row.version == live else row.status,
        "published_at": aware(row.published_at).isoformat() if row.published_at else None,
        **{
            name: getattr(row, name)
            for name in ("prefect_run_id", "mlflow_run_id", "config_sha256")
        },
    }
