"""How an alias moves: by a decision, for the first time, or back. Every change stands in the ledger
and on the version that it went to.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TypedDict

from sqlalchemy import select

from llmops.tasks.audit.actor import actor
from llmops.tasks.decisions.aliases import (
    AliasChange,
    is_remembered,
    known_changes,
    new_change,
    remember,
    timeline,
)
from llmops.tasks.decisions.decision import AliasMoved
from llmops.tasks.decisions.guard import AliasState, cut_short, demand, demand_first
from llmops.tasks.errors import Blocked, UsageError
from llmops.tasks.ledger import existing_ledger, open_ledger
from llmops.tasks.ledger.tables import decisions
from llmops.tasks.prompts.registry import RegistryVersion, all_versions, alone, version_of
from llmops.tasks.tracking.prompt_versions import Note
from llmops.tasks.tracking.prompts import Registry, open_registry

ALIAS = re.compile(r"(?!latest$|v\d+$)[a-z][a-z0-9_-]{0,60}", re.IGNORECASE)


def promote(
    home: Path,
    record: object,
    prompt: str,
    alias: str = "champion",
    who: str = "",
    version: int | None = None,
) -> AliasMoved:
    """Move an alias to the version that the content of a decision record speaks for. Raises Blocked
    with everything that stands against it.

    Where the alias is there already, nothing happens; a move that was cut short is completed.
    """
    with alone(home), open_registry(home) as shelf:
        state = state_of(home, shelf, prompt, alias, record)
        decision, target = demand(record, state, version)
        done = state.used(decision.sha256)
        if done is not None and done.to == target.version:
            if not is_remembered(home, done):
                remember(home, done)
            return _answer(done, target, moved=False)
        before = state.points_to
        if before == target.version:
            if not cut_short(decision, state):
                return _answer(state.history[-1], target, moved=False)
            before = state.history[-1].before
        by = who or actor()
        change = new_change(prompt, alias, before, target.version, "promote", by, decision)
        return _move(home, shelf, change, target)


def first(home: Path, prompt: str, alias: str, version: int, who: str = "") -> AliasMoved:
    """Set an alias that was never set. Raises Blocked where it was, UsageError for an unknown
    version.
    """
    with alone(home), open_registry(home) as shelf:
        state = state_of(home, shelf, prompt, alias)
        target = version_of(state.versions, version)
        demand_first(state, target)
        change = new_change(prompt, alias, None, version, "first", who or actor())
        return _move(home, shelf, change, target)


def rollback(
    home: Path, prompt: str, alias: str = "champion", to: int | None = None, who: str = ""
) -> AliasMoved:
    """Move an alias back to the version that held it before, or to an earlier holder; an alias that
    was removed outside, to its last one. Raises UsageError where there is none, Blocked for a
    version that was edited since it was pushed."""
    with alone(home), open_registry(home) as shelf:
        state = state_of(home, shelf, prompt, alias)
        target = version_of(state.versions, _earlier(state, to))
        if target.edited or target.sha256 is None:
            raise Blocked(
                f"version {target.version} of {prompt!r} was edited since it was pushed",
                hint=f"llmops prompts history {prompt} lists the others: --to N",
            )
        by, number = who or actor(), target.version
        change = new_change(prompt, alias, state.points_to, number, "rollback", by)
        return _move(home, shelf, change, target)


class VersionShown(TypedDict):
    """A version as `prompts history` prints it. `sha256` None: it cannot be used here."""

    version: int
    sha256: str | None
    created_at: str
    who: str | None
    aliases: list[str]
    edited: bool
    message: str


class History(TypedDict):
    """As `prompts history` prints it: the versions newest first, the changes of each alias
    (`moves`) oldest first.
    """

    name: str
    aliases: dict[str, int]
    versions: list[VersionShown]
    moves: list[Note]


def history(home: Path, name: str) -> History:
    """The versions of a prompt, and every change of its aliases. Raises UsageError for an unknown
    one.
    """
    with open_registry(home) as shelf:
        versions = all_versions(shelf, name)
    changes = known_changes(home, name, versions)
    points_to = {alias: version.version for version in versions for alias in version.aliases}
    aliases = sorted({*points_to, *(change.alias for change in changes)})
    moves = [
        change.content()
        for alias in aliases
        for change in timeline(changes, alias, points_to.get(alias), name)
    ]
    return {
        "name": name,
        "aliases": points_to,
        "versions": [_shown(version) for version in versions],
        "moves": [
            {key: value for key, value in move.items() if key not in ("id", "prompt")}
            for move in moves
        ],
    }


def _shown(version: RegistryVersion) -> VersionShown:
    return {
        "version": version.version,
        "sha256": version.sha256,
        "created_at": version.created_at.isoformat(),
        "who": version.who,
        "aliases": list(version.aliases),
        "edited": version.edited,
        "message": version.note,
    }


def state_of(
    home: Path, shelf: Registry, prompt: str, alias: str, record: object = None
) -> AliasState:
    """What is known before a move. Raises UsageError for an unknown prompt, or an alias that MLflow
    does not take.
    """
    if not ALIAS.fullmatch(alias):
        raise UsageError(
            f"got the alias {alias!r}",
            hint="letters, digits, _ and -, a letter first, at most 61; `latest` and v1, v2, … "
            "are MLflow's own",
        )
    versions = all_versions(shelf, prompt)
    points_to = next((each.version for each in versions if alias in each.aliases), None)
    changes = known_changes(home, prompt, versions)
    return AliasState(prompt, alias, versions, points_to, changes, _held(home, shelf, record))


def _earlier(state: AliasState, to: int | None) -> int:
    held = state.holders
    before = held[:-1] if held and held[-1] == state.points_to else held
    if to is not None and to != state.points_to and to in state.ever:
        return to
    if to is not None:
        listed = ", ".join(map(str, sorted(state.ever - {state.points_to}))) or "none"
        said = (
            "is live already"
            if to == state.points_to
            else f"never was {state.prompt}@{state.alias}"
        )
        raise UsageError(
            f"version {to} {said}",
            hint=f"earlier ones: {listed}; another one needs a decision: llmops prompts promote",
        )
    if not before:
        raise UsageError(
            f"there is no earlier {state.prompt}@{state.alias}",
            hint=f"llmops prompts history {state.prompt} shows its moves",
        )
    return before[-1]


def _held(home: Path, shelf: Registry, record: object) -> list[Mapping[str, object]]:
    """The records that the ledger and MLflow hold under a record's id and run."""
    if not isinstance(record, Mapping):
        return []
    wanted = select(decisions.c.record).where(decisions.c.sha256 == str(record.get("sha256")))
    with existing_ledger(home).read() as connection:
        rows = connection.execute(wanted).scalars().all()
    run = record.get("mlflow_run_id")
    kept = shelf.decision(run) if isinstance(run, str) and run and not rows else None
    return [held for held in [*rows, kept] if isinstance(held, dict)]


def _move(home: Path, shelf: Registry, change: AliasChange, target: RegistryVersion) -> AliasMoved:
    """The alias first, then its note, then the ledger: a move that is cut short is found by the
    next try, or shown as an outside one.
    """
    open_ledger(home)  # before anything moves: a ledger that cannot be written stops it here
    shelf.point(change.prompt, change.alias, target.version)
    shelf.note(change.prompt, target.version, change.content())
    if (shelf.aliases(change.prompt) or {}).get(change.alias) != target.version:
        raise Blocked(
            f"{change.prompt}@{change.alias} was moved by somebody else at the same moment",
            hint="look at `llmops prompts history`",
        )
    remember(home, change)
    return _answer(change, target, moved=True)


def _answer(change: AliasChange, target: RegistryVersion, *, moved: bool) -> AliasMoved:
    return AliasMoved.model_validate(
        {
            "prompt": change.prompt,
            "alias": change.alias,
            "version": target.version,
            "previous_version": change.before,
            "kind": change.kind,
            "uri": target.uri,
            "decision": change.decision,
            "decision_sha256": change.decision_sha256,
            "who": change.who,
            "moved_at": change.content()["moved_at"],
            "moved": moved,
        }
    )
