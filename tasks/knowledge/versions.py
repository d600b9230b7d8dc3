"""Knowledge versions: a number per build, a pointer to the live one, and the way back."""

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict
from sqlalchemy import Connection, delete, insert, select, update

from llmops.tasks.errors import UsageError
from llmops.tasks.ledger import Ledger, now
from llmops.tasks.ledger.leases import Lease
from llmops.tasks.ledger.tables import chunks, documents, knowledge_bases, versions

LARGEST = 2**63  # of a database's integers
INTERVALS = (documents, chunks)
GONE = {
    "damaged": "cannot be served any more: a part of it was lost from the store, which a "
    "repair found"
}


class Version(BaseModel):
    """One version as the ledger knows it. `snapshot` is the store's token; `config` the config that
    built it, without secrets.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", from_attributes=True)
    kb: str
    version: int
    status: str
    parent: int | None
    collection: str
    snapshot: str | None
    weight: float | None
    documents: int | None
    chunks: int | None
    config: dict[str, Any]
    config_sha256: str | None = None


def known(ledger: Ledger) -> list[str]:
    """The names of all knowledge bases."""
    with ledger.read() as connection:
        return list(
            connection.scalars(select(knowledge_bases.c.name).order_by(knowledge_bases.c.name))
        )


def live_names(ledger: Ledger) -> list[str]:
    """The knowledge bases that have a live version."""
    with ledger.read() as connection:
        return list(
            connection.scalars(
                select(knowledge_bases.c.name)
                .where(knowledge_bases.c.live.is_not(None))
                .order_by(knowledge_bases.c.name)
            )
        )


def live_version(ledger: Ledger, kb: str) -> Version | None:
    """The version that readers get; None before the first publish."""
    with ledger.read() as connection:
        number = connection.scalar(
            select(knowledge_bases.c.live).where(knowledge_bases.c.name == kb)
        )
        return None if number is None else _version(connection, kb, number)


def published(ledger: Ledger, kb: str) -> Version:
    """The live version. Raises UsageError for an unknown or a never published knowledge base,
    naming the known ones.
    """
    live = live_version(ledger, kb)
    if live is None:
        names = live_names(ledger)
        if kb in known(ledger):
            raise UsageError(
                f"the knowledge base {kb!r} has no published version yet",
                hint="build one: llmops index CONFIG",
            )
        raise UsageError(
            f"no knowledge base {kb!r} has been published in {ledger.where}",
            hint=f"known: {', '.join(names)}" if names else "build one: llmops index CONFIG",
        )
    return live


def version(ledger: Ledger, kb: str, number: int) -> Version:
    """One version by number. Raises UsageError when there is none."""
    row = None
    if 0 < number < LARGEST:
        with ledger.read() as connection:
            row = _version(connection, kb, number)
    if row is None:
        raise UsageError(f"{kb!r} has no version {number}", hint=f"`llmops kb log {kb}` lists them")
    return row


def _version(connection: Connection, kb: str, number: int) -> Version | None:
    row = connection.execute(
        select(versions).where(versions.c.kb == kb, versions.c.version == number)
    ).one_or_none()
    return None if row is None else Version.model_validate(row)


def next_number(ledger: Ledger, kb: str) -> int:
    """The number that the next build will take."""
    with ledger.read() as connection:
        return (
            connection.scalar(
                select(knowledge_bases.c.next_version).where(knowledge_bases.c.name == kb)
            )
            or 1
        )


def open_version(ledger: Ledger, lease: Lease, kb: str, values: dict[str, Any]) -> None:
    """Take a number, for ever, before anything is staged under it."""
    with ledger.write() as connection:
        lease.confirm(connection)
        connection.execute(
            insert(versions).values(kb=kb, status="building", created_at=now(), **values)
        )
        connection.execute(
            update(knowledge_bases)
            .where(knowledge_bases.c.name == kb)
            .values(next_version=values["version"] + 1)
        )


def register(ledger: Ledger, kb: str) -> None:
    """Make the knowledge base known; it has no version yet."""
    with ledger.write() as connection:
        if (
            connection.scalar(select(knowledge_bases.c.name).where(knowledge_bases.c.name == kb))
            is None
        ):
            connection.execute(
                insert(knowledge_bases).values(name=kb, next_version=1, created_at=now())
            )


def close_version(ledger: Ledger, kb: str, number: int, **values: Any) -> None:
    """Set what became of a version: its status, its gate, its runs."""
    with ledger.write() as connection:
        connection.execute(
            update(versions)
            .where(versions.c.kb == kb, versions.c.version == number)
            .values(**values)
        )


def recover(ledger: Ledger, lease: Lease, kb: str) -> tuple[list[Version], list[Version]]:
    """Forget all that was staged or published after the live version; idempotent.

    Returns (forgotten, still published). Until `mark_cleared`, the forgotten ones may have left
    rows in the store.
    """
    with ledger.write() as connection:
        lease.confirm(connection)
        live = (
            connection.scalar(select(knowledge_bases.c.live).where(knowledge_bases.c.name == kb))
            or 0
        )
        for table in INTERVALS:
            connection.execute(delete(table).where(table.c.kb == kb, table.c.valid_from > live))
            connection.execute(
                update(table).where(table.c.kb == kb, table.c.valid_to > live).values(valid_to=None)
            )
        later = (versions.c.kb == kb) & (versions.c.version > live)
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
            select(versions).where(versions.c.kb == kb, versions.c.status == "published")
        ).all()
    return _all(forgotten), _all(kept)


def mark_cleared(ledger: Ledger, gone: Sequence[Version]) -> None:
    """The store holds nothing of these versions any more."""
    with ledger.write() as connection:
        for one in gone:
            connection.execute(
                update(versions)
                .where(versions.c.kb == one.kb, versions.c.version == one.version)
                .values(cleared=True)
            )


def _all(rows: Sequence[Any]) -> list[Version]:
    return [Version.model_validate(row) for row in rows]


def target(ledger: Ledger, kb: str, to: int | None) -> Version:
    """The version that a rollback goes to. Raises UsageError where there is none, or it is not
    kept.
    """
    live = published(ledger, kb)
    number = to if to is not None else live.parent
    if number is None:
        raise UsageError(
            f"version {live.version} of {kb!r} is its first: there is nothing to go back to",
            where=kb,
        )
    chosen = version(ledger, kb, number)
    if chosen.status != "published":
        raise UsageError(
            f"version {number} of {kb!r} "
            f"{GONE.get(chosen.status, f'is not kept any more: it was {chosen.status}')}",
            where=kb,
            hint=f"`llmops kb log {kb}` lists the published ones",
        )
    return chosen


def rollback(ledger: Ledger, lease: Lease, kb: str, to: int | None) -> tuple[int, int]:
    """Move the pointer to another published version (default: the one that the live one was built
    from). Returns (new, old).
    """
    live, chosen = published(ledger, kb), target(ledger, kb, to)
    with ledger.write() as connection:
        lease.confirm(connection)
        connection.execute(
            update(knowledge_bases).where(knowledge_bases.c.name == kb).values(live=chosen.version)
        )
    return chosen.version, live.version


def condemn(connection: Connection, kb: str, numbers: Sequence[int]) -> None:
    """Mark versions that the store can no longer serve: they are not kept, and no rollback goes
    there.
    """
    mine = (versions.c.kb == kb) & versions.c.version.in_(numbers)
    connection.execute(update(versions).where(mine).values(status="damaged"))


def expire(ledger: Ledger, lease: Lease, kb: str, keep: int) -> tuple[list[Version], list[Version]]:
    """Forget all but the newest `keep` published versions. Returns (forgotten, kept), each newest
    first.
    """
    with ledger.write() as connection:
        lease.confirm(connection)
        rows = connection.execute(
            select(versions)
            .where(versions.c.kb == kb, versions.c.status == "published")
            .order_by(versions.c.version.desc())
        ).all()
        kept, gone = rows[:keep], rows[keep:]
        if not gone:
            return [], _all(kept)
        oldest = kept[-1].version
        for table in INTERVALS:
            connection.execute(delete(table).where(table.c.kb == kb, table.c.valid_to <= oldest))
        connection.execute(
            update(versions)
            .where(
                versions.c.kb == kb, versions.c.status == "published", versions.c.version < oldest
            )
            .values(status="expired")
        )
    return _all(gone), _all(kept)


def remember_config(ledger: Ledger, kb: str, path: str) -> None:
    """Where the config file lies, so that a retry can run it again."""
    with ledger.write() as connection:
        connection.execute(
            update(knowledge_bases).where(knowledge_bases.c.name == kb).values(config_path=path)
        )


def config_path(ledger: Ledger, kb: str) -> str | None:
    with ledger.read() as connection:
        return connection.scalar(
            select(knowledge_bases.c.config_path).where(knowledge_bases.c.name == kb)
        )
