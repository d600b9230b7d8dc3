"""What is to be said beside what `llmops deploy` does: what it leaves alone, and what people have
to do.
"""

import os
from collections.abc import Iterator, Sequence
from importlib.util import find_spec

from llmops.deployments.changes import Change
from llmops.deployments.pools import Pool
from llmops.deployments.project import Project
from llmops.tasks.knowledge.handle import Handle


def remarks(project: Project, pool: Pool, changes: Sequence[Change]) -> Iterator[str]:
    """A sentence each."""
    if not project.scheduled():
        yield 'no config has a schedule: add `schedule: {cron: "0 3 * * *"}` to those that should'
    for change in changes:
        if change.paused:
            yield f"{change.flow}/{change.name} is switched off in Prefect; it stays so"
    yield from _twice_a_night(project)
    yield from _left_behind(project, changes)
    package = f"prefect_{pool.type}"
    if pool.type != "process" and find_spec(package) is None:
        yield (
            f"a worker of type {pool.type} needs prefect-{pool.type}: "
            f'pip install "llmops-pipelines[{pool.type}]", then '
            f"prefect worker start --pool {pool.name}"
        )
    if pool.type != "process" and not pool.variables.get("image"):
        yield "no image is named: --job-variable image=… (deployments/Dockerfile builds one)"


def _twice_a_night(project: Project) -> Iterator[str]:
    """Configs that run by their own schedule, and by that of a night which lists them."""
    own = {config.file: config for config in project.scheduled()}
    for night in (config for config in own.values() if config.flow == "nightly"):
        for file in project.parts_of(night):
            if file in own:
                yield f"{file} has a schedule of its own, and {night.file} runs it too"


def _left_behind(project: Project, changes: Sequence[Change]) -> Iterator[str]:
    """Knowledge bases that nothing builds any more: removed or renamed in their config."""
    configured = {config.name for config in project.configs() if config.flow == "index"}
    for change in changes:
        gone = change.action == "remove" and change.flow == "index"
        here = (project.home / "ledger.db").exists() or "LLMOPS_LEDGER_URL" in os.environ
        if not (gone and here) or change.name in configured:
            continue
        if Handle(home=project.home, name=change.name).live():
            yield (
                f"nothing builds the knowledge base {change.name!r} any more; it stays as it is "
                f"until `llmops kb drop {change.name} --yes`"
            )
