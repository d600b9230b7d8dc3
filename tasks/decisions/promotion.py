"""How an alias moves: by a decision, for the first time, or back. Every move stands in the ledger
and on the version that it went to.
"""

import re
from pathlib import Path
from typing import Any

from sqlalchemy import select

from llmops.tasks.decisions.aliases import Move, known_moves, new_move, remember
from llmops.tasks.decisions.guard import Ground, cut_short, demand, demand_first
from llmops.tasks.errors import Blocked, UsageError
from llmops.tasks.ledger import existing_ledger, open_ledger
from llmops.tasks.ledger.tables import decisions
from llmops.tasks.prompts.references import all_versions, version_of
from llmops.tasks.tracking.prompt_versions import Version
from llmops.tasks.tracking.prompts import Registry, alone, author, registry

ALIAS = re.compile(r"(?!latest$|v\d+$)[a-z][a-z0-9_-]{0,60}", re.IGNORECASE)


def promote(
    home: Path,
    record: Any,
    prompt: str,
    alias: str = "champion",
    who: str = "",
    version: int | None = None,
) -> dict[str, Any]:
    """Move an alias to the version that a decision record speaks for. Raises Blocked with
    everything that stands against it.

    Where the alias is there already, nothing happens; a move that was cut short is completed.
    """
    with alone(home), registry(home) as shelf:
        ground = grounds(home, shelf, prompt, alias, record)
        target = demand(record, ground, version)
        done = ground.used(record["sha256"])
        if done is not None and done.to == target.version:
            _complete(home, done)
            return {**_answer(done, target), "moved": False}
        before = ground.points_to
        if before == target.version:
            if not cut_short(record, ground):
                return {**_answer(ground.history[-1], target), "moved": False}
            before = ground.history[-1].before
        return _moved(
            home,
            shelf,
            new_move(prompt, alias, before, target.version, "promote", who or author(), record),
            target,
        )


def first(home: Path, prompt: str, alias: str, version: int, who: str = "") -> dict[str, Any]:
    """Set an alias that was never set. Raises Blocked where it was, UsageError for an unknown
    version.
    """
    with alone(home), registry(home) as shelf:
        ground = grounds(home, shelf, prompt, alias)
        target = version_of(ground.versions, version)
        demand_first(ground, target)
        return _moved(
            home, shelf, new_move(prompt, alias, None, version, "first", who or author()), target
        )


def rollback(
    home: Path, prompt: str, alias: str = "champion", to: int | None = None, who: str = ""
) -> dict[str, Any]:
    """Move an alias back to the version that held it before, or to an earlier holder; an alias that
    was removed outside, to its last one. Raises UsageError where there is none, Blocked for a
    version that was edited since it was pushed."""
    with alone(home), registry(home) as shelf:
        ground = grounds(home, shelf, prompt, alias)
        target = version_of(ground.versions, _earlier(ground, to))
        if target.edited or target.sha256 is None:
            raise Blocked(
                f"version {target.version} of {prompt!r} was edited since it was pushed",
                hint=f"llmops prompts history {prompt} lists the others: --to N",
            )
        return _moved(
            home,
            shelf,
            new_move(prompt, alias, ground.points_to, target.version, "rollback", who or author()),
            target,
        )


def grounds(home: Path, shelf: Registry, prompt: str, alias: str, record: Any = None) -> Ground:
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
    points_to = next((one.version for one in versions if alias in one.aliases), None)
    return Ground(
        prompt,
        alias,
        versions,
        points_to,
        known_moves(home, prompt, versions),
        _held(home, shelf, record),
    )


def _earlier(ground: Ground, to: int | None) -> int:
    held = ground.holders
    before = held[:-1] if held and held[-1] == ground.points_to else held
    if to is not None and to != ground.points_to and to in ground.ever:
        return to
    if to is not None:
        listed = ", ".join(map(str, sorted(ground.ever - {ground.points_to}))) or "none"
        said = (
            "is live already"
            if to == ground.points_to
            else f"never was {ground.prompt}@{ground.alias}"
        )
        raise UsageError(
            f"version {to} {said}",
            hint=f"earlier ones: {listed}; to another one leads a decision: llmops prompts promote",
        )
    if not before:
        raise UsageError(
            f"there is no earlier {ground.prompt}@{ground.alias}",
            hint=f"llmops prompts history {ground.prompt} shows its moves",
        )
    return before[-1]


def _held(home: Path, shelf: Registry, record: Any) -> list[dict[str, Any]]:
    """The records that the ledger and MLflow hold under a record's id and run."""
    if not isinstance(record, dict):
        return []
    with existing_ledger(home).read() as connection:
        rows = (
            connection.execute(
                select(decisions.c.record).where(decisions.c.sha256 == str(record.get("sha256")))
            )
            .scalars()
            .all()
        )
    run = record.get("mlflow_run_id")
    kept = shelf.decision(run) if isinstance(run, str) and run and not rows else None
    return [one for one in [*rows, kept] if isinstance(one, dict)]


def _moved(home: Path, shelf: Registry, move: Move, target: Version) -> dict[str, Any]:
    """The alias first, then its note, then the ledger: a move that is cut short is found by the
    next try, or shown as an outside one.
    """
    open_ledger(home)  # before anything moves: a ledger that cannot be written stops it here
    shelf.point(move.prompt, move.alias, target.version)
    shelf.note(move.shown())
    if (shelf.aliases(move.prompt) or {}).get(move.alias) != target.version:
        raise Blocked(
            f"{move.prompt}@{move.alias} was moved by somebody else at the same moment",
            hint="look at `llmops prompts history`",
        )
    remember(home, move)
    return {**_answer(move, target), "moved": True}


def _complete(home: Path, move: Move) -> None:
    """Write a move to the ledger that only a version remembers."""
    with existing_ledger(home).read() as connection:
        from llmops.tasks.ledger.tables import moves as table

        there = connection.execute(select(table.c.id).where(table.c.id == move.id)).first()
    if there is None:
        remember(home, move)


def _answer(move: Move, target: Version) -> dict[str, Any]:
    shown = move.shown()
    return {
        "prompt": move.prompt,
        "alias": move.alias,
        "version": move.to,
        "previous_version": move.before,
        "kind": move.kind,
        "uri": target.uri,
        **{key: shown[key] for key in ("decision", "decision_sha256", "who", "moved_at")},
    }
