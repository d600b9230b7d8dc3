"""Tasks that turn documents into passages with vectors."""

from prefect import task

from llmops.tasks.knowledge import embed as vectors
from llmops.tasks.knowledge import transform
from llmops.tasks.knowledge.build import Batch, Build
from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.chunkers import Chunker
from llmops.tasks.plugins.embedders import Embedder


@task(task_run_name="chunk {batch.part.number} of {batch.part.of}")
def chunk(build: Build, chunker: Spec, embedder: Spec, batch: Batch) -> Batch:
    """Split one batch of documents."""
    return transform.chunk(build, chunker.build(Chunker), embedder.build(Embedder), batch)


@task(task_run_name="embed {batch.part.number} of {batch.part.of}")
def embed(build: Build, embedder: Spec, batch: Batch) -> Batch:
    """Embed what the ledger does not know yet."""
    return vectors.embed(build, embedder.build(Embedder), batch)
