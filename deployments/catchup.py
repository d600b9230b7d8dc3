"""What nobody works on any more, and what was missed, before a worker of the project starts: runs
that were cut are marked and run again once, and of what piled up one run remains.

`python -m llmops.deployments.catchup [FOLDER]` does it and says so, a line per thing done.
"""

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from llmops.deployments.deploy import client_of, registered, schedule_of
from llmops.deployments.missed import (
    CatchUpStep,
    Fate,
    KnownDeployment,
    KnownRun,
    skewed,
    steps_for,
)
from llmops.deployments.project import Project
from llmops.tasks.errors import LlmopsError
from llmops.tasks.ledger import existing_ledger
from llmops.tasks.ledger.slots import here_and_alive

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.objects import FlowRun, State
    from prefect.client.schemas.responses import DeploymentResponse

RERUN = "llmops:rerun"
"""Tag of a run that takes the place of one that was cut: it is not run a third time."""
CAUGHT_UP = "llmops:caught-up"
BEATS = 3
"""A worker that missed so many heartbeats is gone."""
PAGE = 200


@dataclass(frozen=True)
class CaughtUp:
    """What was done, and what is to be said beside it."""

    steps: Sequence[CatchUpStep] = ()
    warnings: Sequence[str] = field(default_factory=tuple)


def catch_up(project: Project) -> CaughtUp:
    """Do it for the deployments of a project; no worker of it may run on this machine.

    Raises Unavailable where the server does not answer, ConfigError never: configs are not read.
    """
    with client_of(project.home) as (client, url):
        now = server_time(client)
        warnings = list(skewed(now, datetime.now(UTC), url))
        others = other_workers(client, project, now)
        deployments = registered(client, *project.tags)
        steps = []
        for found in deployments:
            facts = _facts(client, project, found, now, others)
            for step in steps_for(facts, now):
                _do(client, step)
                steps.append(step)
    return CaughtUp(steps, warnings)


def server_time(client: "SyncPrefectClient") -> datetime:
    """By the clock that the schedules go by, to the second; this machine's where it is not told."""
    from email.utils import parsedate_to_datetime

    told = client._client.get("/health").headers.get("date")
    return parsedate_to_datetime(told).astimezone(UTC) if told else datetime.now(UTC)


def other_workers(client: "SyncPrefectClient", project: Project, now: datetime) -> list[str]:
    """Workers of the project's pools on other machines that have given a sign of life lately."""
    names = {found.work_pool_name for found in registered(client, *project.tags)}
    found = []
    for pool in sorted(name for name in names if name):
        for worker in client.read_workers_for_work_pool(pool):
            beat, every = worker.last_heartbeat_time, worker.heartbeat_interval_seconds or 30
            fresh = beat is not None and now - beat < timedelta(seconds=BEATS * every)
            if fresh and worker.name != project.worker:
                found.append(worker.name)
    return found


def _facts(
    client: "SyncPrefectClient",
    project: Project,
    found: "DeploymentResponse",
    now: datetime,
    others: Sequence[str],
) -> KnownDeployment:
    active = [schedule for schedule in found.schedules if schedule.active]
    ages = [schedule.created or found.created or now for schedule in active]
    return KnownDeployment(
        id=str(found.id),
        name=f"{next((t[5:] for t in found.tags if t.startswith('flow:')), '')}/{found.name}",
        when=schedule_of(found) if len(active) == 1 and not found.paused else None,
        since=max(ages, default=now),
        runs=[_run(each, project, now, others) for each in _runs(client, found)],
    )


def _runs(client: "SyncPrefectClient", found: "DeploymentResponse") -> "Iterable[FlowRun]":
    """All that have not ended, oldest first, and the last that began."""
    from prefect.client.schemas import filters
    from prefect.client.schemas.objects import StateType
    from prefect.client.schemas.sorting import FlowRunSort

    of = filters.DeploymentFilter(id=filters.DeploymentFilterId(any_=[found.id]))
    alive = [StateType.SCHEDULED, StateType.PENDING, StateType.RUNNING, StateType.CANCELLING]
    state = filters.FlowRunFilterState(type=filters.FlowRunFilterStateType(any_=alive))
    runs: list[FlowRun] = []
    while True:
        page = client.read_flow_runs(
            deployment_filter=of,
            flow_run_filter=filters.FlowRunFilter(state=state),
            sort=FlowRunSort.EXPECTED_START_TIME_ASC,
            limit=PAGE,
            offset=len(runs),
        )
        runs += page
        if len(page) < PAGE:
            break
    newest = FlowRunSort.START_TIME_DESC
    started = filters.FlowRunFilter(start_time=filters.FlowRunFilterStartTime(is_null_=False))
    last = client.read_flow_runs(
        deployment_filter=of, flow_run_filter=started, sort=newest, limit=1
    )
    return [*runs, *(run for run in last if run.id not in {each.id for each in runs})]


def _run(found: "FlowRun", project: Project, now: datetime, others: Sequence[str]) -> KnownRun:
    kind = found.state_type.value if found.state_type else ""
    expected = found.next_scheduled_start_time or found.expected_start_time or now
    fate: Fate = "ended"
    if kind == "SCHEDULED":
        fate = "due" if expected <= now else "waiting"
    elif kind in ("RUNNING", "PENDING", "CANCELLING"):
        alive = here_and_alive(existing_ledger(project.home), str(found.id))
        elsewhere = alive is None and bool(others)  # they may be at it
        cut: Fate = "cancelling" if kind == "CANCELLING" else "cut"
        fate = "running" if alive or elsewhere else cut
    return KnownRun(
        id=str(found.id),
        name=found.name,
        fate=fate,
        expected=expected,
        began=found.start_time,
        scheduled=bool(found.auto_scheduled),
        rerun=RERUN in found.tags,
    )


def _do(client: "SyncPrefectClient", step: CatchUpStep) -> None:
    if step.run and (state := _state(step)):
        client.set_flow_run_state(UUID(step.run.id), state, force=True)
    if step.what in ("rerun", "start"):
        given = client.read_flow_run(UUID(step.run.id)).parameters if step.run else {}
        tag = RERUN if step.what == "rerun" else CAUGHT_UP
        client.create_flow_run_from_deployment(
            UUID(step.deployment.id), parameters=given, tags=[tag], idempotency_key=step.key
        )


def _state(step: CatchUpStep) -> "State[None] | None":
    from prefect.states import Cancelled, Crashed

    why = f"{step.run.name if step.run else ''} {step.why}".strip()
    if step.what == "crash":
        return Crashed(message=why)
    if step.what == "miss":
        return Cancelled(name="Missed", message=why)
    return Cancelled(message=why) if step.what == "cancel" else None


def main(arguments: Sequence[str]) -> int:
    """Returns the exit code."""
    try:
        done = catch_up(Project.at(Path(arguments[0]) if arguments else None))
    except LlmopsError as error:
        sys.stderr.write(f"Error: {error}\n")
        return error.exit_code
    for line in (*done.warnings, *map(str, done.steps)):
        sys.stdout.write(f"{line}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
