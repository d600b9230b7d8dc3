"""Freeing what no kept version needs: in the store, in the lake, and, if asked to, what was paid
for once.
"""

from collections.abc import Collection
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, TypedDict

from sqlalchemy import Connection, Row, delete, select, union

from llmops.tasks.errors import Blocked, Damaged
from llmops.tasks.knowledge import versions as numbers
from llmops.tasks.knowledge.handle import Handle, Version
from llmops.tasks.knowledge.lakes import claim
from llmops.tasks.knowledge.reading import collection_of
from llmops.tasks.knowledge.versions import mark_cleared
from llmops.tasks.lake import File, Lake
from llmops.tasks.ledger import Ledger, now
from llmops.tasks.ledger.leases import alive, aware, describe
from llmops.tasks.ledger.tables import (
    chunks,
    documents,
    embeddings,
    leases,
    parsed,
    rankings,
    runs,
    versions,
)

KINDS = ("documents", "chunks", "changes", "runs")
GRACE = timedelta(seconds=10)  # clocks of two machines that share a home
OLD_RUN = timedelta(days=30)


class Freed(TypedDict):
    """The object of `kb gc`: how many collections, files, outcomes of runs, embeddings and parsed
    texts are gone, and of how many bytes.
    """

    knowledge_base: str
    collections: int
    files: int
    runs: int
    embeddings: int
    parsed: int
    bytes: int
    note: str


def gc(kb: Handle, *, paid: bool = False) -> Freed:
    """Free what no kept version needs. Whatever it was killed at, it can be run again.

    The lake is shared: a file goes when no row of any knowledge base names it, and it is older than
    every build that runs. `paid`: also embeddings and parsed texts that no document of any version
    has; should one come back, it is paid for again. Raises Blocked while this base is built; with
    `paid`, while any is.
    """
    kb.published()
    claim(kb)
    with kb.hold() as lease:
        with kb.ledger.read() as connection:
            busy = building(connection, kb.name)
        if paid and busy:
            raise Blocked(
                f"a build of {busy[0].kb!r} is running, which may need what is paid for: "
                f"{describe(busy[0])}",
                hint="wait for it to end",
                where=kb.name,
            )
        oldest = min([now(), *(aware(row.acquired_at) for row in busy)]) - GRACE
        kept, collections, dropped = _collections(kb)
        shrunk, notes = _shrunk(kb, kept)
        with kb.ledger.write() as connection:
            lease.confirm(connection)
            embeddings_gone, parsed_gone = _forget_paid(connection) if paid else (0, 0)
            outcomes = _forget_runs(connection, kb.name)
        files, freed = _lake(kb.ledger, kb.lake, oldest.timestamp())
    return {
        "knowledge_base": kb.name,
        "collections": collections,
        "files": files,
        "runs": outcomes,
        "embeddings": embeddings_gone,
        "parsed": parsed_gone,
        "bytes": freed + dropped + shrunk,
        "note": "; ".join(notes),
    }


def building(connection: Connection, kb: str) -> list[Row[Any]]:
    """The leases of other knowledge bases that are built now."""
    return [
        row for row in connection.execute(select(leases).where(leases.c.kb != kb)) if alive(row)
    ]


def _collections(kb: Handle) -> tuple[list[Version], int, int]:
    """Drop the collections that only forgotten versions used; returns the versions that are kept,
    and how many collections are gone, of how many bytes.
    """
    mine = select(versions).where(versions.c.kb == kb.name).order_by(versions.c.version)
    with kb.ledger.read() as connection:
        rows = connection.execute(mine).all()
    kept = [Version.model_validate(row) for row in rows if row.status == "published"]
    in_use = {version.collection for version in kept}
    gone = [
        Version.model_validate(row)
        for row in rows
        if not row.cleared and row.collection not in in_use
    ]
    before = _size(kb.home, [*kept, *gone])
    numbers.drop_unused(kb.home, gone, kept)
    mark_cleared(kb, gone)
    freed = max(0, before - _size(kb.home, [*kept, *gone]))
    return kept, len({version.collection for version in gone}), freed


def _shrunk(kb: Handle, kept: list[Version]) -> tuple[int, list[str]]:
    """Free in the other collections what no kept snapshot needs; returns how many bytes, and what
    could not be done.
    """
    live, before, notes = kb.published(), _size(kb.home, kept), []
    for name in sorted({version.collection for version in kept}):
        mine = [version for version in kept if version.collection == name]
        snapshots = [version.snapshot for version in mine if version.snapshot]
        try:
            collection_of(kb.home, mine[-1]).gc(snapshots)
        except Damaged as error:
            notes.append(_note(error, live, [version.version for version in mine]))
    return max(0, before - _size(kb.home, kept)), notes


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


def _forget_paid(connection: Connection) -> tuple[int, int]:
    """Returns how many embeddings and parsed texts that were."""
    unused = {
        embeddings: (embeddings.c.text_hash, chunks.c.text_hash),
        parsed: (parsed.c.content_hash, documents.c.content_hash),
    }
    embeddings_gone, parsed_gone = (
        connection.execute(delete(table).where(mine.not_in(select(theirs)))).rowcount
        for table, (mine, theirs) in unused.items()
    )
    return embeddings_gone, parsed_gone


def _forget_runs(connection: Connection, kb: str) -> int:
    """Outcomes of runs older than a month that made no version and no ranking that is still
    kept.
    """
    needed = union(
        select(versions.c.prefect_run_id).where(
            versions.c.status == "published", versions.c.prefect_run_id.is_not(None)
        ),
        select(rankings.c.prefect_run_id).where(rankings.c.prefect_run_id.is_not(None)),
    )
    old = (runs.c.kb == kb) & (runs.c.finished_at < now() - OLD_RUN) & runs.c.id.not_in(needed)
    return connection.execute(delete(runs).where(old)).rowcount


def _lake(ledger: Ledger, lake: Lake, oldest: float) -> tuple[int, int]:
    """Remove what nothing refers to and what was written before `oldest`; returns how many files,
    of how many bytes.
    """
    old = lake.untouched("runs", oldest)
    gone = _removed(lake, _listed(lake), _needed(ledger), oldest)
    lake.leave(old)
    return gone


def free_after_drop(kb: Handle) -> tuple[int, int]:
    """The same after a drop, at once: only what a running build of another base may have written
    stays.

    The order counts: who writes what is listed holds a lease by then, and who has given it back has
    its rows in the ledger.
    """
    listed = _listed(kb.lake)
    with kb.ledger.read() as connection:
        began = [aware(row.acquired_at) for row in building(connection, kb.name)]
    oldest = (min(began) - GRACE).timestamp() if began else float("inf")
    return _removed(kb.lake, listed, _needed(kb.ledger), oldest)


def _listed(lake: Lake) -> list[File]:
    return [file for kind in KINDS for file in lake.files(kind)]


def _removed(
    lake: Lake, listed: list[File], needed: Collection[str], oldest: float
) -> tuple[int, int]:
    files = freed = 0
    for file in listed:
        if file.modified >= oldest or file.path in needed:
            continue
        if lake.file(file.path) == file:  # else somebody has just written it once more
            lake.remove(file.path)
            files, freed = files + 1, freed + file.bytes
    return files, freed


def _needed(ledger: Ledger) -> set[str]:
    with ledger.read() as connection:
        return {
            shard
            for table in (documents, chunks, parsed)
            for shard in connection.scalars(select(table.c.shard).distinct())
        }


def _size(home: Path, kept: list[Version]) -> int:
    """Bytes of the folders that embedded stores keep in the home; 0 for stores that are
    elsewhere.
    """
    size = 0
    for folder in {home / str(version.config["store"]["name"]) for version in kept}:
        for path in folder.rglob("*"):
            with suppress(FileNotFoundError):
                size += path.lstat().st_size if path.is_file() else 0
    return size
