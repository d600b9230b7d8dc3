"""Tasks that decide what there is to do."""

from collections.abc import Sequence
from pathlib import Path

from prefect import task

from llmops.tasks.knowledge import corpus as survey
from llmops.tasks.knowledge import planning
from llmops.tasks.knowledge.build import Batch, Build, Part
from llmops.tasks.knowledge.plan import Plan
from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.cleaners import Cleaner


@task
def plan(build: Build, sources: list[Spec], folder: Path) -> Plan:
    """List every source and compare it with the ledger."""
    return planning.plan(build, sources, folder)


@task
def cut(build: Build, found: Plan, done: Sequence[Part] = ()) -> list[Part]:
    """Cut the work into parts that one task run each can do; `done`: those that were cut before."""
    return planning.parts(build, found, done)


@task(task_run_name="judge {turn}")
def judge(build: Build, cleaners: list[Spec], turn: int, found: Plan, batches: list[Batch]) -> Plan:
    """Compare all documents with each other; that may give more to do."""
    return survey.judge(build, [spec.build(Cleaner) for spec in cleaners], turn, found, batches)
