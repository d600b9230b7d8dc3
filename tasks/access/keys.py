"""Keys: made once and shown once; of each only a hash is kept. A revoked one ends within a second,
in every process.
"""

import hmac
import math
import re
import secrets
import threading
import time
from collections.abc import Callable, Collection, Iterator
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict
from sqlalchemy import Connection, RowMapping, insert, select, update

from llmops.tasks.access.roles import NEEDS, ROLES, SCOPES, Act, Role, Scope, allowed, may
from llmops.tasks.audit import log
from llmops.tasks.audit.log import Entry
from llmops.tasks.errors import ConfigError, Mistake, UsageError, did_you_mean
from llmops.tasks.ledger import existing_ledger, now, open_ledger
from llmops.tasks.ledger.application import api_keys
from llmops.tasks.ledger.leases import aware

PREFIX = "llmops_"
SHAPE = re.compile(r"llmops_[A-Za-z0-9_-]{43}")
NAME = re.compile(r"(?![0-9a-f]{12}$)[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
LABEL = re.compile(r"[^\s,]{1,120}")
ID_DIGITS = 12
FRESH_SECONDS = 1.0
"""How long a key that was found in the ledger counts as found."""


class ApiKey(BaseModel):
    """What a key may do. `labels`: of the documents that its holder may see beside public ones;
    `usd_per_month`, `requests_per_minute`: None: as much as they like.
    """

    model_config = ConfigDict(frozen=True)
    id: str
    name: str
    scopes: frozenset[Scope]
    role: Role
    labels: frozenset[str]
    usd_per_month: float | None
    requests_per_minute: int | None
    created_at: datetime
    revoked_at: datetime | None

    def may(self, act: Act) -> bool:
        """Whether its holder may do something: the role allows it and a scope is there for it."""
        return allowed(self.role, self.scopes, act)


def create(
    home: Path,
    name: str,
    scopes: Collection[str],
    role: str = "viewer",
    labels: Collection[str] = (),
    usd_per_month: float | None = None,
    requests_per_minute: int | None = None,
) -> tuple[ApiKey, str]:
    """Make a key. Returns what is kept of it, and the key itself, which is nowhere else. Raises
    ConfigError with everything that is wrong, UsageError for a name that another key has.
    """
    mistakes = [
        *_naming(name, labels),
        *_doing(scopes, role),
        *_spending(usd_per_month, requests_per_minute),
    ]
    if mistakes:
        raise ConfigError(mistakes)
    with open_ledger(home).write() as connection:
        _free(connection, name)
        presented, hashed = _new(connection)
        row = {
            "id": hashed[:ID_DIGITS],
            "name": name,
            "hash": hashed,
            "scopes": sorted(set(scopes)),
            "role": role,
            "labels": sorted(set(labels)),
            "usd_per_month": usd_per_month,
            "requests_per_minute": requests_per_minute,
            "created_at": now(),
        }
        connection.execute(insert(api_keys).values(**row))
        key = ApiKey.model_validate(row | {"revoked_at": None})
        log.append(connection, _entry("create_key", key))
    return key, presented


def revoke(home: Path, name_or_id: str) -> ApiKey:
    """End a key. One that has ended already is returned as it is. Raises UsageError for an unknown
    one.
    """
    with open_ledger(home).write() as connection:
        key = _called(connection, name_or_id)
        if key.revoked_at is None:
            ended = {"revoked_at": now()}
            connection.execute(update(api_keys).where(api_keys.c.id == key.id).values(**ended))
            log.append(connection, _entry("revoke_key", key))
            key = key.model_copy(update=ended)
    KNOWN.forget()
    return key


def listed(home: Path) -> list[ApiKey]:
    """All keys, oldest first, also those that have ended."""
    with existing_ledger(home).read() as connection:
        return _all(connection)


class KnownKeys:
    """Keys that were found in the ledger within the last second: as many as there are valid ones,
    for what is not valid is never kept.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._found: dict[tuple[Path, str], tuple[ApiKey, float]] = {}
        self._lock = threading.Lock()

    def verify(self, home: Path, presented: str) -> ApiKey | None:
        """The key that was presented; None for one that is not valid. At most one query."""
        if not SHAPE.fullmatch(presented):
            return None
        hashed, asked_at = sha256(presented.encode()).hexdigest(), self._clock()
        with self._lock:
            known = self._found.get((home, hashed))
        if known is not None and asked_at - known[1] < FRESH_SECONDS:
            return known[0]
        key = _held(home, hashed)
        with self._lock:
            if key is not None:
                self._found[home, hashed] = (key, asked_at)
            else:
                self._found.pop((home, hashed), None)
        return key

    def forget(self) -> None:
        with self._lock:
            self._found.clear()


KNOWN = KnownKeys()


def verify(home: Path, presented: str) -> ApiKey | None:
    """The key that was presented; None for one that is unknown, revoked, or no key at all."""
    return KNOWN.verify(home, presented)


def _held(home: Path, hashed: str) -> ApiKey | None:
    """The valid key of a hash. It is looked for by a part of the hash, and the whole is compared in
    constant time: how long that takes tells nothing of keys that there are.
    """
    query = select(api_keys).where(api_keys.c.id == hashed[:ID_DIGITS])
    with existing_ledger(home).read() as connection:
        row = connection.execute(query).mappings().one_or_none()
    if row is None or not hmac.compare_digest(row["hash"], hashed):
        return None
    return valid(row)


def valid(row: RowMapping | None) -> ApiKey | None:
    """The key of a row; None where there is none, and for one that was revoked."""
    return _key(row) if row is not None and row["revoked_at"] is None else None


def _new(connection: Connection) -> tuple[str, str]:
    """A key whose id no other has, and its hash."""
    while True:
        presented = PREFIX + secrets.token_urlsafe(32)
        hashed = sha256(presented.encode()).hexdigest()
        same = select(api_keys.c.id).where(api_keys.c.id == hashed[:ID_DIGITS])
        if connection.scalar(same) is None:
            return presented, hashed


def _free(connection: Connection, name: str) -> None:
    mine = (api_keys.c.name == name) & api_keys.c.revoked_at.is_(None)
    held = connection.execute(select(api_keys).where(mine)).mappings().one_or_none()
    if held is not None:
        raise UsageError(
            f"a key {name!r} exists already: {held['id']}, made on "
            f"{aware(held['created_at']):%Y-%m-%d %H:%M} UTC",
            hint=f"give another name, or end that one: llmops keys revoke {name}",
        )


def _called(connection: Connection, name_or_id: str) -> ApiKey:
    """By its id, or by its name: of several ones that had it, the valid or the newest."""
    keys = _all(connection)
    same = [key for key in keys if name_or_id in (key.id, key.name)]
    if same:
        return max(same, key=lambda key: (key.revoked_at is None, key.created_at))
    names = [key.name for key in keys if key.revoked_at is None]
    raise UsageError(
        f"no key is called {name_or_id[:80]!r}",
        hint=did_you_mean(name_or_id, names, most=3) or "`llmops keys list` lists them",
    )


def _all(connection: Connection) -> list[ApiKey]:
    query = select(api_keys).order_by(api_keys.c.created_at, api_keys.c.id)
    return [_key(row) for row in connection.execute(query).mappings()]


def _key(row: RowMapping) -> ApiKey:
    ended = row["revoked_at"]
    times = {
        "created_at": aware(row["created_at"]),
        "revoked_at": aware(ended) if ended is not None else None,
    }
    return ApiKey.model_validate(dict(row) | times)


def _entry(action: Literal["create_key", "revoke_key"], key: ApiKey) -> Entry:
    """Its name may be a person's, and is not in the log."""
    states = {"after": "active"} if action == "create_key" else {"before": "active"}
    return Entry(action=action, subject=f"key/{key.id}", reason=_said(key), **states)


def _said(key: ApiKey) -> str:
    """What it may do."""
    limits = {
        "usd_per_month": key.usd_per_month,
        "requests_per_minute": key.requests_per_minute,
        "labels": ",".join(sorted(key.labels)) or None,
    }
    told = [f"{name}={value}" for name, value in limits.items() if value is not None]
    return " ".join([f"role={key.role}", f"scopes={','.join(sorted(key.scopes))}", *told])


def _naming(name: str, labels: Collection[str]) -> Iterator[Mistake]:
    if not NAME.fullmatch(name):
        yield _mistake(
            "NAME",
            name,
            "letters, digits, '.', '_' and '-', at most 63; not 12 hexadecimal digits, which an "
            "id has",
        )
    for label in labels:
        if not LABEL.fullmatch(label):
            yield _mistake("labels", label, "labels without spaces and commas")


def _doing(scopes: Collection[str], role: str) -> Iterator[Mistake]:
    for scope in sorted(set(scopes) - set(SCOPES)):
        yield _mistake("scopes", scope, ", ".join(SCOPES), did_you_mean(scope, SCOPES))
    if not scopes:
        yield _mistake("scopes", "none", f"at least one of {', '.join(SCOPES)}")
    known = next((each for each in ROLES if each == role), None)
    if known is None:
        yield _mistake("role", role, ", ".join(ROLES), did_you_mean(role, ROLES))
    elif "admin" in scopes and not any(
        may(known, act) for act, (_, scope) in NEEDS.items() if scope == "admin"
    ):
        yield Mistake(
            f"the role {role} may do nothing of the scope 'admin'",
            "scopes",
            "give the role editor or operator, or leave the scope out",
            "usage",
        )


def _spending(usd: float | None, requests: int | None) -> Iterator[Mistake]:
    if usd is not None and not (math.isfinite(usd) and usd >= 0):
        yield _mistake("usd_per_month", usd, "US dollars, 0 or more")
    if requests is not None and requests < 1:
        yield _mistake("requests_per_minute", requests, "1 or more")


def _mistake(where: str, got: object, allowed_: str, hint: str = "") -> Mistake:
    return Mistake(f"got {str(got)[:80]!r}; allowed: {allowed_}", where, hint, "usage")
