"""What the ledger knows of a document: found, forgotten in one transaction, and overwritten on
disk.
"""

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Table, delete, func, select, update

from llmops.tasks.knowledge.suppressed import uri_hash
from llmops.tasks.ledger import Ledger, live_at, now, upsert
from llmops.tasks.ledger.leases import Lease
from llmops.tasks.ledger.tables import (
    calls,
    chunks,
    documents,
    embeddings,
    erased,
    parsed,
    quarantine,
    runs,
    shown,
    sketches,
    versions,
)
from llmops.tasks.maintenance.erase_lake import Traces, called, parts_of
from llmops.tasks.maintenance.redaction import Quotes
from llmops.tasks.maintenance.redaction_files import compact, opened

KEYS = 500
OWNED = (documents, chunks, quarantine, sketches)
TOLD = ((runs, "outcome"), (versions, "gate"), (versions, "config"), (quarantine, "reason"))


def identities(ledger: Ledger, lake: Path, kb: str, uri: str) -> set[str]:
    """The doc_ids that a uri has had in a knowledge base, in any version, in quarantine, or in a
    build that came to nothing.
    """
    with ledger.read() as connection:
        found = {
            key
            for table in (documents, quarantine, sketches)
            for key in connection.scalars(
                select(table.c.doc_id).where(table.c.kb == kb, table.c.uri == uri)
            )
        }
        found |= _former(connection, kb, found)
        theirs = set(
            connection.scalars(
                select(documents.c.doc_id).where(documents.c.kb != kb, documents.c.uri == uri)
            )
        )
    return (
        found
        | {todo["doc_id"] for todo in parts_of(lake, kb) if todo["uri"] == uri}
        | (called(lake, uri) - theirs)
    )


def _former(connection: Connection, kb: str, doc_ids: Collection[str]) -> set[str]:
    """What the documents were called before a rename: the same content of the same source, gone in
    the version in which they came.
    """
    found, new = set[str](), set(doc_ids)
    while new:
        mine = documents.alias()
        before = connection.scalars(
            select(documents.c.doc_id)
            .join(
                mine,
                (mine.c.kb == documents.c.kb)
                & (mine.c.source == documents.c.source)
                & (mine.c.content_hash == documents.c.content_hash)
                & (mine.c.valid_from == documents.c.valid_to),
            )
            .where(documents.c.kb == kb, mine.c.doc_id.in_(new))
        )
        new = set(before) - found - set(doc_ids)
        found |= new
    return found


def names(ledger: Ledger, kb: str, doc_ids: Collection[str]) -> tuple[set[str], set[str]]:
    """(the uris of these documents, the uris of other documents that have the same content in some
    version).
    """
    with ledger.read() as connection:
        rows = _of(connection, documents, kb, doc_ids)
        own = {
            row.uri
            for table in (documents, quarantine, sketches)
            for row in _of(connection, table, kb, doc_ids)
        }
        same = documents.c.content_hash.in_({row.content_hash for row in rows})
        others = connection.scalars(
            select(documents.c.uri).where(
                documents.c.kb == kb, same, documents.c.doc_id.not_in(doc_ids)
            )
        )
        return own, set(others)


def uris(ledger: Ledger, kb: str) -> list[str]:
    with ledger.read() as connection:
        return sorted(
            {
                uri
                for table in (documents, quarantine)
                for uri in connection.scalars(select(table.c.uri).where(table.c.kb == kb))
            }
        )


def forget(
    ledger: Ledger,
    lease: Lease,
    kb: str,
    uri: str,
    doc_ids: Collection[str],
    found: Traces,
    before: Mapping[str, int],
    former: Collection[str] = (),
) -> dict[str, int]:
    """Delete every row of the documents, bar the uri and what it was called before, and write down
    what is pending.

    Returns counts, added to earlier ones.
    """
    with ledger.write() as connection:
        lease.confirm(connection)
        counts = {"versions": _recount(connection, kb, doc_ids)}
        hashes = found.embedded | {row.text_hash for row in _of(connection, chunks, kb, doc_ids)}
        contents = found.contents | {
            row.content_hash for row in _of(connection, documents, kb, doc_ids)
        }
        for table in OWNED:
            mine = (table.c.kb == kb) & table.c.doc_id.in_(doc_ids)
            counts[table.name] = connection.execute(delete(table).where(mine)).rowcount
        counts["documents"] = len(doc_ids)
        counts["embeddings"] = _unshared(
            connection, embeddings, embeddings.c.text_hash, chunks.c.text_hash, hashes
        )
        counts["parsed"] = _unshared(
            connection, parsed, parsed.c.content_hash, documents.c.content_hash, contents
        )
        alone = set(doc_ids) - set(
            connection.scalars(select(documents.c.doc_id).where(documents.c.doc_id.in_(doc_ids)))
        )
        counts["calls"] = connection.execute(
            delete(calls).where(calls.c.owner.in_(alone))
        ).rowcount + _shown(connection, kb, doc_ids)
        counts = {name: max(number, before.get(name, 0)) for name, number in counts.items()}
        pending = {"pending": {"doc_ids": sorted(doc_ids), "counts": counts}}
        upsert(
            connection,
            erased,
            [
                {
                    "kb": kb,
                    "uri_hash": uri_hash(kb, one),
                    "erased_at": now(),
                    "lifted_at": None,
                    "counts": pending if one == uri else {},
                }
                for one in {uri, *former}
            ],
        )
    return counts


def _shown(connection: Connection, kb: str, doc_ids: Collection[str]) -> int:
    """Forget what models replied when they were shown the documents, whether the replies quote them
    or not.
    """
    mine = (shown.c.kb == kb) & shown.c.doc_id.in_(doc_ids)
    keys = sorted(set(connection.scalars(select(shown.c.key).where(mine))))
    gone = 0
    for start in range(0, len(keys), KEYS):
        gone += connection.execute(
            delete(calls).where(calls.c.key.in_(keys[start : start + KEYS]))
        ).rowcount
        connection.execute(delete(shown).where(shown.c.key.in_(keys[start : start + KEYS])))
    return gone


def _of(connection: Connection, table: Table, kb: str, doc_ids: Collection[str]) -> Any:
    return connection.execute(
        select(table).where(table.c.kb == kb, table.c.doc_id.in_(doc_ids))
    ).all()


def _recount(connection: Connection, kb: str, doc_ids: Collection[str]) -> int:
    """The versions lose what they had of it; returns how many that were."""
    touched = 0
    for row in connection.execute(
        select(versions).where(versions.c.kb == kb, versions.c.status == "published")
    ).all():
        held = {
            table.name: connection.scalar(
                select(func.count())
                .select_from(table)
                .where(table.c.kb == kb, table.c.doc_id.in_(doc_ids), live_at(table, row.version))
            )
            or 0
            for table in (documents, chunks)
        }
        if any(held.values()):
            touched += 1
            connection.execute(
                update(versions)
                .where(versions.c.kb == kb, versions.c.version == row.version)
                .values(
                    documents=row.documents - held["documents"], chunks=row.chunks - held["chunks"]
                )
            )
    return touched


def _unshared(
    connection: Connection, table: Table, mine: Any, theirs: Any, keys: Collection[str]
) -> int:
    """Delete what was paid for these keys, except where a row that remains has the same one."""
    gone, ordered = 0, sorted(keys)
    for start in range(0, len(ordered), KEYS):
        part = ordered[start : start + KEYS]
        shared = set(connection.scalars(select(theirs).where(theirs.in_(part))))
        gone += connection.execute(
            delete(table).where(mine.in_([key for key in part if key not in shared]))
        ).rowcount
    return gone


def quoting(ledger: Ledger, kb: str, quotes: Quotes) -> int:
    """Black out what the ledger says of builds and of other documents; answers of models that quote
    it are forgotten.
    """
    changed = 0
    with ledger.write() as connection:
        for table, name in TOLD:
            column = table.c[name]
            for row in connection.execute(
                select(table).where(table.c.kb == kb, column.is_not(None))
            ).all():
                new = quotes.cleaned(row._mapping[name])
                if new != row._mapping[name]:
                    key = [each == row._mapping[each.name] for each in table.primary_key]
                    changed += connection.execute(
                        update(table).where(*key).values({name: new})
                    ).rowcount
        for answer in list(_answers(connection, quotes)):
            changed += connection.execute(delete(calls).where(calls.c.key == answer)).rowcount
    return changed


def _answers(connection: Connection, quotes: Quotes) -> Iterator[str]:
    for row in connection.execute(select(calls.c.key, calls.c.reply)).all():
        if quotes.found(row.reply):
            yield row.key


def compacted(ledger: Ledger) -> list[str]:
    """Leave no old page of the ledger behind. Returns what is to be said where that is another's
    affair.
    """
    if not Path(ledger.where).is_file():
        return [
            "the ledger is on a database server: its dead rows go with its next VACUUM, "
            "and with its backups"
        ]
    with opened(Path(ledger.where)) as connection:
        compact(connection)
    return []
