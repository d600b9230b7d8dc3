"""What is to be said beside what `llmops deploy` does: what it leaves alone, and what people have
to do.
"""

import os
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

from llmops.deployments.changes import Change
from llmops.deployments.pools import Pool
from llmops.deployments.project import Project
from llmops.tasks.knowledge.handle import Handle, live_names
from llmops.tasks.ledger import existing_ledger

NO_SCHEDULE = (
    "no config has a schedule",
    'add `schedule: {cron: "0 3 * * *"}` to those that should',
)


def remarks(project: Project, pool: Pool, changes: Sequence[Change]) -> Iterator[str]:
    """A sentence each."""
    if not project.scheduled():
        yield ": ".join(NO_SCHEDULE)
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
    told = dict(_dropped(project, changes))
    for name, message, hint in unbuilt(project):
        told.setdefault(name, f"the knowledge base {name!r}: {message}; {hint}")
    yield from told.values()


def _dropped(project: Project, changes: Sequence[Change]) -> Iterator[tuple[str, str]]:
    """Those whose own schedule goes with this."""
    configured = {config.name for config in project.configs() if config.flow == "index"}
    for change in changes:
        gone = change.action == "remove" and change.flow == "index"
        here = (project.home / "ledger.db").exists() or "LLMOPS_LEDGER_URL" in os.environ
        if not (gone and here) or change.name in configured:
            continue
        if Handle(home=project.home, name=change.name).live():
            yield (
                change.name,
                f"nothing builds the knowledge base {change.name!r} any more; it stays as it is "
                f"until `llmops kb drop {change.name} --yes`",
            )


def unbuilt(project: Project) -> Iterator[tuple[str, str, str]]:
    """(name, what is to be said, hint) of each knowledge base that was built by a config of this
    project's folder, and is in none any more. Those of a comparison are meant to stay.
    """
    configs = project.configs()
    configured = {config.name for config in configs if config.flow == "index"}
    compared = tuple(f"{config.name}-" for config in configs if config.flow == "compare")
    for name in live_names(existing_ledger(project.home)):
        if name in configured or name.startswith(compared):
            continue
        live = Handle(home=project.home, name=name).live()
        folder = Path(live.config.get("folder", "/") if live else "/").resolve()
        if folder.is_relative_to(project.folder) and not folder.is_relative_to(project.home):
            yield (
                name,
                "no config builds it any more: readers and evaluations get its last version",
                f"if it was renamed, name the new one where it is asked; `llmops kb drop {name} "
                "--yes` removes it",
            )
