"""Freeing what no kept version needs: in the store, in the lake, and, if asked to, what was paid for once."""

import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, delete, select

from tasks.errors import Blocked, Damaged
from tasks.knowledge import session
from tasks.knowledge.leases import alive, aware, describe, hold
from tasks.knowledge.ledger import Ledger, now
from tasks.knowledge.serving import collection_of
from tasks.knowledge.tables import chunks, documents, embeddings, leases, parsed, runs, versions
from tasks.knowledge.versions import Version, mark_cleared, published

KINDS = ("documents", "chunks", "changes", "runs")
GRACE = timedelta(seconds=10)  # clocks of two machines that share a home
OLD_RUN = timedelta(days=30)


def gc(ledger: Ledger, home: Path, kb: str, *, paid: bool = False) -> dict[str, Any]:
    """The object of `kb gc`: what was freed. Whatever it was killed at, it can be run again.

    The lake is shared: a file goes when no row of any knowledge base names it, and it is older than every build that runs.
    `paid`: also embeddings and parsed texts that no document of any version has; should one come back, it is paid for again.
    Raises Blocked while this base is built; with `paid`, while any is.
    """
    published(ledger, kb)
    with hold(home, kb) as lease:
        busy = _building(ledger, kb)
        if paid and busy:
            raise Blocked(f"a build of {busy[0].kb!r} is running, which may need what is paid for: {describe(busy[0])}",
                          hint="wait for it to end", where=kb)
        oldest = min([now(), *(aware(row.acquired_at) for row in busy)]) - GRACE
        stored = _size(home, kb, ledger)
        collections, notes = _collections(ledger, home, kb)
        with ledger.write() as connection:
            lease.confirm(connection)
            forgotten = _forget_paid(connection) if paid else {"embeddings": 0, "parsed": 0}
            outcomes = _forget_runs(connection, kb)
        files, freed = _lake(ledger, home / "lake", oldest.timestamp())
        store_freed = max(0, stored - _size(home, kb, ledger))
    return {"knowledge_base": kb, "collections": collections, "files": files, "runs": outcomes, **forgotten,
            "bytes": freed + store_freed, "note": "; ".join(notes)}


def _building(ledger: Ledger, kb: str) -> list[Any]:
    """The leases of other knowledge bases that are built now."""
    with ledger.read() as connection:
        return [row for row in connection.execute(select(leases).where(leases.c.kb != kb)) if alive(row)]


def _collections(ledger: Ledger, home: Path, kb: str) -> tuple[int, list[str]]:
    """Drop the collections that only forgotten versions used, and free in the others what no kept snapshot needs."""
    with ledger.read() as connection:
        rows = connection.execute(select(versions).where(versions.c.kb == kb)).all()
    kept = [Version.model_validate(row) for row in rows if row.status == "published"]
    in_use = {one.collection for one in kept}
    gone = [Version.model_validate(row) for row in rows if not row.cleared and row.collection not in in_use]
    session.drop_unused(home, gone, kept)
    mark_cleared(ledger, gone)
    notes = []
    for name in sorted(in_use):
        mine = [one for one in kept if one.collection == name]
        try:
            collection_of(home, mine[-1]).gc([one.snapshot for one in mine if one.snapshot])
        except Damaged as error:
            notes.append(f"{error.message}: see `llmops kb verify {kb}`")
    return len({one.collection for one in gone}), notes


def _forget_paid(connection: Connection) -> dict[str, int]:
    unused = {embeddings: (embeddings.c.text_hash, chunks.c.text_hash), parsed: (parsed.c.content_hash, documents.c.content_hash)}
    return {table.name: connection.execute(delete(table).where(mine.not_in(select(theirs)))).rowcount
            for table, (mine, theirs) in unused.items()}


def _forget_runs(connection: Connection, kb: str) -> int:
    """Outcomes of runs older than a month that made no version that is still kept."""
    needed = select(versions.c.prefect_run_id).where(versions.c.status == "published", versions.c.prefect_run_id.is_not(None))
    old = (runs.c.kb == kb) & (runs.c.finished_at < now() - OLD_RUN) & runs.c.id.not_in(needed)
    return connection.execute(delete(runs).where(old)).rowcount


def _lake(ledger: Ledger, lake: Path, oldest: float) -> tuple[int, int]:
    """Remove what nothing refers to and what was written before `oldest`; returns how many files, of how many bytes."""
    needed = _needed(ledger)
    found = [(path, path.lstat()) for path in _files(lake) if str(path.relative_to(lake)) not in needed]
    old = [(path, stat.st_size) for path, stat in found if stat.st_mtime < oldest]
    emptied = [folder for folder in (lake / "runs").glob("*") if folder.is_dir() and folder.lstat().st_mtime < oldest]
    for path, _ in old:
        path.unlink(missing_ok=True)
    for folder in emptied:
        if not any(folder.iterdir()):
            folder.rmdir()
    return len(old), sum(size for _, size in old)


def _needed(ledger: Ledger) -> set[str]:
    with ledger.read() as connection:
        return {shard for table in (documents, chunks, parsed) for shard in connection.scalars(select(table.c.shard).distinct())}


def _files(lake: Path) -> Iterator[Path]:
    for kind in KINDS:
        for folder, _, names in os.walk(lake / kind):
            yield from (Path(folder) / name for name in names)


def _size(home: Path, kb: str, ledger: Ledger) -> int:
    """Bytes of the folder that an embedded store keeps in the home; 0 for stores that are elsewhere."""
    folder = home / str(published(ledger, kb).config["store"]["name"])
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file())
