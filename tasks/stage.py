"""Tasks that write the candidate beside the live version."""

from prefect import task

from llmops.tasks.knowledge import changes
from llmops.tasks.knowledge import stage as staging
from llmops.tasks.knowledge.build import Batch, Build
from llmops.tasks.knowledge.changes import Staged
from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.embedders import Embedder
from llmops.tasks.plugins.stores import Store


@task(task_run_name="compare {batch.part.number} of {batch.part.of}")
def compare(build: Build, batch: Batch) -> Staged:
    """Find what one batch changes."""
    return changes.find_changes(build, batch)


@task(task_run_name="stage {staged.batch.part.number} of {staged.batch.part.of}")
def stage(build: Build, store: Spec, embedder: Spec, staged: Staged) -> None:
    """Write one batch's changes into the collection."""
    model = embedder.build(Embedder)
    changes.write_changes(build, staging.target(build, store.build(Store), model), model, staged)


@task
def retire(build: Build, store: Spec, embedder: Spec, doc_ids: list[str]) -> int:
    """Take the chunks of documents that are gone out of the collection."""
    model = embedder.build(Embedder)
    return staging.retire(build, staging.target(build, store.build(Store), model), model, doc_ids)


@task
def seal(build: Build, store: Spec, embedder: Spec, expected: int) -> str:
    """Make the candidate searchable, and make sure that it holds what it should."""
    model = embedder.build(Embedder)
    return staging.seal(build, staging.target(build, store.build(Store), model), expected)
