"""Removing a knowledge base with everything that only it has."""

from typing import TypedDict

from sqlalchemy import Connection, delete, func, select, union, update

from llmops.tasks.audit.log import append
from llmops.tasks.knowledge.handle import Handle, Version, known
from llmops.tasks.knowledge.lakes import claim
from llmops.tasks.knowledge.rankings import forget_models
from llmops.tasks.knowledge.reading import store_of
from llmops.tasks.knowledge.versions import live_moves
from llmops.tasks.ledger.leases import Lease
from llmops.tasks.ledger.tables import (
    calls,
    chunks,
    documents,
    knowledge_bases,
    listings,
    parsed,
    quarantine,
    rankings,
    runs,
    shown,
    sketches,
    versions,
)
from llmops.tasks.maintenance.garbage import building, free_after_drop

OWNED = (chunks, documents, versions, quarantine, listings, runs, sketches, rankings)


class Dropped(TypedDict):
    """What a drop has freed in the lake, and what is to be said of it."""

    files: int
    bytes: int
    note: str


def belongings(kb: Handle) -> dict[str, int]:
    """What a drop removes: versions, documents of any version, and so on. Raises UsageError for an
    unknown knowledge base.
    """
    if kb.name not in known(kb.ledger):
        kb.published()
    counted = {
        "versions": versions.c.version,
        "quarantine": quarantine.c.id,
        "documents": documents.c.doc_id.distinct(),
        "chunks": chunks.c.chunk_id.distinct(),
        "collections": versions.c.collection.distinct(),
    }
    tables = (versions, quarantine, documents, chunks, versions)
    with kb.ledger.read() as connection:
        return {
            name: connection.scalar(select(func.count(column)).where(table.c.kb == kb.name)) or 0
            for (name, column), table in zip(counted.items(), tables, strict=True)
        }


def drop(kb: Handle, lease: Lease) -> Dropped:
    """Remove collections, versions, documents, quarantine, and the files of the lake.

    Embeddings stay: they are paid for, are vectors only, and belong to content that may come back.
    So does the suppression list of documents that were erased: it holds for whatever is built under
    this name later. Killed, it is run again: the name goes last.
    """
    claim(kb)
    ledger = kb.ledger
    with ledger.read() as connection:
        rows = connection.execute(select(versions).where(versions.c.kb == kb.name))
        by_collection = {row.collection: Version.model_validate(row) for row in rows}
    for version in by_collection.values():
        store_of(version).drop(version.collection, kb.home)
    with ledger.write() as connection:
        lease.confirm(connection)
        dropped = live_moves("drop", connection, kb.name, "")
        if dropped.before:  # else nothing was live, or a drop that was killed has said it
            append(connection, dropped)
        note = _forget_texts(connection, kb.name)
        for table in OWNED:
            connection.execute(delete(table).where(table.c.kb == kb.name))
        connection.execute(
            update(knowledge_bases)
            .where(knowledge_bases.c.name == kb.name)
            .values(live=None, ranking=None)
        )
    files, freed = free_after_drop(kb)
    _files(kb)
    with ledger.write() as connection:
        lease.confirm(connection)
        connection.execute(delete(knowledge_bases).where(knowledge_bases.c.name == kb.name))
    return {"files": files, "bytes": freed, "note": note}


def _forget_texts(connection: Connection, kb: str) -> str:
    """Forget parsed texts and answers of models that only this base needs; returns what is to be
    said where that must wait.

    A shard holds many parsed texts: those beside one that goes are forgotten with it, and would be
    parsed again. Of the last base everything goes, also what was parsed for documents that were
    never published.
    """
    if busy := building(connection, kb):
        return (
            f"parsed texts stay, which the running build of {busy[0].kb!r} may need: "
            f"`llmops kb gc {busy[0].kb} --embeddings` forgets them later"
        )
    mine, theirs = (
        {
            name: union(
                *(select(table.c[name]).where((table.c.kb == kb) == own) for table in tables)
            )
            for name, tables in (
                ("content_hash", (documents, sketches)),
                ("doc_id", (documents, sketches, quarantine)),
            )
        }
        for own in (True, False)
    )
    alone = select(parsed.c.shard)
    others = select(knowledge_bases.c.name).where(knowledge_bases.c.name != kb)
    if connection.scalar(others.limit(1)) is not None:
        alone = alone.where(
            parsed.c.content_hash.in_(mine["content_hash"]),
            parsed.c.content_hash.not_in(theirs["content_hash"]),
        )
    needed = select(documents.c.shard).where(documents.c.kb != kb)
    connection.execute(
        delete(parsed).where(parsed.c.shard.in_(alone), parsed.c.shard.not_in(needed))
    )
    connection.execute(
        delete(calls).where(
            calls.c.owner.in_(mine["doc_id"]), calls.c.owner.not_in(theirs["doc_id"])
        )
    )
    connection.execute(
        delete(calls).where(calls.c.key.in_(select(shown.c.key).where(shown.c.kb == kb)))
    )
    connection.execute(delete(shown).where(shown.c.kb == kb))
    return ""


def _files(kb: Handle) -> None:
    """What only its builds have used."""
    kb.forget_notes()
    kb.forget_runs()
    forget_models(kb)
