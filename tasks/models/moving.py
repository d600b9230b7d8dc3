"""How the alias of a trained model moves: by a decision, or back. Every move stands on the version
that it went to, and in the audit log.
"""

import contextlib
import uuid
from collections.abc import Iterator
from pathlib import Path

from typing_extensions import TypedDict

from llmops.tasks.audit.actor import actor
from llmops.tasks.audit.log import Entry, append
from llmops.tasks.errors import Blocked, Unavailable, UsageError
from llmops.tasks.ledger import make_folder, now, open_ledger
from llmops.tasks.models import LIVE
from llmops.tasks.models.files import verify
from llmops.tasks.models.registry import all_versions, held_by, version_of
from llmops.tasks.models.version import MOVE, ModelMove, RegisteredModel
from llmops.tasks.tracking.models import ModelShelf, open_models

LOCK_SECONDS = 120.0


class ModelDecision(TypedDict):
    """The decision that lets a version be live, and its hash."""

    id: str
    sha256: str


class ModelMoved(TypedDict):
    """The object of `models rollback`. `moved`: False where the alias was there already."""

    name: str
    alias: str
    version: int
    previous_version: int | None
    uri: str
    model: str
    kind: str
    decision: str | None
    who: str
    moved: bool


def promote(
    home: Path, name: str, version: int, decision: ModelDecision, before: int | None, who: str = ""
) -> ModelMoved:
    """Make a version live, by a decision that compared it with `before`, the version that is live
    or the one that the model was made from. Raises Blocked where another one is live meanwhile,
    Damaged for files that are not what was trained.
    """
    with alone(home), open_models(home) as shelf:
        versions = all_versions(shelf, name)
        target, live = version_of(versions, version), held_by(versions, LIVE)
        if live is not None and live.version == version:
            return _answer(target, None, moved=False, before=None)
        if live is not None and live.version != before:
            raise Blocked(
                f"{live.uri} went live after the decision began, which compared with another one",
                hint="run the training again: what was trained is kept, and the gate decides anew",
            )
        move = ModelMove(
            alias=LIVE,
            before=before,
            to=version,
            kind="promote",
            decision=decision["id"],
            decision_sha256=decision["sha256"],
            who=who or actor(),
            moved_at=now(),
        )
        return _moved(home, shelf, target, move)


def rollback(home: Path, name: str, to: int | None = None, who: str = "") -> ModelMoved:
    """Make the version live that was so before, or an earlier one. Raises UsageError where there is
    none, Damaged for files that are not what was trained.
    """
    with alone(home), open_models(home) as shelf:
        versions = all_versions(shelf, name)
        live, path = held_by(versions, LIVE), _path(versions)
        at = live.version if live else None
        earlier = path[:-1] if path[-1:] == [at] else path
        number = _asked(versions, at, to) if to is not None else _before(name, earlier)
        target = version_of(versions, number)
        move = ModelMove(
            alias=LIVE,
            before=at,
            to=target.version,
            kind="rollback",
            who=who or actor(),
            moved_at=now(),
        )
        return _moved(home, shelf, target, move)


def _path(versions: list[RegisteredModel]) -> list[int]:
    """The versions that were live, as a rollback walks them: the present one stands last, what was
    rolled back is left out.
    """
    there = {each.version for each in versions}
    moves = [move for each in versions for move in each.moves if move.alias == LIVE]
    path: list[int] = []
    for move in sorted(moves, key=lambda each: each.moved_at):
        if not path and move.before in there:
            path.append(move.before)
        if move.kind == "rollback" and move.to in path:
            del path[path.index(move.to) + 1 :]
        elif path[-1:] != [move.to]:
            path.append(move.to)
    return path


def _before(name: str, earlier: list[int]) -> int:
    if not earlier:
        raise UsageError(f"no version of {name!r} was live before this one", hint=_shown(name))
    return earlier[-1]


def _asked(versions: list[RegisteredModel], at: int | None, to: int) -> int:
    """A version that was live at any time, also one that was rolled back."""
    target, name = version_of(versions, to), versions[0].name
    before = {move.before for each in versions for move in each.moves}
    if to == at:
        raise UsageError(f"version {to} of {name!r} is live already", hint=_shown(name))
    if not target.moves and to not in before:
        known = [each.version for each in versions if each.moves or each.version in before]
        there = ", ".join(str(each) for each in sorted(known) if each != at) or "none"
        raise UsageError(
            f"version {to} of {name!r} never was live",
            hint=f"earlier ones: {there}; another one gets there by the gate of its training",
        )
    return to


def _shown(name: str) -> str:
    return f"llmops models show {name} shows its versions and moves"


def _moved(home: Path, shelf: ModelShelf, target: RegisteredModel, move: ModelMove) -> ModelMoved:
    """The alias first, then its note, then the audit log."""
    verify(home, target)
    ledger = open_ledger(home)  # one that cannot be written stops it before anything moves
    shelf.point(target.name, LIVE, target.version)
    note = f"{MOVE}{uuid.uuid4().hex}"
    shelf.tag(target.name, target.version, note, move.model_dump_json())
    entry = Entry(
        action="alias",
        subject=f"model/{target.name}@{LIVE}",
        before="" if move.before is None else str(move.before),
        after=str(move.to),
        reason=f"decision {move.decision}" if move.decision else move.kind,
        who=move.who,
    )
    with ledger.write() as connection:
        append(connection, entry)
    return _answer(target, move, moved=True, before=move.before)


def _answer(
    target: RegisteredModel, move: ModelMove | None, *, moved: bool, before: int | None
) -> ModelMoved:
    return {
        "name": target.name,
        "alias": LIVE,
        "version": target.version,
        "previous_version": before,
        "uri": target.uri,
        "model": target.title,
        "kind": move.kind if move else "promote",
        "decision": move.decision if move else None,
        "who": move.who if move else actor(),
        "moved": moved,
    }


@contextlib.contextmanager
def alone(home: Path) -> Iterator[None]:
    """No other process of this home moves a model's alias meanwhile."""
    from filelock import FileLock, Timeout

    make_folder(home / "mlflow")
    lock = FileLock(home / "mlflow" / "models.lock", timeout=LOCK_SECONDS)
    try:
        lock.acquire()
    except (Timeout, OSError) as error:
        said = "another process is moving a model's alias"
        if isinstance(error, OSError) and not isinstance(error, Timeout):
            said = f"the folder cannot be written: {error.strerror or error}"
        raise Unavailable(said, where=str(home), hint="wait for it, or end it") from error
    try:
        yield
    finally:
        lock.release()
