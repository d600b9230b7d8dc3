"""Removing a knowledge base with everything that only it has."""

import shutil
from pathlib import Path
from re import fullmatch

from sqlalchemy import delete, func, select

from tasks.knowledge.leases import Lease
from tasks.knowledge.ledger import Ledger
from tasks.knowledge.serving import store_of
from tasks.knowledge.tables import chunks, documents, knowledge_bases, listings, quarantine, runs, sketches, versions
from tasks.knowledge.versions import Version, known, published

OWNED = (chunks, documents, versions, quarantine, listings, runs, sketches)


def belongings(ledger: Ledger, kb: str) -> dict[str, int]:
    """What a drop removes: versions, documents of any version, and so on. Raises UsageError for an unknown knowledge base."""
    if kb not in known(ledger):
        published(ledger, kb)
    with ledger.read() as connection:
        counts = {table.name: connection.scalar(select(func.count()).select_from(table).where(table.c.kb == kb)) or 0
                  for table in (versions, quarantine)}
        counts |= {table.name: connection.scalar(select(func.count(key.distinct())).where(table.c.kb == kb)) or 0
                   for table, key in ((documents, documents.c.doc_id), (chunks, chunks.c.chunk_id))}
        counts["collections"] = connection.scalar(select(func.count(versions.c.collection.distinct())).where(versions.c.kb == kb)) or 0
    return counts


def drop(ledger: Ledger, lease: Lease, home: Path, kb: str) -> int:
    """Remove collections, versions, documents and quarantine; returns how many versions there were.

    Embeddings and parsed texts stay: they belong to the content, and another knowledge base may share them. So do the bars
    of documents that were erased: they hold for whatever is built under this name later. Killed, it is run again.
    """
    with ledger.read() as connection:
        found = [Version.model_validate(row) for row in connection.execute(select(versions).where(versions.c.kb == kb))]
    for one in {one.collection: one for one in found}.values():
        store_of(one).drop(one.collection, home)
    with ledger.write() as connection:
        lease.confirm(connection)
        for table in OWNED:
            connection.execute(delete(table).where(table.c.kb == kb))
        connection.execute(delete(knowledge_bases).where(knowledge_bases.c.name == kb))
    _files(home, kb)
    return len(found)


def _files(home: Path, kb: str) -> None:
    """What only its builds have used."""
    (home / "plans" / f"{kb}.json").unlink(missing_ok=True)
    for folder in [home / "sources" / kb, *(home / "lake" / "runs").glob(f"{kb}-*")]:
        if folder.name == kb or fullmatch(rf"{kb}-\d+", folder.name):
            shutil.rmtree(folder, ignore_errors=True)
