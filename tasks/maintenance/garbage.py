"""Freeing what no kept version needs: in the store, in the lake, and, if asked to, what was paid
for once.
"""

import os
from collections.abc import Collection, Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, delete, select

from llmops.tasks.errors import Blocked, Damaged
from llmops.tasks.knowledge import session
from llmops.tasks.knowledge.reading import collection_of
from llmops.tasks.knowledge.versions import Version, mark_cleared, published
from llmops.tasks.ledger import Ledger, now
from llmops.tasks.ledger.leases import alive, aware, describe, hold
from llmops.tasks.ledger.tables import chunks, documents, embeddings, leases, parsed, runs, versions

KINDS = ("documents", "chunks", "changes", "runs")
GRACE = timedelta(seconds=10)  # clocks of two machines that share a home
OLD_RUN = timedelta(days=30)

Listed = list[tuple[Path, os.stat_result]]


def gc(ledger: Ledger, home: Path, kb: str, *, paid: bool = False) -> dict[str, Any]:
    """The object of `kb gc`: what was freed. Whatever it was killed at, it can be run again.

    The lake is shared: a file goes when no row of any knowledge base names it, and it is older than
    every build that runs. `paid`: also embeddings and parsed texts that no document of any version
    has; should one come back, it is paid for again. Raises Blocked while this base is built; with
    `paid`, while any is.
    """
    published(ledger, kb)
    with hold(home, kb) as lease:
        with ledger.read() as connection:
            busy = building(connection, kb)
        if paid and busy:
            raise Blocked(
                f"a build of {busy[0].kb!r} is running, which may need what is paid for: "
                f"{describe(busy[0])}",
                hint="wait for it to end",
                where=kb,
            )
        oldest = min([now(), *(aware(row.acquired_at) for row in busy)]) - GRACE
        collections, dropped = _collections(ledger, home, kb)
        shrunk, notes = _shrunk(ledger, home, kb)
        with ledger.write() as connection:
            lease.confirm(connection)
            forgotten = _forget_paid(connection) if paid else {"embeddings": 0, "parsed": 0}
            outcomes = _forget_runs(connection, kb)
        files, freed = _lake(ledger, home / "lake", oldest.timestamp())
    return {
        "knowledge_base": kb,
        "collections": collections,
        "files": files,
        "runs": outcomes,
        **forgotten,
        "bytes": freed + dropped + shrunk,
        "note": "; ".join(notes),
    }


def building(connection: Connection, kb: str) -> list[Any]:
    """The leases of other knowledge bases that are built now."""
    return [
        row for row in connection.execute(select(leases).where(leases.c.kb != kb)) if alive(row)
    ]


def _versions(ledger: Ledger, kb: str) -> tuple[list[Version], list[Version]]:
    """(those that are kept, those that are forgotten and may have left a collection of their
    own).
    """
    with ledger.read() as connection:
        rows = connection.execute(
            select(versions).where(versions.c.kb == kb).order_by(versions.c.version)
        ).all()
    kept = [Version.model_validate(row) for row in rows if row.status == "published"]
    in_use = {one.collection for one in kept}
    return kept, [
        Version.model_validate(row)
        for row in rows
        if not row.cleared and row.collection not in in_use
    ]


def _collections(ledger: Ledger, home: Path, kb: str) -> tuple[int, int]:
    """Drop the collections that only forgotten versions used; returns how many, of how many
    bytes.
    """
    kept, gone = _versions(ledger, kb)
    before = _size(home, [*kept, *gone])
    session.drop_unused(home, gone, kept)
    mark_cleared(ledger, gone)
    return len({one.collection for one in gone}), max(0, before - _size(home, [*kept, *gone]))


def _shrunk(ledger: Ledger, home: Path, kb: str) -> tuple[int, list[str]]:
    """Free in the other collections what no kept snapshot needs; returns how many bytes, and what
    could not be done.
    """
    kept, _ = _versions(ledger, kb)
    live, before, notes = published(ledger, kb), _size(home, kept), []
    for name in sorted({one.collection for one in kept}):
        mine = [one for one in kept if one.collection == name]
        try:
            collection_of(home, mine[-1]).gc([one.snapshot for one in mine if one.snapshot])
        except Damaged as error:
            notes.append(_note(error, live, [one.version for one in mine]))
    return max(0, before - _size(home, kept)), notes


def _note(error: Damaged, live: Version, numbers: list[int]) -> str:
    told = (
        f"version {numbers[0]}" if len(numbers) == 1 else f"versions {', '.join(map(str, numbers))}"
    )
    if live.version in numbers:
        way = f"`llmops kb repair {live.kb}` makes the live version {live.version} whole again"
    else:
        way = (
            f"the live version {live.version} is elsewhere; no rollback to what is lost will "
            f"be possible"
        )
    return f"nothing was freed in the collection of {told}: {error.message}; {way}"


def _forget_paid(connection: Connection) -> dict[str, int]:
    unused = {
        embeddings: (embeddings.c.text_hash, chunks.c.text_hash),
        parsed: (parsed.c.content_hash, documents.c.content_hash),
    }
    return {
        table.name: connection.execute(delete(table).where(mine.not_in(select(theirs)))).rowcount
        for table, (mine, theirs) in unused.items()
    }


def _forget_runs(connection: Connection, kb: str) -> int:
    """Outcomes of runs older than a month that made no version that is still kept."""
    needed = select(versions.c.prefect_run_id).where(
        versions.c.status == "published", versions.c.prefect_run_id.is_not(None)
    )
    old = (runs.c.kb == kb) & (runs.c.finished_at < now() - OLD_RUN) & runs.c.id.not_in(needed)
    return connection.execute(delete(runs).where(old)).rowcount


def _lake(ledger: Ledger, lake: Path, oldest: float) -> tuple[int, int]:
    """Remove what nothing refers to and what was written before `oldest`; returns how many files,
    of how many bytes.
    """
    emptied = [
        folder
        for folder in (lake / "runs").glob("*")
        if folder.is_dir() and folder.lstat().st_mtime < oldest
    ]
    gone = _removed(lake, _listed(lake), _needed(ledger), oldest)
    for folder in emptied:
        if not any(folder.iterdir()):
            folder.rmdir()
    return gone


def swept(ledger: Ledger, home: Path, kb: str) -> tuple[int, int]:
    """The same after a drop, at once: only what a running build of another base may have written
    stays.

    The order counts: who writes what is listed holds a lease by then, and who has given it back has
    its rows in the ledger.
    """
    lake = home / "lake"
    found = _listed(lake)
    with ledger.read() as connection:
        began = [aware(row.acquired_at) for row in building(connection, kb)]
    oldest = (min(began) - GRACE).timestamp() if began else float("inf")
    return _removed(lake, found, _needed(ledger), oldest)


def _listed(lake: Path) -> Listed:
    found = []
    for path in _files(lake):
        with suppress(FileNotFoundError):  # what a writer has renamed meanwhile
            found.append((path, path.lstat()))
    return found


def _removed(lake: Path, found: Listed, needed: Collection[str], oldest: float) -> tuple[int, int]:
    files = freed = 0
    for path, stat in found:
        if stat.st_mtime >= oldest or str(path.relative_to(lake)) in needed:
            continue
        with suppress(FileNotFoundError):
            if (
                path.lstat().st_mtime_ns == stat.st_mtime_ns
            ):  # else somebody has just written it once more
                path.unlink()
                files, freed = files + 1, freed + stat.st_size
    return files, freed


def _needed(ledger: Ledger) -> set[str]:
    with ledger.read() as connection:
        return {
            shard
            for table in (documents, chunks, parsed)
            for shard in connection.scalars(select(table.c.shard).distinct())
        }


def _files(lake: Path) -> Iterator[Path]:
    for kind in KINDS:
        for folder, _, names in os.walk(lake / kind):
            yield from (Path(folder) / name for name in names)


def _size(home: Path, kept: list[Version]) -> int:
    """Bytes of the folders that embedded stores keep in the home; 0 for stores that are
    elsewhere.
    """
    found = 0
    for folder in {home / str(one.config["store"]["name"]) for one in kept}:
        for path in folder.rglob("*"):
            with suppress(FileNotFoundError):
                found += path.lstat().st_size if path.is_file() else 0
    return found
