"""The hash chain of the audit log: how an entry is sealed, what comes after it, and how the log
begins. tasks/audit says what the entries mean.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import NamedTuple

from sqlalchemy import Connection, RowMapping, insert, select, update

from llmops.tasks.ledger.application import audit
from llmops.tasks.ledger.tables import knowledge_bases, meta

HEAD = "audit.head"
"""The key in `meta`, and the name of the file in a home."""
START = "0" * 64
"""What stands as `previous` in the first entry."""
SEALED = ("number", "at", "person", "action", "subject", "before", "after", "reason", "previous")
BEGUN = "begun"
BEFORE = "the log begins here; what was live before came about without it"


class Head(NamedTuple):
    """The last entry: its number and its hash. Written as `3:0f9a…`."""

    number: int
    hash: str

    def __str__(self) -> str:
        return f"{self.number}:{self.hash}"

    @classmethod
    def parse(cls, text: str) -> "Head":
        """Raises ValueError for a text that is none."""
        number, _, hashed = text.strip().partition(":")
        if not (number.isascii() and number.isdigit() and len(number) < 10 and len(hashed) == 64):
            raise ValueError(f"no head of an audit log: {text[:80]!r}")
        return cls(int(number), hashed)


def seal(row: Mapping[str, object] | RowMapping) -> str:
    """SHA-256 of all columns but `hash`, as JSON with sorted keys. This never changes: entries of
    every release are verified by it.
    """
    content = {name: row[name] for name in SEALED}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return sha256(text.encode()).hexdigest()


def head_of(connection: Connection) -> Head | None:
    """What the ledger says of the last entry; None where it says nothing that can be read."""
    value = connection.scalar(select(meta.c.value).where(meta.c.key == HEAD))
    try:
        return Head.parse(value or "")
    except ValueError:
        return None


def add(connection: Connection, content: Mapping[str, str]) -> Head:
    """The next entry, in a writing transaction: writers wait for each other, so no two entries have
    one number. It follows the head, also where entries were cut off or put behind it: that stays
    to be seen.
    """
    head, last = head_of(connection), _last(connection)
    before = head or last or begin(connection)
    assert before is not None
    row: dict[str, object] = {
        **content,
        "number": max(before.number, last.number if last else 0) + 1,
        "at": datetime.now(UTC).isoformat(timespec="microseconds"),
        "previous": before.hash,
    }
    return _put(connection, row)


def _put(connection: Connection, row: Mapping[str, object]) -> Head:
    head = Head(int(str(row["number"])), seal(row))
    connection.execute(insert(audit).values(**row, hash=head.hash))
    moved = connection.execute(update(meta).where(meta.c.key == HEAD).values(value=str(head)))
    if not moved.rowcount:
        connection.execute(insert(meta).values(key=HEAD, value=str(head)))
    return head


def begin(connection: Connection) -> Head | None:
    """The first entry, which names what is live already; nothing where there is one."""
    if head_of(connection) or _last(connection):
        return None
    live = connection.execute(
        select(knowledge_bases.c.name, knowledge_bases.c.live)
        .where(knowledge_bases.c.live.is_not(None))
        .order_by(knowledge_bases.c.name)
    )
    connection.execute(insert(meta).values(key=HEAD, value=str(Head(0, START))))
    return add(
        connection,
        {
            "person": "",
            "action": BEGUN,
            "subject": "audit",
            "before": "",
            "after": ", ".join(f"{row.name}@{row.live}" for row in live),
            "reason": BEFORE,
        },
    )


def _last(connection: Connection) -> Head | None:
    query = select(audit.c.number, audit.c.hash).order_by(audit.c.number.desc()).limit(1)
    row = connection.execute(query).one_or_none()
    return None if row is None else Head(row.number, row.hash)
