"""Tasks that bring documents in."""

from functools import cache
from pathlib import Path
from typing import Any

from prefect import task

from llmops.tasks.knowledge import collect as intake
from llmops.tasks.knowledge import corpus as survey
from llmops.tasks.knowledge import planning, transform
from llmops.tasks.knowledge.build import Batch, Build, Part
from llmops.tasks.knowledge.parser_pool import ParserPool
from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.cleaners import Cleaner

PROCESSES = 2


@cache
def pool(*, seconds: float, memory_mb: int, max_chars: int) -> ParserPool:
    """One pool of parsers for all tasks of a process; its workers end with the process."""
    return ParserPool(workers=PROCESSES, seconds=seconds, memory_mb=memory_mb, max_chars=max_chars)


@task(task_run_name="collect {part.number} of {part.of}: {part.source}")
def collect(build: Build, source: Spec, folder: Path, limits: dict[str, Any], part: Part) -> Batch:
    """Read and parse one part of a source."""
    return intake.collect(build, planning.source_of(build, source, folder), pool(**limits), part)


@task(task_run_name="sketch {batch.part.number} of {batch.part.of}")
def sketch(build: Build, cleaners: list[Spec], turn: int, batch: Batch) -> Batch:
    """Clean one batch as far as the next cleaner that compares documents, and sketch it for
    that.
    """
    return survey.sketch(build, [spec.build(Cleaner) for spec in cleaners], turn, batch)


@task(task_run_name="clean {batch.part.number} of {batch.part.of}")
def clean(build: Build, cleaners: list[Spec], batch: Batch) -> Batch:
    """Clean one batch of texts."""
    return transform.clean(build, [spec.build(Cleaner) for spec in cleaners], batch)
