"""Tasks that decide what there is to do."""

from pathlib import Path

from prefect import task

from tasks.knowledge import planning
from tasks.knowledge.build import Build, Part
from tasks.knowledge.plan import Plan
from tasks.plugins import Spec


@task
def plan(build: Build, sources: list[Spec], folder: Path) -> Plan:
    """List every source and compare it with the ledger."""
    return planning.plan(build, sources, folder)


@task
def cut(build: Build, found: Plan) -> list[Part]:
    """Cut the work into parts that one task run each can do."""
    return planning.parts(build, found)
