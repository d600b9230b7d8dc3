"""Tasks that turn documents into passages with vectors."""

from prefect import task

from tasks.chunkers import Chunker
from tasks.embedders import Embedder
from tasks.knowledge import transform, vectors
from tasks.knowledge.build import Batch, Build
from tasks.plugins import Spec


@task(task_run_name="chunk {batch.part.number} of {batch.part.of}")
def chunk(build: Build, chunker: Spec, embedder: Spec, batch: Batch) -> Batch:
    """Split one batch of documents."""
    return transform.chunk(build, chunker.build(Chunker), embedder.build(Embedder), batch)


@task(task_run_name="embed {batch.part.number} of {batch.part.of}")
def embed(build: Build, embedder: Spec, batch: Batch) -> Batch:
    """Embed what the ledger does not know yet."""
    return vectors.embed(build, embedder.build(Embedder), batch)
