"""Where the aliases of a prompt have been: the ledger's moves, those that other homes noted on the
versions, and what neither knows of.
"""

import uuid
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy import insert, select

from llmops.tasks.ledger import existing_ledger, now, open_ledger
from llmops.tasks.ledger.tables import moves as table
from llmops.tasks.tracking.prompt_versions import Version

OUTSIDE = "outside"


class Move(BaseModel):
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

    def shown(self) -> dict[str, Any]:
        """As JSON prints it, and as a version remembers it."""
        return self.model_dump(mode="json", by_alias=True)


def new_move(
    prompt: str,
    alias: str,
    before: int | None,
    to: int,
    kind: str,
    who: str,
    record: dict[str, Any] | None = None,
) -> Move:
    """A move of this moment; `record`: the decision that allows it."""
    return Move(
        id=uuid.uuid4().hex,
        prompt=prompt,
        alias=alias,
        before=before,
        to=to,
        kind=kind,
        who=who,
        moved_at=now(),
        decision=record["id"] if record else None,
        decision_sha256=record["sha256"] if record else None,
    )


def remember(home: Path, move: Move) -> None:
    """Write a move to the ledger."""
    row = {
        "id": move.id,
        "prompt": move.prompt,
        "alias": move.alias,
        "from_version": move.before,
        "to_version": move.to,
        "kind": move.kind,
        "decision": move.decision,
        "decision_sha256": move.decision_sha256,
        "who": move.who or "",
        "moved_at": move.moved_at,
    }
    with open_ledger(home).write() as connection:
        connection.execute(insert(table).values(**row))


def known_moves(home: Path, prompt: str, versions: Iterable[Version]) -> list[Move]:
    """The moves of all aliases of a prompt that the ledger knows or a version remembers, oldest
    first.
    """
    with existing_ledger(home).read() as connection:
        rows = connection.execute(select(table).where(table.c.prompt == prompt)).mappings().all()
    noted = {
        move.id: move
        for version in versions
        for one in version.moves
        if (move := _noted(one)) and move.prompt == prompt
    }
    found = noted | {row["id"]: _of(row) for row in rows}
    return sorted(found.values(), key=lambda move: (move.moved_at, move.id))


def timeline(moves: Sequence[Move], alias: str, points_to: int | None, prompt: str) -> list[Move]:
    """All moves of one alias, oldest first, with those in between that were made without llmops, up
    to where it points now.
    """
    found: list[Move] = []
    at: int | None = None
    for move in (one for one in moves if one.alias == alias):
        if move.before != at:
            found.append(Move(prompt=prompt, alias=alias, before=at, to=move.before, kind=OUTSIDE))
        found.append(move)
        at = move.to
    if at != points_to:
        found.append(Move(prompt=prompt, alias=alias, before=at, to=points_to, kind=OUTSIDE))
    return found


def holders(history: Sequence[Move], versions: Sequence[Version]) -> list[int]:
    """The versions that held an alias, as a rollback walks them: the present one, or the last one
    of an alias that was removed, stands last. What was rolled back is left out; so is a number
    whose version was deleted, also where another one has it now."""
    path: list[int] = []
    there = ever(history, versions)
    for move in history:
        if move.to is None or move.to not in there:
            continue
        if move.kind == "rollback" and move.to in path:
            del path[len(path) - 1 - path[::-1].index(move.to) + 1 :]
        elif path[-1:] != [move.to]:
            path.append(move.to)
    return path


def ever(history: Sequence[Move], versions: Sequence[Version]) -> set[int]:
    """The versions that held an alias at any time and are still there. A prompt that was deleted
    and made anew gives old numbers again: a version counts that a note of its move stands on, or
    that was there at the time of the move."""
    return {
        one.version
        for one in versions
        for place, move in enumerate(history)
        if move.to == one.version and _held(one, history, place)
    }


def _held(version: Version, history: Sequence[Move], place: int) -> bool:
    noted = {str(one.get("id")) for one in version.moves}
    known_at = next(
        (one.moved_at for one in history[place:] if one.moved_at), None
    )  # of an outside move only the next one's time is known
    return history[place].id in noted or known_at is None or version.created_at <= known_at


def _of(row: Any) -> Move:
    at = row["moved_at"]
    return Move(
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


def _noted(content: dict[str, Any]) -> Move | None:
    """A note that a version carries; None for one that was tampered with beyond recognition."""
    try:
        move = Move.model_validate(content)
    except ValidationError:
        return None
    return (
        move
        if move.id and move.moved_at and move.moved_at.tzinfo and move.kind != OUTSIDE
        else None
    )
