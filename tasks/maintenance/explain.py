"""Where something in a knowledge base comes from: chunk, document, source, the versions that hold
it, and the runs that made them.
"""

import json
import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path, PurePath, PurePosixPath
from typing import Any, Literal, NamedTuple, NotRequired, TypedDict

from sqlalchemy import ColumnElement, Row, Table, select

from llmops.tasks.errors import Damaged, UsageError, did_you_mean
from llmops.tasks.filters import LABELS
from llmops.tasks.filters.metadata import owner_columns
from llmops.tasks.knowledge.handle import Handle, Version, known, schema_of
from llmops.tasks.knowledge.quarantine import QuarantineItem, quarantined
from llmops.tasks.knowledge.reading import collection_of
from llmops.tasks.knowledge.suppressed import uri_hash
from llmops.tasks.lake import lake_of
from llmops.tasks.ledger import Ledger, existing_ledger
from llmops.tasks.ledger.leases import aware
from llmops.tasks.ledger.tables import chunks, documents, erased, knowledge_bases, versions
from llmops.tasks.schemas import Shard, records

PASSAGE = ("ordinal", "text", "start", "end", "tokens", "headings", "page", "context", "search")
Kind = Literal["chunk", "document"]
PREFIX = re.compile(r"[0-9a-f]{8,}")


class _Chunk(TypedDict):
    """Only where a chunk was asked for."""

    chunk: NotRequired[Mapping[str, Any]]


class Provenance(_Chunk):
    """The object of `explain`. `quarantine`: what its source has now could not be processed, and
    the earlier form is served.
    """

    kind: Kind
    id: str
    knowledge_base: str
    live: bool
    document: Mapping[str, Any]
    versions: Sequence[Mapping[str, Any]]
    config: Mapping[str, Any]
    quarantine: QuarantineItem | None


class Named(NamedTuple):
    """What an id names, and all rows of it: a row for each stretch of versions in which it was the
    same, oldest first.
    """

    kind: Kind
    id: str
    kb: str
    rows: Sequence[Row[Any]]


def explain(home: Path, given: str, kb: str | None = None) -> Provenance:
    """The object of `explain`, for a chunk id, a document id (8 digits or more of it are enough) or
    a uri. What was retired is explained, too.

    Raises UsageError for what is unknown, for what is in several knowledge bases or sources, and
    for digits that begin several ids.
    """
    ledger = existing_ledger(home)
    if kb is not None and kb not in known(ledger):
        Handle(home=home, name=kb).published()
    named = _named(ledger, given.strip(), kb)
    with ledger.read() as connection:
        mine = connection.execute(
            select(versions).where(versions.c.kb == named.kb).order_by(versions.c.version)
        ).all()
        live = connection.scalar(
            select(knowledge_bases.c.live).where(knowledge_bases.c.name == named.kb)
        )
    holding = [
        row
        for row in mine
        if row.published_at and any(_holds(stretch, row.version) for stretch in named.rows)
    ]
    newest = Version.model_validate(holding[-1] if holding else mine[-1])
    of_chunk = named.kind == "chunk"
    owner = _owner(ledger, named) if of_chunk else named.rows[-1]
    chunk: _Chunk = {"chunk": _passage(home, newest, named)} if of_chunk else {}
    return {
        "kind": named.kind,
        "id": named.id,
        "knowledge_base": named.kb,
        "live": _holds(named.rows[-1], live or 0),
        **chunk,
        "document": _document(ledger, home, newest, owner),
        "versions": [
            {
                "version": row.version,
                "status": "live" if row.version == live else row.status,
                "published_at": aware(row.published_at).isoformat(),
                "prefect_run_id": row.prefect_run_id,
                "mlflow_run_id": row.mlflow_run_id,
                "config_sha256": row.config_sha256,
            }
            for row in holding
        ],
        "config": newest.config,
        "quarantine": quarantined(ledger, named.kb, owner.source, owner.uri),
    }


def _named(ledger: Ledger, given: str, kb: str | None) -> Named:
    places: tuple[tuple[Kind, Table, ColumnElement[str]], ...] = (
        ("chunk", chunks, chunks.c.chunk_id),
        ("document", documents, documents.c.doc_id),
        ("document", documents, documents.c.uri),
    )
    for kind, table, column in places:
        query = select(table).where(column == given).order_by(table.c.valid_from)
        with ledger.read() as connection:
            rows = connection.execute(query.where(table.c.kb == kb) if kb else query).all()
        if rows:
            return _unambiguous(kind, given, rows)
    if whole := _completed(ledger, given, kb):
        return _named(ledger, whole, kb)
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


def _unambiguous(kind: Kind, given: str, rows: Sequence[Row[Any]]) -> Named:
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
    return Named(kind, rows[-1].chunk_id if kind == "chunk" else rows[-1].doc_id, bases[0], rows)


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
    hint = did_you_mean(given, _similar(given, uris), most=3, alike=0.5) or (
        "give a chunk id or doc_id of a search, or a uri of `llmops kb documents`"
        if uris
        else "nothing is built yet: llmops index CONFIG"
    )
    return UsageError(f"{given!r} is no chunk and no document of {where}", hint=hint)


def _similar(given: str, uris: Sequence[str]) -> list[str]:
    """Those whose last part resembles that of what was given: files of one folder are alike for
    that alone.
    """
    last = {uri: PurePosixPath(uri.lower()).name for uri in uris}
    close = set(get_close_matches(PurePosixPath(given.lower()).name, last.values(), 3, 0.7))
    return [uri for uri in uris if last[uri] in close]


def _holds(row: Row[Any], version: int) -> bool:
    return bool(row.valid_from <= version and (row.valid_to is None or row.valid_to > version))


def _owner(ledger: Ledger, named: Named) -> Row[Any]:
    """The document as it was when it had the chunk last."""
    with ledger.read() as connection:
        mine = (documents.c.kb == named.kb) & (documents.c.doc_id == named.rows[-1].doc_id)
        rows = connection.execute(
            select(documents).where(mine).order_by(documents.c.valid_from)
        ).all()
    before = [
        row
        for row in rows
        if named.rows[-1].valid_to is None or row.valid_from < named.rows[-1].valid_to
    ]
    if not before:
        raise Damaged(
            f"the ledger has the chunk {named.id}, but not its document",
            hint=f"llmops kb verify {named.kb}",
        )
    return before[-1]


def _passage(home: Path, version: Version, named: Named) -> Mapping[str, Any]:
    """The chunk itself, from the lake, or from the store where an older release did not say in
    which shard it lies.
    """
    last = named.rows[-1]
    if last.shard:
        shard = Shard(path=last.shard, rows=0, sha256=PurePath(last.shard).stem)
        rows = shard.table(lake_of(home)).to_pylist()
    else:
        reader = collection_of(home, version).at(version.snapshot or "")
        rows = [row for part in reader.rows(["chunk_id", *PASSAGE]) for row in records(part)]
    row = next((row for row in rows if row["chunk_id"] == named.id), None)
    if row is None:
        raise Damaged(
            f"the text of the chunk {named.id} is lost", hint=f"llmops kb verify {named.kb}"
        )
    return {
        "chunk_id": named.id,
        "doc_id": last.doc_id,
        **{name: row[name] for name in PASSAGE},
        "row_hash": last.row_hash,
        "valid_from": named.rows[0].valid_from,
        "valid_to": last.valid_to,
    }


def _document(ledger: Ledger, home: Path, version: Version, row: Row[Any]) -> Mapping[str, Any]:
    """The document, with the stretches of versions in which its content was the same."""
    columns = owner_columns(schema_of(version), row._asdict())
    with ledger.read() as connection:
        mine = (documents.c.kb == row.kb) & (documents.c.doc_id == row.doc_id)
        stretches = connection.execute(
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
        "text_in": lake_of(home).where(row.shard),
        "text_row": row.shard_row,
        "versions": [
            {
                "from": stretch.valid_from,
                "to": stretch.valid_to,
                "content_hash": stretch.content_hash,
            }
            for stretch in stretches
        ],
    }
