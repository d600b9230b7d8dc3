"""Tasks that change what is live, or what is kept. They confirm the lease of the knowledge base as
they write.
"""

from typing import Any

from prefect import task

from llmops.tasks.knowledge import publish as publishing
from llmops.tasks.knowledge import session, versions
from llmops.tasks.knowledge import stage as staging
from llmops.tasks.knowledge.build import Build
from llmops.tasks.knowledge.changes import Staged
from llmops.tasks.knowledge.plan import Plan
from llmops.tasks.ledger.leases import Lease
from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.embedders import Embedder
from llmops.tasks.plugins.stores import Store


@task
def recover(build: Build, lease: Lease) -> None:
    """Undo what an earlier build staged and did not publish."""
    session.clear_up(build, lease)


@task
def open_version(
    build: Build, lease: Lease, store: Spec, embedder: Spec, values: dict[str, Any]
) -> None:
    """Take the version's number, and open the collection to stage into."""
    versions.open_version(
        build.ledger,
        lease,
        build.kb,
        {"version": build.version, "parent": build.live, "collection": build.collection, **values},
    )
    staging.prepare(build, store.build(Store), embedder.build(Embedder))


@task
def publish(
    build: Build,
    lease: Lease,
    found: Plan,
    staged: list[Staged],
    retired: list[str],
    values: dict[str, Any],
) -> None:
    """Make the candidate live, in one transaction."""
    publishing.publish(build, lease, found, staged, retired, values)


@task
def settle(build: Build, lease: Lease, found: Plan, staged: list[Staged]) -> None:
    """Remember what a run that changes nothing has seen."""
    publishing.settle(build, lease, found, staged)


@task
def tidy(build: Build, lease: Lease, keep: int) -> None:
    """Forget versions beyond those that are kept."""
    session.tidy(build, lease, keep)
