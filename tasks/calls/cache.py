"""The cache of paid calls, in the ledger: a reply is committed before anybody gets to see it, and
is never paid twice.
"""

import asyncio
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, select

from llmops.tasks.calls.concurrency import MicroBatcher
from llmops.tasks.calls.costs import CostEntry, book
from llmops.tasks.ledger import Ledger, now, upsert
from llmops.tasks.ledger.tables import calls, shown
from llmops.tasks.plugins import canonical
from llmops.tasks.plugins.llms import Message, Reply, Request
from llmops.tasks.schemas import sha256
from llmops.tasks.texts.charset import mended

Documents = tuple[tuple[str, str], ...]
"""(knowledge base, doc_id) of the documents whose passages stand in a request."""
KEYS = 500


class Lookup(NamedTuple):
    """A call that may be known already."""

    key: str
    shown: Documents = ()


class PaidCall(NamedTuple):
    """A call that was answered just now. `owner`: the document that it was asked about; "": none,
    or those that were shown.
    """

    key: str
    reply: Reply
    cost_usd: float
    shown: Documents = ()
    owner: str = ""


def key_of(fingerprint: str, request: Request, repeat: int = 0) -> str:
    """What a reply is remembered by: model and parameters, all that was asked, and which time it is
    asked.
    """
    return sha256(
        canonical(
            [fingerprint, request.model_dump(mode="json") | {"repeat": repeat or request.repeat}]
        )
    )


def usable_key(fingerprint: str, messages: Sequence[Message]) -> str:
    """What a usable reply is remembered by: model and parameters, and the conversation as it began.

    Never equal to a `key_of`: the reply may have come after corrections.
    """
    return sha256(
        canonical(
            [fingerprint, [message.model_dump(exclude_defaults=True) for message in messages]]
        )
    )


class CallCache:
    """The ledger's calls for one event loop. Lookups that wait together are one query, and replies
    one transaction with one fsync.

    Another process that writes the same call at the same time does no harm: the last one stays.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._owed: list[CostEntry] = []
        self._reads = MicroBatcher(self._read, KEYS)
        self._writes = MicroBatcher(self._write, KEYS)

    async def known(self, lookup: Lookup) -> Reply | None:
        """The reply to a call that was paid before. Its documents are added to those that it is
        known by.
        """
        return await self._reads.do(lookup)

    async def keep(self, paid: PaidCall) -> None:
        """Returns when the reply is on disk. Raises Unavailable when the ledger cannot be
        written.
        """
        await self._writes.do(paid)

    def owe(self, entry: CostEntry) -> None:
        """A request was paid. It is written down with the next reply, or at the end: most often
        that is the reply to it.
        """
        self._owed.append(entry)

    async def close(self) -> None:
        """Waits for what is being written."""
        await self._reads.close()
        await self._writes.close()
        if self._owed:  # of requests whose replies could not be used
            await asyncio.to_thread(self._write, ())

    def _read(self, lookups: Sequence[Lookup]) -> list[Reply | None]:
        keys = sorted({lookup.key for lookup in lookups})
        wanted = select(calls.c.key, calls.c.reply, calls.c.detail).where(calls.c.key.in_(keys))
        with self._ledger.read() as connection:
            rows = {row.key: row for row in connection.execute(wanted)}
            known = [lookup for lookup in lookups if lookup.key in rows]
            there = _shown(connection, [lookup.key for lookup in known if lookup.shown])
        new = [
            row
            for lookup in known
            for row in _rows(lookup.key, lookup.shown)
            if tuple(row.values()) not in there
        ]
        if new:
            with self._ledger.write() as connection:
                upsert(connection, shown, new)
        return [
            Reply.model_validate({**(row.detail or {}), "text": row.reply})
            if (row := rows.get(lookup.key))
            else None
            for lookup in lookups
        ]

    def _write(self, paid: Sequence[PaidCall]) -> list[None]:
        at = now()
        rows = [
            {
                "key": call.key,
                "owner": call.owner,
                "reply": call.reply.text,
                "tokens": call.reply.tokens_in + call.reply.tokens_out,
                "cost_usd": call.cost_usd,
                "created_at": at,
                "detail": call.reply.model_dump(mode="json", exclude={"text"}),
            }
            for call in paid
        ]
        owed, self._owed = self._owed, []
        try:
            with self._ledger.write() as connection:
                upsert(connection, calls, rows)
                shows = [row for call in paid for row in _rows(call.key, call.shown)]
                upsert(connection, shown, shows)
                book(connection, owed, at)
        except BaseException:
            self._owed += owed
            raise
        return [None] * len(paid)


def storable(reply: Reply) -> Reply:
    """The reply without what no database and no file of UTF-8 takes, so that it reads the same when
    it is remembered.
    """
    text = mended(reply.text.replace("\0", "\ufffd"))
    return reply if text == reply.text else reply.model_copy(update={"text": text})


def _rows(key: str, documents: Documents) -> Iterator[dict[str, str]]:
    for kb, doc_id in dict.fromkeys(documents):
        yield {"key": key, "kb": kb, "doc_id": doc_id}


def _shown(connection: Connection, keys: Sequence[str]) -> set[tuple[str, ...]]:
    """(key, kb, doc_id) of all documents that these calls are known to have shown."""
    if not keys:
        return set()
    return {
        tuple(row)
        for row in connection.execute(
            select(shown.c.key, shown.c.kb, shown.c.doc_id).where(shown.c.key.in_(keys))
        )
    }
