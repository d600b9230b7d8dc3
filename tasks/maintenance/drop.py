"""Removing a knowledge base with everything that only it has."""

import shutil
from pathlib import Path
from re import fullmatch
from typing import Any

from sqlalchemy import Connection, delete, func, select, union, update

from llmops.tasks.knowledge.reading import store_of
from llmops.tasks.knowledge.versions import Version, known, published
from llmops.tasks.ledger import Ledger
from llmops.tasks.ledger.leases import Lease
from llmops.tasks.ledger.tables import (
    calls,
    chunks,
    documents,
    knowledge_bases,
    listings,
    parsed,
    quarantine,
    runs,
    shown,
    sketches,
    versions,
)
from llmops.tasks.maintenance.garbage import building, swept

OWNED = (chunks, documents, versions, quarantine, listings, runs, sketches)


def belongings(ledger: Ledger, kb: str) -> dict[str, int]:
    """What a drop removes: versions, documents of any version, and so on. Raises UsageError for an
    unknown knowledge base.
    """
    if kb not in known(ledger):
        published(ledger, kb)
    with ledger.read() as connection:
        counts = {
            table.name: connection.scalar(
                select(func.count()).select_from(table).where(table.c.kb == kb)
            )
            or 0
            for table in (versions, quarantine)
        }
        counts |= {
            table.name: connection.scalar(
                select(func.count(key.distinct())).where(table.c.kb == kb)
            )
            or 0
            for table, key in ((documents, documents.c.doc_id), (chunks, chunks.c.chunk_id))
        }
        counts["collections"] = (
            connection.scalar(
                select(func.count(versions.c.collection.distinct())).where(versions.c.kb == kb)
            )
            or 0
        )
    return counts


def drop(ledger: Ledger, lease: Lease, home: Path, kb: str) -> dict[str, Any]:
    """Remove collections, versions, documents, quarantine, and the files of the lake; returns
    {"files", "bytes", "note"}: of the lake.

    Embeddings stay: they are paid for, are vectors only, and belong to content that may come back.
    So do the bars of documents that were erased: they hold for whatever is built under this name
    later. Killed, it is run again: the name goes last.
    """
    with ledger.read() as connection:
        found = [
            Version.model_validate(row)
            for row in connection.execute(select(versions).where(versions.c.kb == kb))
        ]
    for one in {one.collection: one for one in found}.values():
        store_of(one).drop(one.collection, home)
    with ledger.write() as connection:
        lease.confirm(connection)
        note = _forget_texts(connection, kb)
        for table in OWNED:
            connection.execute(delete(table).where(table.c.kb == kb))
        connection.execute(
            update(knowledge_bases).where(knowledge_bases.c.name == kb).values(live=None)
        )
    files, freed = swept(ledger, home, kb)
    _files(home, kb)
    with ledger.write() as connection:
        lease.confirm(connection)
        connection.execute(delete(knowledge_bases).where(knowledge_bases.c.name == kb))
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
    if (
        connection.scalar(
            select(knowledge_bases.c.name).where(knowledge_bases.c.name != kb).limit(1)
        )
        is not None
    ):
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


def _files(home: Path, kb: str) -> None:
    """What only its builds have used."""
    (home / "plans" / f"{kb}.json").unlink(missing_ok=True)
    for folder in [home / "sources" / kb, *(home / "lake" / "runs").glob(f"{kb}-*")]:
        if folder.name == kb or fullmatch(rf"{kb}-\d+", folder.name):
            shutil.rmtree(folder, ignore_errors=True)
