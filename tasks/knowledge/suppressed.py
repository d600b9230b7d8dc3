"""Documents that were erased for good: known by the hash of their uri alone, and kept out of later
builds.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, bindparam, func, select, update

from llmops.tasks.audit.log import Entry, append
from llmops.tasks.errors import UsageError
from llmops.tasks.knowledge.handle import Handle
from llmops.tasks.ledger import now, upsert
from llmops.tasks.ledger.leases import aware
from llmops.tasks.ledger.tables import erased
from llmops.tasks.plugins.sources import Listing
from llmops.tasks.schemas import sha256


def uri_hash(kb: str, uri: str) -> str:
    """What stands for a uri that may not be written down any more."""
    return sha256(f"{kb}\x1f{uri}")


def document_subject(kb: str, uri: str) -> str:
    """A document in the audit log, which stays: by the hash of its uri, too."""
    return f"document/{kb}/{uri_hash(kb, uri)}"


def record_of(kb: Handle, uri: str) -> dict[str, Any] | None:
    """The record of an erasure: when, what was counted, and when it was lifted."""
    with kb.ledger.read() as connection:
        row = connection.execute(
            select(erased).where(
                erased.c.kb == kb.name, erased.c.uri_hash == uri_hash(kb.name, uri)
            )
        ).one_or_none()
    return None if row is None else dict(row._mapping) | {"erased_at": aware(row.erased_at)}


ERASURES = select(func.count(), func.max(erased.c.erased_at)).where(erased.c.kb == bindparam("kb"))


def erasures(connection: Connection, kb: str) -> str:
    """What another text stands for whenever a document is erased from the knowledge base, at the
    beginning and at the end of it; "" before the first.
    """
    count, latest = connection.execute(ERASURES, {"kb": kb}).one()
    return f"{count}/{aware(latest).isoformat()}" if count else ""


def erasing_at(connection: Connection, kb: str) -> datetime:
    """Now, and later than all that was erased before, also where the clock was set back: by the
    time applications know that something was.
    """
    latest = connection.scalar(select(func.max(erased.c.erased_at)).where(erased.c.kb == kb))
    return max(now(), aware(latest) + timedelta(microseconds=1)) if latest else now()


def suppress(connection: Connection, kb: str, counts: Mapping[str, Mapping[str, Any]]) -> None:
    """Keep these uris out of later builds; `counts`: what is written down of each."""
    row = {"kb": kb, "erased_at": erasing_at(connection, kb), "lifted_at": None}
    told = [row | {"uri_hash": uri_hash(kb, uri), "counts": said} for uri, said in counts.items()]
    upsert(connection, erased, told)


def suppressed_hashes(kb: Handle) -> frozenset[str]:
    """The hashes of the uris that no build may bring in."""
    with kb.ledger.read() as connection:
        return frozenset(
            connection.scalars(
                select(erased.c.uri_hash).where(
                    erased.c.kb == kb.name, erased.c.lifted_at.is_(None)
                )
            )
        )


def admitted(kb: str, hashes: frozenset[str], listing: Listing) -> tuple[Listing, int]:
    """A listing without the suppressed documents, and how many those are."""
    if not hashes:
        return listing, 0
    items = [item for item in listing.items if uri_hash(kb, item.uri) not in hashes]
    problems = [problem for problem in listing.problems if uri_hash(kb, problem.uri) not in hashes]
    skipped = len(listing.items) + len(listing.problems) - len(items) - len(problems)
    return listing.model_copy(update={"items": items, "problems": problems}), skipped


def lift(kb: Handle, uri: str) -> Mapping[str, Any]:
    """Let a document in again. Raises UsageError where it is not suppressed."""
    record = record_of(kb, uri)
    if record is None or record["lifted_at"] is not None:
        raise UsageError(
            f"the uri {uri!r} is not suppressed in {kb.name!r}",
            hint="only a uri that was erased is suppressed",
            where=kb.name,
        )
    if "pending" in record["counts"]:
        raise UsageError(
            f"the erasure of {uri!r} was interrupted",
            hint="run it again to its end, then lift it",
            where=kb.name,
        )
    with kb.ledger.write() as connection:
        mine = (erased.c.kb == kb.name) & (erased.c.uri_hash == uri_hash(kb.name, uri))
        connection.execute(update(erased).where(mine).values(lifted_at=now()))
        subject = document_subject(kb.name, uri)
        append(connection, Entry(action="lift", subject=subject, before="suppressed"))
    return record
