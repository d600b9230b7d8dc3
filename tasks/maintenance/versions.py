"""Versions beside each other: in which texts two of them differ, whether one can be served, and the
way back to it.
"""

import difflib
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypedDict

from sqlalchemy import Row

from llmops.tasks.errors import Damaged, UsageError
from llmops.tasks.knowledge import versions
from llmops.tasks.knowledge.handle import Handle, Version
from llmops.tasks.knowledge.live_texts import text_of
from llmops.tasks.knowledge.reading import collection_of
from llmops.tasks.knowledge.views import rows_at

LONGEST_DIFF = 200_000


def text_diff(kb: Handle, difference: Mapping[str, Any]) -> str:
    """A unified diff of the text of the documents that changed, where `difference` is the object of
    `views.diff`. Added documents show as all new, retired ones as all gone.
    """
    uris = {*difference["added"], *difference["changed"], *difference["retired"]}
    start, end = difference["from"], difference["to"]
    before = _texts(kb, start, uris) if start is not None else {}
    after = _texts(kb, end, uris)
    lines: list[str] = []
    for uri in sorted(uris):
        lines += difflib.unified_diff(
            before.get(uri, "").splitlines(),
            after.get(uri, "").splitlines(),
            f"{uri} (version {start})",
            f"{uri} (version {end})",
            lineterm="",
        )
    return "".join(f"{line}\n" for line in lines)


class DiffLine(NamedTuple):
    """A line of a comparison. `kind`: of what was there, what came, or what stands around it."""

    kind: Literal["gone", "new", "same"]
    text: str


def document_diff(kb: Handle, before: Row[Any] | None, after: Row[Any] | None) -> list[DiffLine]:
    """In which lines two states of one document differ, each with a few lines around it; None:
    where it is not there. `before`, `after`: the ledger's rows. Raises UsageError for texts that
    are too long to be compared while somebody waits.
    """
    size = max(row.characters for row in (before, after) if row is not None)
    if size > LONGEST_DIFF:
        raise UsageError(
            f"the text has {size:,} characters, which is too long to be compared here",
            hint=f"llmops kb diff {kb.name} --text",
        )
    old, new = (
        text_of(kb.lake, row).splitlines() if row is not None else [] for row in (before, after)
    )
    kinds: dict[str, Literal["gone", "new", "same"]] = {"-": "gone", "+": "new", " ": "same"}
    lines = list(difflib.unified_diff(old, new, lineterm=""))[2:]
    return [DiffLine(kinds.get(line[:1], "same"), line[1:]) for line in lines if line[:2] != "@@"]


def _texts(kb: Handle, number: int, uris: set[str]) -> dict[str, str]:
    rows = rows_at(kb, number).values()
    return {row.uri: text_of(kb.lake, row) for row in rows if row.uri in uris}


class Rollback(TypedDict):
    """The object of `kb rollback`; `seconds` is what readers may notice: the switch itself."""

    knowledge_base: str
    version: int
    previous_version: int
    seconds: float


def rollback(kb: Handle, to: int | None) -> Rollback:
    """Go back to an earlier version, after making sure that it can be served.

    Raises UsageError for a version that is not kept, Damaged for one that the store cannot serve:
    then nothing has changed.
    """
    with kb.hold() as lease:
        chosen = versions.target(kb, to)
        if why := unservable(kb.home, chosen, chosen.chunks):
            raise Damaged(
                f"version {chosen.version} of {kb.name!r} cannot be served, so nothing was "
                f"changed: {why}",
                hint=f"`llmops kb log {kb.name}` lists the others",
            )
        began = time.perf_counter()
        new, old = versions.rollback(kb, lease, to)
    return {
        "knowledge_base": kb.name,
        "version": new,
        "previous_version": old,
        "seconds": round(time.perf_counter() - began, 3),
    }


def unservable(home: Path, version: Version, chunks: int | None = None) -> str:
    """Why the store cannot serve a version, "" when it can: its snapshot is there, its rows can be
    read, and are as many as `chunks`.
    """
    try:
        reader = collection_of(home, version).at(version.snapshot or "")
        if (held := reader.count()) != chunks and chunks is not None:
            return f"it holds {held} chunks instead of {chunks}"
        next(iter(reader.rows(["chunk_id", "text"])), None)
    except Damaged as error:
        return error.message
    return ""
