"""Who is signed in to the page. Of what the browser holds only a hash is kept; a session ends with
the key that it was begun with.
"""

import re
import secrets
import unicodedata
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path

from pydantic import BaseModel, ConfigDict
from sqlalchemy import delete, insert, select

from llmops.tasks.access import keys
from llmops.tasks.access.keys import ApiKey
from llmops.tasks.errors import UsageError
from llmops.tasks.ledger import existing_ledger, now, open_ledger
from llmops.tasks.ledger.application import api_keys
from llmops.tasks.ledger.leases import aware
from llmops.tasks.ledger.review import sessions

TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")
LONGEST_NAME = 80
JOINERS = {ord(each): None for each in "\u200c\u200d"}
"""Within Persian and other names, though they have no look of their own."""
WITH_KEY, BY_NAME = timedelta(days=7), timedelta(days=365)


class Session(BaseModel):
    """`key`: None for somebody who only gave a name, where nobody needs a key."""

    model_config = ConfigDict(frozen=True)
    id: str
    name: str
    key: ApiKey | None
    expires_at: datetime


def begin(home: Path, who: ApiKey | str, before: str = "") -> tuple[Session, str]:
    """Sign somebody in, by their key or by their name. Returns the session, and the token for the
    browser, which is nowhere else: always a new one, and the session of the token `before` ends.
    Raises UsageError for what is no name.
    """
    token = secrets.token_urlsafe(32)
    key = None if isinstance(who, str) else who
    began = now()
    row = {
        "hash": _hash(token),
        "key_id": key.id if key else "",
        "name": key.name if key else _name(str(who)),
        "created_at": began,
        "expires_at": began + (WITH_KEY if key else BY_NAME),
    }
    old = (sessions.c.hash == _hash(before)) | (sessions.c.expires_at <= began)
    with open_ledger(home).write() as connection:
        connection.execute(delete(sessions).where(old))
        connection.execute(insert(sessions).values(**row))
    return _session(row, key), token


def read(home: Path, token: str) -> Session | None:
    """The session of a token; None for one that is unknown, over, or whose key has ended."""
    if not TOKEN.fullmatch(token):
        return None
    query = select(sessions).where(sessions.c.hash == _hash(token), sessions.c.expires_at > now())
    with existing_ledger(home).read() as connection:
        row = connection.execute(query).mappings().one_or_none()
        if row is None or not row["key_id"]:
            return _session(dict(row), None) if row else None
        own = select(api_keys).where(api_keys.c.id == row["key_id"])
        key = keys.valid(connection.execute(own).mappings().one_or_none())
    return _session(dict(row), key) if key else None


def end(home: Path, token: str) -> None:
    """Sign out."""
    with open_ledger(home).write() as connection:
        connection.execute(delete(sessions).where(sessions.c.hash == _hash(token)))


def _hash(token: str) -> str:
    return sha256(token.encode("utf-8", "replace")).hexdigest()


def _session(row: dict[str, object], key: ApiKey | None) -> Session:
    expires = row["expires_at"]
    assert isinstance(expires, datetime)
    return Session(
        id=str(row["hash"])[: keys.ID_DIGITS],
        name=str(row["name"]),
        key=key,
        expires_at=aware(expires),
    )


def _name(given: str) -> str:
    name = " ".join(unicodedata.normalize("NFC", given).split())
    if not name or len(name) > LONGEST_NAME or not name.translate(JOINERS).isprintable():
        raise UsageError(
            f"got a name of {len(name)} characters",
            where="name",
            hint=f"allowed: 1 to {LONGEST_NAME} characters that can be printed",
        )
    return name
