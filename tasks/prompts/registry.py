"""Prompts in files and in MLflow's registry, kept in step by the hash of what they say: the way in
for flows and commands.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from llmops.tasks.decisions.aliases import known_moves, timeline
from llmops.tasks.decisions.promotion import first, promote, rollback
from llmops.tasks.prompts import Prompt, Resolved
from llmops.tasks.prompts.references import SCHEME, all_versions, found, resolve
from llmops.tasks.tracking.prompt_versions import WHO
from llmops.tasks.tracking.prompts import Registry, alone, author, registry


class Pushed(BaseModel):
    """`made`: whether it is a new version, rather than one that says the same already."""

    model_config = ConfigDict(frozen=True)
    resolved: Resolved
    made: bool


def push(home: Path, prompt: Prompt, who: str = "") -> Resolved:
    """The version that says what the prompt says: made when there is none. Raises ConfigError for
    what the registry does not take.
    """
    return push_all(home, [prompt], who)[0].resolved


def push_all(home: Path, prompts: Iterable[Prompt], who: str = "", note: str = "") -> list[Pushed]:
    """Push several prompts, one after the other."""
    with alone(home), registry(home, write=True) as shelf:
        return [_pushed(shelf, prompt, who or author(), note) for prompt in prompts]


def history(home: Path, name: str) -> dict[str, Any]:
    """The versions of a prompt, newest first, and every move of its aliases, oldest first. Raises
    UsageError for an unknown one.
    """
    with registry(home) as shelf:
        versions = all_versions(shelf, name)
    moves = known_moves(home, name, versions)
    points_to = {alias: one.version for one in versions for alias in one.aliases}
    aliases = sorted({*points_to, *(move.alias for move in moves)})
    shown = [
        {
            "version": one.version,
            "sha256": one.sha256,
            "created_at": one.created_at.isoformat(),
            "who": one.tags.get(WHO),
            "aliases": list(one.aliases),
            "edited": one.edited,
            "message": one.note,
        }
        for one in versions
    ]
    made = [
        move.shown()
        for alias in aliases
        for move in timeline(moves, alias, points_to.get(alias), name)
    ]
    return {
        "name": name,
        "aliases": points_to,
        "versions": shown,
        "moves": [
            {key: value for key, value in one.items() if key not in ("id", "prompt")}
            for one in made
        ],
    }


def _pushed(shelf: Registry, prompt: Prompt, who: str, note: str) -> Pushed:
    same = _saying(shelf, prompt)
    number, made = same[0] if same else shelf.create(prompt, who, note), not same
    if made and (
        earlier := [one for one in _saying(shelf, prompt) if one < number]
    ):  # somebody on another machine was quicker
        shelf.withdraw(prompt.name, number)
        number, made = earlier[0], False
    return Pushed(
        resolved=Resolved(prompt=prompt, uri=f"{SCHEME}{prompt.name}/{number}", version=number),
        made=made,
    )


def _saying(shelf: Registry, prompt: Prompt) -> list[int]:
    return [one.version for one in shelf.versions(prompt.name) if one.sha256 == prompt.sha256]


__all__ = [
    "Pushed",
    "first",
    "found",
    "history",
    "promote",
    "push",
    "push_all",
    "resolve",
    "rollback",
]
