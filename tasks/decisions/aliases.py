"""Where the aliases of a prompt have been: the changes that the ledger holds, those that other
homes noted on the versions, and what neither knows of.
"""

import uuid
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy import RowMapping, insert, select

from llmops.tasks.audit.actor import actor
from llmops.tasks.audit.log import Entry, append
from llmops.tasks.decisions.decision import Decision
from llmops.tasks.ledger import existing_ledger, now, open_ledger
from llmops.tasks.ledger.tables import moves as table
from llmops.tasks.prompts.registry import RegistryVersion
from llmops.tasks.tracking.prompt_versions import Note

OUTSIDE = "outside"


class AliasChange(BaseModel):
    """An alias went from one version (None: from nowhere) to another (None: it was removed).
    `kind`: first, promote, rollback; outside for what was done without llmops: nobody knows by whom
    and when. `id`: of the ledger's row, empty for an outside one."""

    model_config = ConfigDict(frozen=True, populate_by_name=True)
    id: str = ""
    prompt: str
    alias: str
    before: int | None = Field(default=None, alias="from")
    to: int | None
    kind: str
    decision: str | None = None
    decision_sha256: str | None = None
    who: str | None = None
    moved_at: datetime | None = None

    def content(self) -> Note:
        """As JSON prints it, and as a version remembers it."""
        return self.model_dump(mode="json", by_alias=True)


def new_change(
    prompt: str,
    alias: str,
    before: int | None,
    to: int,
    kind: str,
    who: str,
    decision: Decision | None = None,
) -> AliasChange:
    """A change of this moment; `decision`: the one that allows it."""
    return AliasChange(
        id=uuid.uuid4().hex,
        prompt=prompt,
        alias=alias,
        before=before,
        to=to,
        kind=kind,
        who=who,
        moved_at=now(),
        decision=decision.id if decision else None,
        decision_sha256=decision.sha256 if decision else None,
    )


def remember(home: Path, change: AliasChange) -> None:
    """Write a change to the ledger, and to its audit log."""
    row = {
        "id": change.id,
        "prompt": change.prompt,
        "alias": change.alias,
        "from_version": change.before,
        "to_version": change.to,
        "kind": change.kind,
        "decision": change.decision,
        "decision_sha256": change.decision_sha256,
        "who": change.who or "",
        "moved_at": change.moved_at,
    }
    with open_ledger(home).write() as connection:
        connection.execute(insert(table).values(**row))
        append(connection, _entry(change))


def _entry(change: AliasChange) -> Entry:
    return Entry(
        action="alias",
        subject=f"prompt/{change.prompt}@{change.alias}",
        before="" if change.before is None else str(change.before),
        after="" if change.to is None else str(change.to),
        reason=f"decision {change.decision}" if change.decision else change.kind,
        who=change.who or actor(),
    )


def is_remembered(home: Path, change: AliasChange) -> bool:
    """Whether the ledger holds a change, which a version may note alone."""
    with existing_ledger(home).read() as connection:
        row = connection.execute(select(table.c.id).where(table.c.id == change.id)).first()
    return row is not None


def known_changes(
    home: Path, prompt: str, versions: Iterable[RegistryVersion]
) -> list[AliasChange]:
    """The changes of all aliases of a prompt that the ledger knows or a version remembers, oldest
    first.
    """
    with existing_ledger(home).read() as connection:
        rows = connection.execute(select(table).where(table.c.prompt == prompt)).mappings().all()
    noted = [_noted(note) for version in versions for note in version.changes]
    changes = {change.id: change for change in noted if change and change.prompt == prompt}
    changes |= {row["id"]: _of(row) for row in rows}
    return sorted(changes.values(), key=_order)


def _order(change: AliasChange) -> tuple[datetime, str]:
    assert change.moved_at is not None  # of what is known; only outside ones have no time
    return change.moved_at, change.id


def timeline(
    changes: Sequence[AliasChange], alias: str, points_to: int | None, prompt: str
) -> list[AliasChange]:
    """All changes of one alias, oldest first, with those in between that were made without llmops,
    up to where it points now.
    """

    def outside(before: int | None, to: int | None) -> AliasChange:
        return AliasChange(prompt=prompt, alias=alias, before=before, to=to, kind=OUTSIDE)

    history: list[AliasChange] = []
    at: int | None = None
    for change in (one for one in changes if one.alias == alias):
        if change.before != at:
            history.append(outside(at, change.before))
        history.append(change)
        at = change.to
    if at != points_to:
        history.append(outside(at, points_to))
    return history


def holders(history: Sequence[AliasChange], versions: Sequence[RegistryVersion]) -> list[int]:
    """The versions that held an alias, as a rollback walks them: the present one, or the last one
    of an alias that was removed, stands last. What was rolled back is left out; so is a number
    whose version was deleted, also where another one has it now."""
    path: list[int] = []
    there = ever(history, versions)
    for change in history:
        if change.to is None or change.to not in there:
            continue
        if change.kind == "rollback" and change.to in path:
            del path[len(path) - 1 - path[::-1].index(change.to) + 1 :]
        elif path[-1:] != [change.to]:
            path.append(change.to)
    return path


def ever(history: Sequence[AliasChange], versions: Sequence[RegistryVersion]) -> set[int]:
    """The versions that held an alias at any time and are still there. A prompt that was deleted
    and made anew gives old numbers again: a version counts that a note of its change stands on, or
    that was there at the time of the change."""
    return {
        version.version
        for version in versions
        for place, change in enumerate(history)
        if change.to == version.version and _held(version, history, place)
    }


def _held(version: RegistryVersion, history: Sequence[AliasChange], place: int) -> bool:
    noted = {str(note.get("id")) for note in version.changes}
    # of an outside change only the next one's time is known
    known_at = next((change.moved_at for change in history[place:] if change.moved_at), None)
    return history[place].id in noted or known_at is None or version.created_at <= known_at


def _of(row: RowMapping) -> AliasChange:
    at = row["moved_at"]
    return AliasChange(
        id=row["id"],
        prompt=row["prompt"],
        alias=row["alias"],
        before=row["from_version"],
        to=row["to_version"],
        kind=row["kind"],
        decision=row["decision"],
        decision_sha256=row["decision_sha256"],
        who=row["who"],
        moved_at=at if at.tzinfo else at.replace(tzinfo=now().tzinfo),
    )


def _noted(note: Note) -> AliasChange | None:
    """A note that a version carries; None for one that was tampered with beyond recognition."""
    try:
        change = AliasChange.model_validate(note)
    except ValidationError:
        return None
    timed = change.moved_at is not None and change.moved_at.tzinfo is not None
    return change if change.id and timed and change.kind != OUTSIDE else None
