"""People by pseudonyms. Each has a secret of their own: where that is destroyed, nothing leads from
the pseudonym back to the name, and one who comes back gets another one.
"""

import hmac
import re
import secrets
from collections.abc import Collection
from hashlib import sha256

from sqlalchemy import Connection, delete, insert, select, update

from llmops.tasks.errors import UsageError
from llmops.tasks.ledger import Ledger, now
from llmops.tasks.ledger.application import people
from llmops.tasks.ledger.databases import storable
from llmops.tasks.ledger.tables import moves

LONGEST = 512
MADE = re.compile(r"[0-9a-f]{64}")
KEYS = 500


def pseudonym(where: Ledger | Connection, name: str) -> str:
    """What stands for a person, made when they are first seen; `where`: a ledger, or a connection
    of its `write`. "" for nobody; a pseudonym stands for itself, also of one who was erased
    meanwhile. Raises UsageError for a name of more than 512 characters.
    """
    if not name or MADE.fullmatch(name):
        return name
    if len(name) > LONGEST:
        raise UsageError(
            f"got a user's name of {len(name)} characters", hint=f"allowed: {LONGEST} at most"
        )
    if isinstance(where, Connection):
        return known_pseudonym(where, name) or _add(where, name)
    with where.read() as connection:
        known = known_pseudonym(connection, name)
    if known:
        return known
    with where.write() as connection:
        return known_pseudonym(connection, name) or _add(connection, name)


def known_pseudonym(connection: Connection, name: str) -> str | None:
    """The pseudonym of a person; None for one who is not known, or was erased."""
    query = select(people.c.pseudonym).where(people.c.name == storable(name))
    return connection.scalar(query)


def _add(connection: Connection, name: str) -> str:
    secret = secrets.token_hex(32)
    made = hmac.new(bytes.fromhex(secret), name.encode("utf-8", "replace"), sha256).hexdigest()
    row = {"pseudonym": made, "name": storable(name), "secret": secret, "since": now()}
    connection.execute(insert(people).values(**row))
    return made


def names(connection: Connection, pseudonyms: Collection[str]) -> dict[str, str]:
    """pseudonym -> name, of those who were not erased."""
    wanted, found = sorted(set(pseudonyms)), dict[str, str]()
    for start in range(0, len(wanted), KEYS):
        mine = people.c.pseudonym.in_(wanted[start : start + KEYS])
        rows = connection.execute(select(people.c.pseudonym, people.c.name).where(mine))
        found |= {row.pseudonym: row.name for row in rows}
    return found


def erase(connection: Connection, name: str) -> str | None:
    """Destroy what leads from a pseudonym to a person: the name and the secret. Who moved an alias
    is called by the pseudonym from then on.

    Returns the pseudonym that is nobody's now; None for a name that is not known.
    """
    gone = known_pseudonym(connection, name)
    if gone is not None:
        connection.execute(delete(people).where(people.c.pseudonym == gone))
        connection.execute(update(moves).where(moves.c.who == name).values(who=gone))
    return gone
