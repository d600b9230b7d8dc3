"""Removing a knowledge base with everything that only it has."""

from pathlib import Path

from sqlalchemy import delete, select

from tasks.knowledge.leases import Lease
from tasks.knowledge.ledger import Ledger
from tasks.knowledge.serving import store_of
from tasks.knowledge.tables import chunks, documents, knowledge_bases, listings, quarantine, runs, versions
from tasks.knowledge.versions import Version


def drop(ledger: Ledger, lease: Lease, home: Path, kb: str) -> int:
    """Remove collections, versions, documents and quarantine; returns how many versions there were.

    Embeddings and parsed texts stay: they belong to the content, and another knowledge base may share them.
    """
    with ledger.read() as connection:
        found = [Version.model_validate(row) for row in connection.execute(select(versions).where(versions.c.kb == kb))]
    for one in {one.collection: one for one in found}.values():
        store_of(one).drop(one.collection, home)
    with ledger.write() as connection:
        lease.confirm(connection)
        for table in (chunks, documents, versions, quarantine, listings, runs):
            connection.execute(delete(table).where(table.c.kb == kb))
        connection.execute(delete(knowledge_bases).where(knowledge_bases.c.name == kb))
    return len(found)
