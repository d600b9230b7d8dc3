"""Writing a candidate version into the store: batch by batch, then sealed and counted."""

from collections.abc import Sequence

import numpy as np
from pydantic import ValidationError

from llmops.tasks.errors import Blocked, ConfigError, Damaged
from llmops.tasks.knowledge import changes
from llmops.tasks.knowledge.build import Build
from llmops.tasks.knowledge.changes import Staged
from llmops.tasks.knowledge.plan import Plan, live_documents
from llmops.tasks.knowledge.reading import embedder_of
from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.embedders import Embedder
from llmops.tasks.plugins.stores import StoreCollection, rows_schema
from llmops.tasks.schemas import frame


def target(build: Build) -> StoreCollection:
    """The collection that the build writes to."""
    return build.specs.open_store().open(
        build.collection,
        build.specs.embedder().dimension,
        build.home,
        build.metadata_schema.fields,
    )


def prepare(build: Build) -> None:
    """Empty the collection where it is a new one beside the live one."""
    if build.fresh:
        target(build).recover(None)


def retire(
    build: Build, collection: StoreCollection, embedder: Embedder, doc_ids: Sequence[str]
) -> int:
    """Take the chunks of documents out of the collection; returns how many left."""
    ids = list(changes.live_chunks(build, doc_ids))
    if ids and not build.fresh:
        collection.stage(
            build.version,
            frame([], rows_schema(build.metadata_schema.fields)),
            np.empty((0, embedder.dimension), np.float32),
            ids,
        )
    return len(ids)


def seal(build: Build, collection: StoreCollection, expected: int) -> str:
    """Returns the snapshot. Raises Damaged when the store does not hold as many rows as it
    should.
    """
    snapshot = collection.seal(build.version)
    held = collection.at(snapshot).count()
    if held != expected:
        raise Damaged(
            f"the store holds {held} chunks of version {build.version} instead of {expected}",
            hint=f"nothing live has changed; `llmops kb repair {build.kb}` mends the store, "
            f"then build again",
        )
    return snapshot


def nothing_changes(build: Build, plan: Plan, staged: Sequence[Staged]) -> bool:
    """Whether the live version is as the sources are already, and asked as the config says."""
    same = not build.fresh and not plan.leaving and all(part.empty for part in staged)
    return same and _asked_alike(build)


def _asked_alike(build: Build) -> bool:
    """Whether the live version embeds questions as the config says: its passages may be the same
    although, and no question is asked by a config that was never published.
    """
    live = build.handle.live()
    if live is None or Spec.model_validate(live.config["embed"]) == build.specs.embed:
        return True
    try:
        asked = embedder_of(live).query_fingerprint()
    except (ConfigError, ValidationError):  # a secret or a library of the live config is gone
        return False
    return asked == build.specs.embedder().query_fingerprint()


def all_carried(build: Build, plan: Plan, staged: Sequence[Staged]) -> None:
    """Raise Blocked when a new collection would lack a document that is live and not gone."""
    if not build.fresh:
        return
    there = {key for part in staged for key in (*part.new, *part.changed, *part.same)}
    lost = [
        row.uri
        for key, row in live_documents(build).items()
        if key not in there and key not in plan.leaving
    ]
    if lost:
        raise Blocked(
            f"{len(lost)} live documents cannot be carried into the new index: "
            f"{', '.join(sorted(lost)[:5])}",
            hint=f"`llmops quarantine list --kb {build.kb}` says why; mend or remove them, then "
            f"build again",
        )
