"""What becomes of versions: a number per build, a pointer to the live one, the way back. What was
not published is undone, what is not kept is forgotten, in the ledger and in the store.
"""

import os
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from llmops.tasks.audit.log import Action, Entry, append
from llmops.tasks.errors import Damaged, UsageError
from llmops.tasks.knowledge.build import Build
from llmops.tasks.knowledge.handle import Handle, Version, gone
from llmops.tasks.knowledge.reading import collection_of, store_of
from llmops.tasks.ledger import now, open_ledger
from llmops.tasks.ledger.leases import Lease
from llmops.tasks.ledger.tables import chunks, documents, knowledge_bases, versions

INTERVALS = (documents, chunks)


def next_number(kb: Handle) -> int:
    """The number that the next build will take."""
    with kb.ledger.read() as connection:
        return (
            connection.scalar(
                select(knowledge_bases.c.next_version).where(knowledge_bases.c.name == kb.name)
            )
            or 1
        )


def open_version(kb: Handle, lease: Lease, values: dict[str, Any]) -> None:
    """Take a number, for ever, before anything is staged under it."""
    with kb.ledger.write() as connection:
        lease.confirm(connection)
        connection.execute(
            insert(versions).values(kb=kb.name, status="building", created_at=now(), **values)
        )
        connection.execute(
            update(knowledge_bases)
            .where(knowledge_bases.c.name == kb.name)
            .values(next_version=values["version"] + 1)
        )


def register(kb: Handle) -> None:
    """Make the knowledge base known; it has no version yet."""
    with open_ledger(kb.home).write() as connection:
        if (
            connection.scalar(
                select(knowledge_bases.c.name).where(knowledge_bases.c.name == kb.name)
            )
            is None
        ):
            connection.execute(
                insert(knowledge_bases).values(name=kb.name, next_version=1, created_at=now())
            )


def close_version(kb: Handle, number: int, **values: Any) -> None:
    """Set what became of a version: its status, its gate, its runs."""
    with kb.ledger.write() as connection:
        connection.execute(
            update(versions)
            .where(versions.c.kb == kb.name, versions.c.version == number)
            .values(**values)
        )


def recover(kb: Handle, lease: Lease) -> tuple[list[Version], list[Version]]:
    """Forget all that was staged or published after the live version; idempotent.

    Returns (forgotten, still published). Until `mark_cleared`, the forgotten ones may have left
    rows in the store.
    """
    with kb.ledger.write() as connection:
        lease.confirm(connection)
        live = (
            connection.scalar(
                select(knowledge_bases.c.live).where(knowledge_bases.c.name == kb.name)
            )
            or 0
        )
        for table in INTERVALS:
            connection.execute(
                delete(table).where(table.c.kb == kb.name, table.c.valid_from > live)
            )
            connection.execute(
                update(table)
                .where(table.c.kb == kb.name, table.c.valid_to > live)
                .values(valid_to=None)
            )
        later = (versions.c.kb == kb.name) & (versions.c.version > live)
        forgotten = connection.execute(
            select(versions).where(later, versions.c.cleared.is_(False))
        ).all()
        connection.execute(
            update(versions).where(later, versions.c.status == "building").values(status="aborted")
        )
        connection.execute(
            update(versions)
            .where(later, versions.c.status == "published")
            .values(status="rolled back")
        )
        kept = connection.execute(
            select(versions).where(versions.c.kb == kb.name, versions.c.status == "published")
        ).all()
    return _all(forgotten), _all(kept)


def mark_cleared(kb: Handle, gone: Sequence[Version]) -> None:
    """The store holds nothing of these versions any more."""
    with kb.ledger.write() as connection:
        for version in gone:
            connection.execute(
                update(versions)
                .where(versions.c.kb == kb.name, versions.c.version == version.version)
                .values(cleared=True)
            )


def _all(rows: Sequence[Any]) -> list[Version]:
    return [Version.model_validate(row) for row in rows]


def target(kb: Handle, to: int | None) -> Version:
    """The version that a rollback goes to. Raises UsageError where there is none, or it is not
    kept.
    """
    live = kb.published()
    number = to if to is not None else live.parent
    if number is None:
        raise UsageError(
            f"version {live.version} of {kb.name!r} is its first: there is nothing to go back to",
            hint=f"`llmops kb log {kb.name}` lists the versions; `--to N` also goes to a later one",
        )
    chosen = kb.version(number)
    if chosen.status != "published":
        raise UsageError(
            f"version {number} of {kb.name!r} {gone(chosen)}",
            hint=f"`llmops kb log {kb.name}` lists the published ones",
        )
    return chosen


def rollback(kb: Handle, lease: Lease, to: int | None) -> tuple[int, int]:
    """Move the pointer to another published version (default: the one that the live one was built
    from). Returns (new, old).
    """
    live, chosen = kb.published(), target(kb, to)
    with kb.ledger.write() as connection:
        lease.confirm(connection)
        append(connection, live_moves("rollback", connection, kb.name, str(chosen.version)))
        connection.execute(
            update(knowledge_bases)
            .where(knowledge_bases.c.name == kb.name)
            .values(live=chosen.version)
        )
    return chosen.version, live.version


def live_moves(action: Action, connection: Connection, kb: str, to: str, reason: str = "") -> Entry:
    """What the audit log says of a pointer that is about to move; `to`: "" for one that goes."""
    query = select(knowledge_bases.c.live).where(knowledge_bases.c.name == kb)
    live = connection.scalar(query)
    return Entry(
        action=action,
        subject=f"kb/{kb}",
        before="" if live is None else str(live),
        after=to,
        reason=reason,
    )


def condemn(connection: Connection, kb: Handle, numbers: Sequence[int]) -> None:
    """Mark versions that the store can no longer serve: they are not kept, and no rollback goes
    there.
    """
    mine = (versions.c.kb == kb.name) & versions.c.version.in_(numbers)
    connection.execute(update(versions).where(mine).values(status="damaged"))


def expire(kb: Handle, lease: Lease, keep: int) -> tuple[list[Version], list[Version]]:
    """Forget all but the newest `keep` published versions. Returns (forgotten, kept), each newest
    first.
    """
    with kb.ledger.write() as connection:
        lease.confirm(connection)
        rows = connection.execute(
            select(versions)
            .where(versions.c.kb == kb.name, versions.c.status == "published")
            .order_by(versions.c.version.desc())
        ).all()
        kept, gone = rows[:keep], rows[keep:]
        if not gone:
            return [], _all(kept)
        oldest = kept[-1].version
        for table in INTERVALS:
            connection.execute(
                delete(table).where(table.c.kb == kb.name, table.c.valid_to <= oldest)
            )
        connection.execute(
            update(versions)
            .where(
                versions.c.kb == kb.name,
                versions.c.status == "published",
                versions.c.version < oldest,
            )
            .values(status="expired")
        )
    return _all(gone), _all(kept)


def remember_config(kb: Handle, path: str) -> None:
    """Where the config file lies, so that a retry can run it again."""
    with kb.ledger.write() as connection:
        connection.execute(
            update(knowledge_bases)
            .where(knowledge_bases.c.name == kb.name)
            .values(config_path=path)
        )


def config_path(kb: Handle) -> str | None:
    with kb.ledger.read() as connection:
        return connection.scalar(
            select(knowledge_bases.c.config_path).where(knowledge_bases.c.name == kb.name)
        )


def build_command(kb: Handle) -> str:
    """The command that builds a knowledge base, with the config that built it last, as a person in
    the current folder types it.
    """
    path = config_path(kb)
    return f"llmops index {shlex.quote(os.path.relpath(path)) if path else 'CONFIG'}"


def clear_up(build: Build, lease: Lease) -> None:
    """Undo whatever came into ledger and store after the live version: staged and not published,
    rolled back, changed by hand.
    """
    undo(build.handle, lease, keeps=build.collection)


def undo(handle: Handle, lease: Lease, *, keeps: str | None = None) -> None:
    """The same without a build. Raises Damaged when the collection `keeps` is lost; another one may
    be.
    """
    forgotten, kept = recover(handle, lease)
    drop_unused(handle.home, forgotten, kept)
    live = handle.live()
    if live is not None:
        try:
            collection_of(handle.home, live).recover(live.snapshot)
        except Damaged:
            if live.collection == keeps:  # else it is lost, and will be replaced
                raise
    mark_cleared(handle, forgotten)


def tidy(build: Build, lease: Lease, keep: int) -> None:
    """Forget the versions beyond `keep`, and free what only they needed."""
    gone, kept = expire(build.handle, lease, keep)
    if gone:
        drop_unused(build.home, gone, kept)
        for name in {version.collection for version in kept}:
            mine = [version for version in kept if version.collection == name]
            collection_of(build.home, mine[0]).gc(
                [version.snapshot for version in mine if version.snapshot]
            )


def drop_unused(home: Path, gone: Sequence[Version], kept: Sequence[Version]) -> None:
    """Remove the collections that only forgotten versions used."""
    in_use = {version.collection for version in kept}
    for name, version in {version.collection: version for version in gone}.items():
        if name not in in_use:
            store_of(version).drop(name, home)
