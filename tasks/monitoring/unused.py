"""Documents that no question found, though they were there all the time, and what such a list is
worth at this traffic.
"""

import math
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import Connection, FromClause, Select, func, select

from llmops.tasks.knowledge.handle import Handle, Version
from llmops.tasks.ledger import live_at
from llmops.tasks.ledger.leases import aware
from llmops.tasks.ledger.tables import documents, versions
from llmops.tasks.monitoring.figures import UnusedDocument
from llmops.tasks.monitoring.traffic import Exchange
from llmops.tasks.traces.index import parts

MOST = 20
EVEN = 0.5
"""A document is told where chance alone would have found it more likely than not."""


class Unused(NamedTuple):
    """Of one knowledge base. `documents`: those that are told; `total`: all of them; `of`: the
    documents that were there all the time; `expected`: the share of these that nobody would find by
    chance alone, at least.
    """

    documents: tuple[UnusedDocument, ...] = ()
    total: int = 0
    of: int = 0
    expected: float = 1.0
    note: str = ""


class _Presence(NamedTuple):
    """A live version, and the one that was live when the looking began, at `since`."""

    live: Version
    first: int
    since: datetime
    whole: bool


def unused(home: Path, name: str, exchanges: Sequence[Exchange], since: datetime) -> Unused:
    """The documents of the live version that were in the one that was live at `since`, and that no
    exchange found. Those with the most passages come first: with so much text chance alone finds a
    document soonest, and it takes the most room in the index. `exchanges`: any; those that searched
    another base count for nothing here.

    How long the list is by chance: where every passage is as likely to be found as every other, a
    document with c of C passages is missed by m passages found with probability (1 - c/C)^m. Where
    some are sought more than others, which they always are, more are missed: (1 - x)^m is convex
    (Jensen). So this is the least share that chance leaves unused. What one conversation finds
    again counts once.

    Raises UsageError where the base was never published.
    """
    there = _presence(Handle(home=home, name=name), since)
    mine = [each for each in exchanges if each.knowledge_base == name and each.at >= there.since]
    found = {passage.doc_id for each in mine for passage in each.passages}
    drawn = len({(each.unit, one.chunk_id) for each in mine for one in each.passages})
    with Handle(home=home, name=name).ledger.read() as connection:
        sizes = connection.execute(_sizes(name, there)).all()
        seen = sum(
            connection.scalar(_counted(name, there, part)) or 0 for part in parts(sorted(found))
        )
        rows = connection.execute(_largest(name, there, MOST + len(found))).all()
        of, chunks = (
            sum(row.of_size for row in sizes),
            sum(row.chunks * row.of_size for row in sizes),
        )
        chance = {row.chunks: _missed(row.chunks, chunks, drawn) for row in sizes}
        chosen = [row for row in rows if row.doc_id not in found and chance[row.chunks] < EVEN]
        born = _born(connection, name, [row.doc_id for row in chosen[:MOST]])
    expected = sum(chance[row.chunks] * row.of_size for row in sizes) / of if of else 1.0
    listed = tuple(
        UnusedDocument(
            knowledge_base=name,
            doc_id=row.doc_id,
            uri=row.uri,
            title=row.title or "",
            chunks=row.chunks,
            since=born.get(row.doc_id),
        )
        for row in chosen[:MOST]
    )
    result = Unused(listed, of - seen, of, expected)
    return result._replace(note=_note(name, result, there, len(mine)))


def _presence(kb: Handle, since: datetime) -> _Presence:
    """A base that was published later is looked at from its first publication on."""
    live = kb.published()
    mine = (versions.c.kb == kb.name) & versions.c.published_at.is_not(None)
    with kb.ledger.read() as connection:
        rows = connection.execute(
            select(versions.c.version, versions.c.published_at)
            .where(mine)
            .order_by(versions.c.version)
        ).all()
    before = [row for row in rows if aware(row.published_at) <= since]
    first = before[-1] if before else rows[0]
    begins = since if before else aware(first.published_at)
    return _Presence(live, first.version, begins, bool(before))


def _all_the_time(name: str, there: _Presence, table: FromClause = documents) -> Select[tuple[str]]:
    """The ids of the documents of the one version that are in the other."""
    return select(table.c.doc_id).where(table.c.kb == name, live_at(table, there.first))


def _live(name: str, there: _Presence) -> Select[tuple[str, str, str, int]]:
    other = documents.alias()
    return select(documents.c.doc_id, documents.c.uri, documents.c.title, documents.c.chunks).where(
        documents.c.kb == name,
        live_at(documents, there.live.version),
        documents.c.doc_id.in_(_all_the_time(name, there, other)),
    )


def _sizes(name: str, there: _Presence) -> Select[tuple[int, int]]:
    """How many documents have so many chunks."""
    live = _live(name, there).subquery()
    return select(live.c.chunks, func.count().label("of_size")).group_by(live.c.chunks)


def _counted(name: str, there: _Presence, ids: Sequence[str]) -> Select[tuple[int]]:
    live = _live(name, there).where(documents.c.doc_id.in_(ids)).subquery()
    return select(func.count()).select_from(live)


def _largest(name: str, there: _Presence, most: int) -> Select[tuple[str, str, str, int]]:
    """So many that, without those that were found, enough are left."""
    order = (documents.c.chunks.desc(), documents.c.uri, documents.c.doc_id)
    return _live(name, there).order_by(*order).limit(most)


def _born(connection: Connection, name: str, ids: Sequence[str]) -> dict[str, datetime]:
    """When each document was published first, as far back as the ledger remembers."""
    query = (
        select(documents.c.doc_id, func.min(versions.c.published_at).label("at"))
        .join(
            versions,
            (versions.c.kb == documents.c.kb) & (versions.c.version == documents.c.valid_from),
        )
        .where(documents.c.kb == name, documents.c.doc_id.in_(ids))
        .group_by(documents.c.doc_id)
    )
    return {row.doc_id: aware(row.at) for row in connection.execute(query) if row.at}


def _missed(chunks: int, of: int, drawn: int) -> float:
    if not of or chunks >= of:
        return 0.0 if drawn and of else 1.0
    return math.exp(drawn * math.log1p(-chunks / of))


def _note(name: str, found: Unused, there: _Presence, asked: int) -> str:
    if not found.of:
        return f"{name}: no document has been there all the time"
    if not asked:
        return f"{name}: no question searched it, so nothing can be said of unused documents"
    when = "" if there.whole else f" since it was published on {there.since:%Y-%m-%d}"
    share, chance = (f"{100 * each:.0f} %" for each in (found.total / found.of, found.expected))
    said = (
        f"{name}: {found.total:,} of {found.of:,} documents ({share}) were found by none of "
        f"{asked:,} questions{when}; at this traffic chance alone leaves at least {chance} unused"
    )
    if found.total and not found.documents:
        return f"{said}, so a list of them would mean nothing"
    return said
