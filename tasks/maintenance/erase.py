"""Removing a document for good: from every version, the store, the lake, what was paid for, and
from what quotes it.

The ledger forgets it first, in one transaction that also bars its uri and writes down what is still
to be done. All that follows can be killed and run again; the record of what was done is the last
thing written.
"""

import shutil
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import select, update

from llmops.tasks.errors import Damaged, UsageError, did_you_mean
from llmops.tasks.knowledge.reading import collection_of, store_of
from llmops.tasks.knowledge.suppressed import lift, record_of, uri_hash
from llmops.tasks.knowledge.versions import (
    Version,
    condemn,
    known,
    live_version,
    mark_cleared,
    published,
)
from llmops.tasks.ledger import Ledger
from llmops.tasks.ledger.leases import Lease, hold
from llmops.tasks.ledger.tables import erased, versions
from llmops.tasks.maintenance import erase_lake
from llmops.tasks.maintenance.erase_ledger import (
    compacted,
    forget,
    identities,
    names,
    quoting,
    uris,
)
from llmops.tasks.maintenance.redaction import Quotes
from llmops.tasks.maintenance.redaction_files import sweep
from llmops.tasks.maintenance.rollback import unservable
from llmops.tasks.schemas import sha256

ELSEWHERE = (
    "golden sets, sources and other files outside of LLMOPS_HOME are yours: this has not "
    "looked at them"
)


def erase(ledger: Ledger, home: Path, kb: str, uri: str) -> dict[str, Any]:
    """The object of `kb erase`. Done again, it finishes what was interrupted, and says what an
    earlier one has done.

    Raises UsageError for a uri that the knowledge base has never had, Blocked during a build.
    """
    if kb not in known(ledger):
        published(ledger, kb)
    with hold(home, kb) as lease:
        _whole(ledger, home, kb)
        doc_ids = identities(ledger, home / "lake", kb, uri)
        before = record_of(ledger, kb, uri)
        pending = before["counts"].get("pending") if before else None
        if not doc_ids and not pending:
            return _done_before(ledger, home, kb, uri, before)
        doc_ids |= set((pending or {}).get("doc_ids", ()))
        return _erase(ledger, lease, home, kb, uri, doc_ids, (pending or {}).get("counts", {}))


def _whole(ledger: Ledger, home: Path, kb: str) -> None:
    """Raise Damaged before anything is begun where the store cannot serve the live version: it
    could not be finished.
    """
    live = live_version(ledger, kb)
    if live is not None and (why := unservable(home, live)):
        raise Damaged(
            f"the live version {live.version} of {kb!r} is not whole, so nothing was erased: {why}",
            hint=f"`llmops kb repair {kb}` mends it; then erase again",
        )


def _erase(
    ledger: Ledger,
    lease: Lease,
    home: Path,
    kb: str,
    uri: str,
    doc_ids: Collection[str],
    before: Mapping[str, int],
) -> dict[str, Any]:
    found = erase_lake.traces(home / "lake", doc_ids)
    own, others = names(ledger, kb, doc_ids)
    quotes = Quotes(found.texts, uri, *own)
    counts = forget(ledger, lease, kb, uri, doc_ids, found, before, own)
    counts["records"] = quoting(ledger, kb, quotes)
    shutil.rmtree(home / "sources" / kb, ignore_errors=True)
    swept, left = sweep(home, quotes)
    counts["records"] += swept
    counts["collections"] = _stores(ledger, lease, home, kb, doc_ids)
    counts["shards"], shared = erase_lake.rewrite(ledger, home / "lake", kb, doc_ids)
    notes = [ELSEWHERE, *compacted(ledger)]
    notes += [
        f"{shared} files of the lake stay: another knowledge base has the same document"
    ] * bool(shared)
    notes += [
        f"the same text stays as {', '.join(sorted(others))}: erase that too if it is meant"
    ] * bool(others)
    notes += [
        f"it was also called {', '.join(sorted(own - {uri}))}, which is barred as well"
    ] * bool(own - {uri})
    states = {path: _state(home / path) for path in left}
    with ledger.write() as connection:
        lease.confirm(connection)
        mine = (erased.c.kb == kb) & (erased.c.uri_hash == uri_hash(kb, uri))
        connection.execute(
            update(erased).where(mine).values(counts=counts | ({"left": states} if left else {}))
        )
    compacted(ledger)
    return answer(kb, uri, "erased", counts, notes, left)


def answer(
    kb: str, uri: str, status: str, counts: Mapping[str, int], notes: list[str], left: list[str]
) -> dict[str, Any]:
    """`left`: files that quote the document and cannot be changed."""
    return {
        "knowledge_base": kb,
        "uri": uri,
        "uri_hash": uri_hash(kb, uri),
        "status": status,
        "barred": status != "lifted",
        "counts": dict(counts),
        "notes": notes,
        "left": left,
    }


def _done_before(
    ledger: Ledger, home: Path, kb: str, uri: str, before: Mapping[str, Any] | None
) -> dict[str, Any]:
    if before is None or before["lifted_at"] is not None:
        raise UsageError(
            f"{kb!r} has no document {uri!r}, and never had one",
            where=kb,
            hint=did_you_mean(uri, uris(ledger, kb), most=3, alike=0.5)
            or f"`llmops kb documents {kb}` lists them",
        )
    note = f"it was erased at {before['erased_at']:%Y-%m-%d %H:%M} UTC"
    counts = dict(before["counts"])
    left = [path for path, state in counts.pop("left", {}).items() if _state(home / path) == state]
    return answer(kb, uri, "erased before", counts, [note], left)


def _state(file: Path) -> str:
    """What tells whether a file is still as it was; "" when it is gone."""
    return sha256(file.read_bytes()) if file.is_file() else ""


def _stores(ledger: Ledger, lease: Lease, home: Path, kb: str, doc_ids: Collection[str]) -> int:
    """Take the document out of every collection; those that no kept version uses, or that are lost,
    are dropped.
    """
    with ledger.read() as connection:
        every = [
            Version.model_validate(row)
            for row in connection.execute(select(versions).where(versions.c.kb == kb))
        ]
    kept = [one for one in every if one.status == "published" and one.snapshot]
    lost = [one.version for one in kept if unservable(home, one)]
    with ledger.write() as connection:
        lease.confirm(connection)
        condemn(connection, kb, lost)
    kept = [one for one in kept if one.version not in lost]
    in_use = {one.collection: one for one in kept}
    for name, one in in_use.items():
        collection_of(home, one).erase(
            sorted(doc_ids), [other.snapshot or "" for other in kept if other.collection == name]
        )
    gone = [one for one in every if one.collection not in in_use]
    for name, one in {one.collection: one for one in gone}.items():
        store_of(one).drop(name, home)
    mark_cleared(ledger, gone)
    return len(in_use)


def lifted(ledger: Ledger, kb: str, uri: str) -> dict[str, Any]:
    """The object of `kb erase --lift`. Raises UsageError where nothing is barred."""
    found = lift(ledger, kb, uri)
    return answer(
        kb, uri, "lifted", {}, [f"it was erased at {found['erased_at']:%Y-%m-%d %H:%M} UTC"], []
    )
