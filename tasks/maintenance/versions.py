"""Versions beside each other: in which texts two of them differ, whether one can be served, and the
way back to it.
"""

import difflib
import functools
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypedDict

from sqlalchemy import Row

from llmops.tasks.errors import Damaged
from llmops.tasks.knowledge import versions
from llmops.tasks.knowledge.handle import Handle, Version
from llmops.tasks.knowledge.reading import collection_of
from llmops.tasks.knowledge.views import rows_at
from llmops.tasks.lake import Lake
from llmops.tasks.schemas import Shard


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


def _texts(kb: Handle, number: int, uris: set[str]) -> dict[str, str]:
    rows = rows_at(kb, number).values()
    return {row.uri: _text(kb.lake, row) for row in rows if row.uri in uris}


def _text(lake: Lake, row: Row[Any]) -> str:
    shard = Shard(path=row.shard, rows=0, sha256=row.shard_sha256)
    return str(shard.table(lake, ["text"])["text"][row.shard_row].as_py())


def text_loaders(kb: Handle) -> dict[str, Callable[[], str]]:
    """uri -> loader of its text, for every live document."""
    rows = rows_at(kb, kb.published().version).values()
    return {row.uri: functools.partial(_text, kb.lake, row) for row in rows}


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
