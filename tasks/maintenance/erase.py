"""Removing a document for good: from every version, the store, the lake, what was paid for, and
from what quotes it.

The ledger forgets it first, in one transaction that also suppresses its uri and writes down what is
still to be done. All that follows can be killed and run again; the record of what was done is the
last thing written.
"""

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, TypedDict

from sqlalchemy import ColumnElement, Connection, Row, Table, delete, func, select, update

from llmops.tasks.audit.log import Entry, append
from llmops.tasks.errors import LIVE, Damaged, UsageError, did_you_mean
from llmops.tasks.knowledge.handle import Handle, Version, known
from llmops.tasks.knowledge.reading import collection_of, store_of
from llmops.tasks.knowledge.suppressed import (
    document_subject,
    erasing_at,
    lift,
    record_of,
    suppress,
    uri_hash,
)
from llmops.tasks.knowledge.versions import condemn, mark_cleared
from llmops.tasks.ledger import Ledger, live_at
from llmops.tasks.ledger.leases import Lease
from llmops.tasks.ledger.tables import (
    calls,
    chunks,
    documents,
    embeddings,
    erased,
    parsed,
    quarantine,
    rankings,
    runs,
    shown,
    sketches,
    versions,
)
from llmops.tasks.maintenance import erase_lake
from llmops.tasks.maintenance.erase_lake import Traces
from llmops.tasks.maintenance.erase_said import forget_clicks, redact_copies, redact_said
from llmops.tasks.maintenance.redaction import TRACES, Redactor, compact, opened, redact_files
from llmops.tasks.maintenance.versions import unservable
from llmops.tasks.schemas import sha256
from llmops.tasks.traces.published import told_of_document

KEYS = 500
OWNED = (documents, chunks, quarantine, sketches)
TOLD = (
    (runs, "outcome"),
    (versions, "gate"),
    (versions, "config"),
    (quarantine, "reason"),
    (rankings, "decision"),
)
ELSEWHERE = (
    "golden sets, sources and other files outside of LLMOPS_HOME are yours: this has not "
    "looked at them"
)


class Erasure(TypedDict):
    """The object of `kb erase`. `left`: files that quote the document and cannot be changed;
    `outstanding`: what could not be reached, so that the erasure has to be run again.
    """

    knowledge_base: str
    uri: str
    uri_hash: str
    status: str
    suppressed: bool
    counts: dict[str, int]
    notes: list[str]
    left: list[str]
    outstanding: list[str]


def nobody_writes() -> list[str]:
    """For a home without servers that store later what a run has sent."""
    return []


def erase(kb: Handle, uri: str, recorded: Callable[[], list[str]] = nobody_writes) -> Erasure:
    """Erase a document. Done again, it finishes what was interrupted, and says what an earlier one
    has done. `recorded` waits until what runs have sent is stored, and returns what it waited for
    in vain: the erasure is pending then, and keeps the texts in the lake that the next one needs to
    recognise quotations.

    Raises UsageError for a uri that the knowledge base has never had, Damaged before anything is
    begun where the store cannot serve the live version, Blocked during a build.
    """
    if kb.name not in known(kb.ledger):
        kb.published()
    with kb.hold() as lease:
        live = kb.live()
        if live is not None and (why := unservable(kb.home, live)):
            raise Damaged(
                f"the live version {live.version} of {kb.name!r} is not whole, so nothing was "
                f"erased: {why}",
                hint=f"`llmops kb repair {kb.name}` mends it; then erase again",
            )
        doc_ids = erase_lake.identities(kb, uri)
        before = record_of(kb, uri)
        pending = before["counts"].get("pending") if before else None
        if not doc_ids and not pending:
            return _done_before(kb, uri, before)
        doc_ids |= set((pending or {}).get("doc_ids", ()))
        return _erase(kb, lease, uri, doc_ids, (pending or {}).get("counts", {}), recorded)


def lifted(kb: Handle, uri: str) -> Erasure:
    """Let later builds take a document again. Raises UsageError where it is not suppressed."""
    record = lift(kb, uri)
    note = f"it was erased at {record['erased_at']:%Y-%m-%d %H:%M} UTC"
    return _answer(kb, uri, "lifted", {}, [note])


def _answer(
    kb: Handle,
    uri: str,
    status: str,
    counts: Mapping[str, int],
    notes: list[str],
    left: Collection[str] = (),
    outstanding: Collection[str] = (),
) -> Erasure:
    return {
        "knowledge_base": kb.name,
        "uri": uri,
        "uri_hash": uri_hash(kb.name, uri),
        "status": status,
        "suppressed": status != "lifted",
        "counts": dict(counts),
        "notes": notes,
        "left": [*left],
        "outstanding": [*outstanding],
    }


def _done_before(kb: Handle, uri: str, before: Mapping[str, Any] | None) -> Erasure:
    if before is None or before["lifted_at"] is not None:
        raise UsageError(
            f"{kb.name!r} has no document {uri!r}, and never had one",
            where=kb.name,
            hint=did_you_mean(uri, erase_lake.uris(kb), most=3, alike=0.5)
            or f"`llmops kb documents {kb.name}` lists them",
        )
    note = f"it was erased at {before['erased_at']:%Y-%m-%d %H:%M} UTC"
    counts = dict(before["counts"])
    states = counts.pop("left", {})
    left = [path for path, state in states.items() if _state(kb.home / path) == state]
    return _answer(kb, uri, "erased before", counts, [note], left)


def _state(file: Path) -> str:
    """What tells whether a file is still as it was; "" when it is gone."""
    return sha256(file.read_bytes()) if file.is_file() else ""


def _erase(
    kb: Handle,
    lease: Lease,
    uri: str,
    doc_ids: Collection[str],
    before: Mapping[str, int],
    recorded: Callable[[], list[str]],
) -> Erasure:
    ledger = kb.ledger
    traces = erase_lake.traces(kb.lake, doc_ids)
    own, others = erase_lake.names(kb, doc_ids)
    own |= traces.uris
    redactor = Redactor(traces.texts, uri, *own)
    uris = {each: uri_hash(kb.name, each) for each in (uri, *own)}
    published = told_of_document(kb.home, kb.name, uris)  # while their lineage has the uri
    counts = forget(kb, lease, uri, doc_ids, traces, before, own)
    # first from where an application finds it: else its answers quote it while the rest is done
    counts["collections"] = _stores(kb, lease, doc_ids)
    counts["records"] = redact_ledger(kb, redactor)
    kb.forget_notes()
    outstanding = recorded()
    copies = redact_copies(kb.home, redactor)
    counts["records"] += copies.changed
    left, outstanding = copies.left, [*outstanding, *copies.outstanding]
    published += copies.notes
    if outstanding:
        notes = [ELSEWHERE, *compacted(ledger)]
        return _answer(kb, uri, "unfinished", counts, notes, left, outstanding)
    counts["shards"], shared = erase_lake.rewrite(kb, doc_ids)
    notes = [ELSEWHERE, *compacted(ledger), *published]
    if shared:
        notes.append(
            f"{shared} files of the lake stay: another knowledge base has the same document"
        )
    if others:
        same = ", ".join(sorted(others))
        notes.append(f"the same text stays as {same}: erase that too if it is meant")
    if former := sorted(own - {uri}):
        notes.append(f"it was also called {', '.join(former)}, which is suppressed as well")
    states = {path: _state(kb.home / path) for path in left}
    counts["records"] += redact_ledger(kb, redactor) + redact_files(kb.home, redactor, TRACES)[0]
    with ledger.write() as connection:
        lease.confirm(connection)
        mine = (erased.c.kb == kb.name) & (erased.c.uri_hash == uri_hash(kb.name, uri))
        told = counts | ({"left": states} if left else {})
        # the new time tells applications to open the version once more, and to forget answers
        at = erasing_at(connection, kb.name)
        connection.execute(update(erased).where(mine).values(counts=told, erased_at=at))
    compacted(ledger)
    return _answer(kb, uri, "erased", counts, notes, left)


def forget(
    kb: Handle,
    lease: Lease,
    uri: str,
    doc_ids: Collection[str],
    traces: Traces,
    before: Mapping[str, int],
    names: Collection[str] = (),
) -> dict[str, int]:
    """Delete every row of the documents, suppress the uri and all the names that they had, and
    write down what is pending.

    Returns counts, added to earlier ones.
    """
    LIVE[uri] = f"{uri!r} may be erased in part"
    with kb.ledger.write() as connection:
        lease.confirm(connection)
        counts = {"versions": _recount(connection, kb.name, doc_ids)}
        hashes = traces.embedded | {
            row.text_hash for row in _rows(connection, chunks, kb.name, doc_ids)
        }
        contents = traces.contents | {
            row.content_hash for row in _rows(connection, documents, kb.name, doc_ids)
        }
        counts["clicks"] = forget_clicks(connection, kb.name, doc_ids)
        for table in OWNED:
            mine = (table.c.kb == kb.name) & table.c.doc_id.in_(doc_ids)
            counts[table.name] = connection.execute(delete(table).where(mine)).rowcount
        counts["documents"] = len(doc_ids)
        counts["embeddings"] = _forget_unshared(
            connection, embeddings, embeddings.c.text_hash, chunks.c.text_hash, hashes
        )
        counts["parsed"] = _forget_unshared(
            connection, parsed, parsed.c.content_hash, documents.c.content_hash, contents
        )
        counts["calls"] = _forget_replies(connection, kb.name, doc_ids)
        counts = {name: max(number, before.get(name, 0)) for name, number in counts.items()}
        pending = {"pending": {"doc_ids": sorted(doc_ids), "counts": counts}}
        suppressed = {name: pending if name == uri else {} for name in {uri, *names}}
        suppress(connection, kb.name, suppressed)
        for name in sorted(suppressed):
            append(connection, _entry(kb.name, name, continued=bool(before)))
    return counts


def _entry(kb: str, uri: str, *, continued: bool) -> Entry:
    return Entry(
        action="erase",
        subject=document_subject(kb, uri),
        after="suppressed",
        reason="what was interrupted goes on" if continued else "",
    )


def _rows(
    connection: Connection, table: Table, kb: str, doc_ids: Collection[str]
) -> list[Row[Any]]:
    mine = (table.c.kb == kb) & table.c.doc_id.in_(doc_ids)
    return list(connection.execute(select(table).where(mine)))


def _recount(connection: Connection, kb: str, doc_ids: Collection[str]) -> int:
    """The versions lose what they had of it; returns how many that were."""
    touched = 0
    published = (versions.c.kb == kb) & (versions.c.status == "published")
    for row in connection.execute(select(versions).where(published)).all():
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


def _forget_unshared(
    connection: Connection,
    table: Table,
    mine: ColumnElement[str],
    theirs: ColumnElement[str],
    keys: Collection[str],
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


def _forget_replies(connection: Connection, kb: str, doc_ids: Collection[str]) -> int:
    """Forget what models were asked about these documents alone, and what they replied when they
    were shown them, whether the replies quote them or not.
    """
    theirs = connection.scalars(select(documents.c.doc_id).where(documents.c.doc_id.in_(doc_ids)))
    alone = calls.c.owner.in_(set(doc_ids) - set(theirs))
    gone = connection.execute(delete(calls).where(alone)).rowcount
    mine = (shown.c.kb == kb) & shown.c.doc_id.in_(doc_ids)
    keys = sorted(set(connection.scalars(select(shown.c.key).where(mine))))
    for start in range(0, len(keys), KEYS):
        part = keys[start : start + KEYS]
        gone += connection.execute(delete(calls).where(calls.c.key.in_(part))).rowcount
        connection.execute(delete(shown).where(shown.c.key.in_(part)))
    return gone


def redact_ledger(kb: Handle, redactor: Redactor) -> int:
    """Black out what the ledger says of builds and of other documents; answers of models that quote
    it are forgotten.
    """
    changed = 0
    with kb.ledger.write() as connection:
        for table, name in TOLD:
            mine = (table.c.kb == kb.name) & table.c[name].is_not(None)
            for row in connection.execute(select(table).where(mine)).all():
                new = redactor.redacted(row._mapping[name])
                if new != row._mapping[name]:
                    key = [column == row._mapping[column.name] for column in table.primary_key]
                    changed += connection.execute(
                        update(table).where(*key).values({name: new})
                    ).rowcount
        for row in connection.execute(select(calls.c.key, calls.c.reply)).all():
            if redactor.quoted_in(row.reply):
                changed += connection.execute(delete(calls).where(calls.c.key == row.key)).rowcount
        changed += redact_said(connection, redactor)
    return changed


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


def _stores(kb: Handle, lease: Lease, doc_ids: Collection[str]) -> int:
    """Take the document out of every collection; those that no kept version uses, or that are lost,
    are dropped.
    """
    with kb.ledger.read() as connection:
        rows = connection.execute(select(versions).where(versions.c.kb == kb.name))
        every = [Version.model_validate(row) for row in rows]
    kept = [version for version in every if version.status == "published" and version.snapshot]
    lost = [version.version for version in kept if unservable(kb.home, version)]
    with kb.ledger.write() as connection:
        lease.confirm(connection)
        condemn(connection, kb, lost)
    kept = [version for version in kept if version.version not in lost]
    in_use = {version.collection: version for version in kept}
    for name, version in in_use.items():
        snapshots = [other.snapshot or "" for other in kept if other.collection == name]
        collection_of(kb.home, version).erase(sorted(doc_ids), snapshots)
    gone = [version for version in every if version.collection not in in_use]
    for name, version in {version.collection: version for version in gone}.items():
        store_of(version).drop(name, kb.home)
    mark_cleared(kb, gone)
    return len(in_use)
