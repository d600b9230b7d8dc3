"""Tasks that hold documents and chunks against the suite of expectations."""

from pathlib import Path
from typing import Literal

from prefect import task

from llmops.tasks.knowledge import checking
from llmops.tasks.knowledge.build import Batch, Build
from llmops.tasks.knowledge.plan import Plan
from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.embedders import Embedder


@task(task_run_name="validate {kind} {batch.part.number} of {batch.part.of}")
def check_rows(
    build: Build, suite: Path, embedder: Spec, kind: Literal["documents", "chunks"], batch: Batch
) -> Batch:
    """Put the rows that fail into quarantine."""
    return checking.check_rows(
        build, checking.suite_of(suite, embedder.build(Embedder).max_tokens), kind, batch
    )


@task(name="validate the whole")
def check_whole(
    build: Build, suite: Path, embedder: Spec, found: Plan, batches: list[Batch]
) -> tuple[list[Batch], list[str], str]:
    """Judge the candidate as one table. Returns (what is left, warnings, the page of results)."""
    return checking.check_whole(
        build, checking.suite_of(suite, embedder.build(Embedder).max_tokens), found, batches
    )
