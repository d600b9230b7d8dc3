"""Writing the audit log and reading it. An entry is written in the transaction of the change that
it tells of: there is the change and its entry, or neither.
"""

from pathlib import Path
from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection, func, select

from llmops.tasks.audit import head
from llmops.tasks.audit.actor import actor
from llmops.tasks.audit.people import names, pseudonym
from llmops.tasks.errors import UsageError, did_you_mean
from llmops.tasks.ledger import after_commit, chain, existing_ledger, home_of, open_ledger
from llmops.tasks.ledger.application import audit
from llmops.tasks.ledger.databases import storable

Action = Literal[
    "begun",
    "publish",
    "rollback",
    "repair",
    "import",
    "drop",
    "restore",
    "erase",
    "lift",
    "alias",
    "rank",
    "create_key",
    "revoke_key",
    "curate",
    "retire_curated",
    "erase_person",
    "delete_trace",
]
SHOWN = 100


class Entry(BaseModel):
    """One change. `subject`: what changed, as `kb/NAME`, `ranking/KB`, `document/KB/HASH`,
    `prompt/NAME@ALIAS`, `model/NAME@live`, `key/ID`, `curated/ID`, `person/PSEUDONYM`,
    `trace/ID`. `before`, `after`: its version, or its state. `reason`: the flow run, the decision,
    or a sentence.

    An entry stays for ever: it never holds a text, a uri, or a name of a person but `who`, which is
    kept as a pseudonym.
    """

    model_config = ConfigDict(frozen=True)
    action: Action
    subject: str
    before: str = ""
    after: str = ""
    reason: str = ""
    who: str = Field(default_factory=actor)


class AuditEntry(BaseModel):
    """An entry as it stands in the log. `person`: the pseudonym; `who`: the name that it stands
    for, "" for nobody and for a person who was erased."""

    model_config = ConfigDict(frozen=True)
    number: int
    at: str
    person: str
    who: str
    action: str
    subject: str
    before: str
    after: str
    reason: str
    hash: str


def append(connection: Connection, entry: Entry) -> None:
    """Write an entry in the caller's transaction, one of `Ledger.write`."""
    texts = entry.model_dump(exclude={"who"})
    content = {name: str(storable(text)) for name, text in texts.items()}
    latest = chain.add(connection, {**content, "person": pseudonym(connection, entry.who)})
    home = home_of(connection)
    if home is not None:
        after_commit(connection, lambda: head.keep(home, latest))


def record(home: Path, entry: Entry) -> None:
    """Write an entry in a transaction of its own."""
    with open_ledger(home).write() as connection:
        append(connection, entry)


def entries(
    home: Path, *, subject: str = "", action: str = "", limit: int = SHOWN
) -> list[AuditEntry]:
    """The entries, newest first. `subject`: a part of it."""
    query = select(audit).order_by(audit.c.number.desc()).limit(limit)
    if subject:
        query = query.where(audit.c.subject.contains(subject, autoescape=True))
    if action:
        query = query.where(audit.c.action == action)
    with existing_ledger(home).read() as connection:
        rows = [dict(row) for row in connection.execute(query).mappings()]
        known = names(connection, [row["person"] for row in rows])
    return [AuditEntry.model_validate(row | {"who": known.get(row["person"], "")}) for row in rows]


def checked_action(name: str) -> Action:
    """Raises UsageError for an action that there is not."""
    known: tuple[Action, ...] = get_args(Action)
    for action in known:
        if action == name:
            return action
    hint = did_you_mean(name, known)
    raise UsageError(f"got the action {name!r}; allowed: {', '.join(known)}", hint=hint)


def count(home: Path) -> int:
    """How many entries there are."""
    with existing_ledger(home).read() as connection:
        return connection.scalar(select(func.count()).select_from(audit)) or 0
