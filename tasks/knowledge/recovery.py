"""Undoing what was not published, forgetting what is not kept: in the ledger and in the store."""

from collections.abc import Sequence
from pathlib import Path

from llmops.tasks.errors import Damaged
from llmops.tasks.knowledge.build import Build
from llmops.tasks.knowledge.handle import Handle, Version
from llmops.tasks.knowledge.reading import collection_of, store_of
from llmops.tasks.knowledge.versions import expire, mark_cleared, recover
from llmops.tasks.ledger.leases import Lease


def clear_up(build: Build, lease: Lease) -> None:
    """Undo whatever came into ledger and store after the live version: staged and not published,
    rolled back, changed by hand.
    """
    undo(build.handle, lease, keeps=build.collection)


def undo(handle: Handle, lease: Lease, *, keeps: str | None = None) -> None:
    """The same without a build. Raises Damaged when the collection `keeps` is lost; another one may
    be.
    """
    forgotten, kept = recover(handle, lease)
    drop_unused(handle.home, forgotten, kept)
    live = handle.live()
    if live is not None:
        try:
            collection_of(handle.home, live).recover(live.snapshot)
        except Damaged:
            if live.collection == keeps:  # else it is lost, and will be replaced
                raise
    mark_cleared(handle, forgotten)


def tidy(build: Build, lease: Lease, keep: int) -> None:
    """Forget the versions beyond `keep`, and free what only they needed."""
    gone, kept = expire(build.handle, lease, keep)
    if gone:
        drop_unused(build.home, gone, kept)
        for name in {one.collection for one in kept}:
            mine = [one for one in kept if one.collection == name]
            collection_of(build.home, mine[0]).gc([one.snapshot for one in mine if one.snapshot])


def drop_unused(home: Path, gone: Sequence[Version], kept: Sequence[Version]) -> None:
    """Remove the collections that only forgotten versions used."""
    in_use = {one.collection for one in kept}
    for name, one in {one.collection: one for one in gone}.items():
        if name not in in_use:
            store_of(one).drop(name, home)
