"""What is registered at the Prefect server for a project: one deployment per config with a
schedule, in one work pool. Looking first (`difference`), then doing it (`deploy`).
"""

import shlex
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from llmops.configs.alerts import AlertsConfig
from llmops.configs.reading import read
from llmops.configs.section import Schedule
from llmops.deployments.alerting.automations import (
    Verb,
    WantedAutomation,
    apply_automations,
    automation_changes,
    refuse_unknown,
)
from llmops.deployments.changes import Change, Deployed, Wanted
from llmops.deployments.pools import Pool, check_pool, create_pool
from llmops.deployments.project import Project, Scheduled
from llmops.deployments.remarks import remarks
from llmops.deployments.times import Cron, cron_for
from llmops.flows import server
from llmops.tasks.errors import ConfigError, Mistake, Unavailable

if TYPE_CHECKING:
    from uuid import UUID

    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.responses import DeploymentResponse

PAGE = 100
OPTIONS = {
    "index": ("allow_deletes", "full"),
    "evaluate": ("accept_cases",),
    "finetune": ("plan",),
    "train": ("plan",),
}
"""Switches of a flow that the form of a custom run in Prefect's pages offers."""


def deploy(project: Project, pool: Pool | None = None, *, plan: bool = False) -> Deployed:
    """Make the server hold what the project's configs say; with `plan`, only find what that takes.

    Connects to the user's Prefect server, else to the home's own. Raises ConfigError for wrong
    configs and for names that others have, before anything is changed; Unavailable where the
    server does not answer.
    """
    configs = project.scheduled()  # mistakes first: they need no server
    acting = wanted_automations(project)
    refuse_unknown(acting, [config.key for config in configs])
    pool = pool or Pool(project.pool)
    with client_of(project.home) as (client, url):
        missing = check_pool(client, pool)
        changes = difference(client, project, pool)
        if not plan:
            if missing and configs:
                create_pool(client, pool)
            for change in changes:
                _apply(client, project, pool, change)
        automations = automation_changes(client, project.name, acting, _ids(client, project))
        if not plan:
            apply_automations(client, automations)
        warnings = tuple(remarks(project, pool, changes))
        made = missing and bool(configs)
        return Deployed(project, pool, url, changes, made, plan, warnings, automations)


def _ids(client: "SyncPrefectClient", project: Project) -> "dict[str, UUID]":
    """Key -> id of the project's deployments that the server has."""
    return {f"{_flow(each)}/{each.name}": each.id for each in registered(client, *project.tags)}


def wanted_automations(project: Project) -> list[WantedAutomation]:
    """Of the rules that make Prefect do something. Raises ConfigError."""
    found = []
    for config in project.configs():
        if config.flow != "alerts":
            continue
        for rule in read(project.folder / config.file, AlertsConfig).rules:
            given: list[tuple[Verb, str | None]] = [("run", rule.run), ("pause", rule.pause)]
            steps = [(verb, key) for verb, key in given if key]
            if steps:
                found.append(WantedAutomation(rule.name, steps, config.file))
    return found


def difference(client: "SyncPrefectClient", project: Project, pool: Pool) -> list[Change]:
    """What the server has against what the configs say. Raises ConfigError where a name belongs to
    somebody else.
    """
    there = {f"{_flow(found)}/{found.name}": found for found in registered(client)}
    mine = {key: found for key, found in there.items() if owner(found) == project.name}
    mistakes = [
        m for c in project.scheduled() for m in _taken(client, project, c, there.get(c.key))
    ]
    if mistakes:
        raise ConfigError(mistakes)
    changes = [
        _change(project, pool, config, mine.get(config.key)) for config in project.scheduled()
    ]
    wanted = {config.key for config in project.scheduled()}
    for key, found in mine.items():
        if key not in wanted:
            schedule = schedule_of(found)
            changes.append(
                Change(
                    "remove",
                    _flow(found),
                    found.name,
                    _tag(found, "config"),
                    schedule,
                    id=str(found.id),
                )
            )
    return changes


def registered(client: "SyncPrefectClient", *tags: str) -> "list[DeploymentResponse]":
    """Every deployment of ours at the server, or those that carry all the tags."""
    from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterTags

    found: list[DeploymentResponse] = []
    by_tags = DeploymentFilter(tags=DeploymentFilterTags(all_=list(tags or ("llmops",))))
    while True:
        page = client.read_deployments(deployment_filter=by_tags, limit=PAGE, offset=len(found))
        found += page
        if len(page) < PAGE:
            return found


def owner(found: "DeploymentResponse") -> str:
    """The project that a deployment belongs to; empty for none."""
    return _tag(found, "project")


@contextmanager
def client_of(home: Path) -> Iterator[tuple["SyncPrefectClient", str]]:
    """A client of the Prefect server that this home uses, and its URL without a login. What the
    server does not take is Unavailable.
    """
    url = server.discreet(server.connect(home).url)
    # only now: Prefect reads its settings when it is imported
    from httpx import HTTPError
    from prefect import get_client
    from prefect.exceptions import PrefectException

    try:
        with get_client(sync_client=True) as client:
            yield client, url
    except (HTTPError, PrefectException) as error:
        reason = server.discreet(str(error).splitlines()[0] if str(error) else repr(error))
        detail = getattr(getattr(error, "response", None), "text", "")
        raise Unavailable(
            f"the Prefect server did not take or give something: {reason} {detail[:300]}".rstrip(),
            where=url,
            hint="see the server's log; `llmops status` says which server is used",
        ) from error


def _wanted(project: Project, pool: Pool, config: Scheduled) -> Wanted:
    """In a container the project lies in the folder that it starts in, and LLMOPS_HOME says where
    the home is.
    """
    if pool.type == "process":
        parameters: dict[str, object] = {
            "config": str(project.folder / config.file),
            "home": str(project.home),
        }
        command = shlex.join([sys.executable, "-m", "llmops.deployments.flow_run"])
        variables = {"working_dir": str(project.folder), "command": command, **pool.variables}
    else:
        parameters, variables = {"config": config.file}, dict(pool.variables)
    return Wanted(
        version=project.version(config.file),
        parameters=parameters,
        tags=sorted(config.tags),
        schedule=cron_for(config.schedule or Schedule(cron="@daily")),
        entrypoint=f"llmops.flows.{config.flow}.{config.flow}",
        work_pool_name=pool.name,
        job_variables=variables,
    )


def _change(
    project: Project, pool: Pool, config: Scheduled, found: "DeploymentResponse | None"
) -> Change:
    wanted = _wanted(project, pool, config)
    if found is None:
        return Change("create", config.flow, config.name, config.file, wanted.schedule)
    there = Wanted(
        version=found.version or "",
        parameters=found.parameters,
        tags=sorted(found.tags),
        schedule=schedule_of(found) or Cron("", ""),
        entrypoint=found.entrypoint or "",
        work_pool_name=found.work_pool_name or "",
        job_variables=found.job_variables or {},
    )
    changes = {
        key: (before, after)
        for key, before, after in zip(Wanted._fields, there, wanted, strict=True)
        if before != after
    }
    asleep = found.paused or not any(schedule.active for schedule in found.schedules)
    return Change(
        "update" if changes else "unchanged",
        config.flow,
        config.name,
        config.file,
        wanted.schedule,
        changes,
        paused=bool(found.schedules) and asleep,
        id=str(found.id),
    )


def _apply(client: "SyncPrefectClient", project: Project, pool: Pool, change: Change) -> None:
    from uuid import UUID

    if change.action == "remove":
        client.delete_deployment(UUID(str(change.id)))
    if change.action in ("remove", "unchanged"):
        return
    config = next(c for c in project.scheduled() if c.key == f"{change.flow}/{change.name}")
    wanted = _wanted(project, pool, config)
    if change.action == "create":
        _create(client, config, wanted)
    else:
        _update(client, change, wanted)


def _create(client: "SyncPrefectClient", config: Scheduled, wanted: Wanted) -> None:
    from prefect.client.schemas.actions import DeploymentScheduleCreate
    from prefect.client.schemas.schedules import CronSchedule

    schedule = CronSchedule(**wanted.schedule._asdict())
    client.create_deployment(
        client.create_flow_from_name(config.flow),
        config.name,
        **{key: value for key, value in wanted._asdict().items() if key != "schedule"},
        schedules=[DeploymentScheduleCreate(schedule=schedule)],
        description=f"`{config.file}`, registered by `llmops deploy`.",
        parameter_openapi_schema=_form(config.flow),
        enforce_parameter_schema=False,
    )


def _update(client: "SyncPrefectClient", change: Change, wanted: Wanted) -> None:
    """Only what differs: a schedule that is not mentioned keeps its age and its switch."""
    from uuid import UUID

    from prefect.client.schemas.actions import DeploymentScheduleUpdate, DeploymentUpdate
    from prefect.client.schemas.schedules import CronSchedule

    fields = wanted._asdict()
    values = {key: fields[key] for key in change.changes if key != "schedule"}
    values["description"] = f"`{change.config}`, registered by `llmops deploy`."
    if "schedule" in change.changes:
        schedule = CronSchedule(**wanted.schedule._asdict())
        values["schedules"] = [
            DeploymentScheduleUpdate(schedule=schedule, active=not change.paused)
        ]
    client.update_deployment(UUID(str(change.id)), DeploymentUpdate(**values))


def _form(flow: str) -> dict[str, object]:
    """What Prefect's pages ask for in a custom run."""
    switch = {"type": "boolean", "default": False}
    text = {"type": "string"}
    properties: dict[str, Mapping[str, object]] = {
        "config": text,
        "home": text,
        **dict.fromkeys(OPTIONS.get(flow, ()), switch),
    }
    titled = {
        key: {"title": key, "position": position, **kind}
        for position, (key, kind) in enumerate(properties.items())
    }
    return {"type": "object", "title": "Parameters", "properties": titled, "required": ["config"]}


def _taken(
    client: "SyncPrefectClient",
    project: Project,
    config: Scheduled,
    found: "DeploymentResponse | None",
) -> list[Mistake]:
    """Somebody else's deployment of that name."""
    from prefect.exceptions import ObjectNotFound

    where = f"{config.file}: schedule"
    if found is None:
        try:
            client.read_deployment_by_name(config.key)
        except ObjectNotFound:
            return []
        message = f"the server has a deployment {config.key!r} that llmops did not make"
        return [Mistake(message, where, "remove it there, or give this config another name")]
    if owner(found) != project.name:
        hint = (
            "give this config another name; if both are one project, set "
            f"LLMOPS_PROJECT={owner(found)}"
        )
        return [Mistake(f"{config.key!r} belongs to the project {owner(found)!r}", where, hint)]
    other = Path(str(found.parameters.get("config", "")))
    if other.is_absolute() and not other.is_relative_to(project.folder) and other.is_file():
        hint = f"set LLMOPS_PROJECT to another name than {project.name!r} in one of the two"
        return [Mistake(f"{config.key!r} is deployed from {other} already", where, hint)]
    return []


def _flow(found: "DeploymentResponse") -> str:
    return _tag(found, "flow")


def _tag(found: "DeploymentResponse", key: str) -> str:
    return next((tag[len(key) + 1 :] for tag in found.tags if tag.startswith(f"{key}:")), "")


def schedule_of(found: "DeploymentResponse") -> Cron | None:
    """Of a deployment with several, or with none by cron, the text of all of them."""
    crons = [getattr(each.schedule, "cron", "") for each in found.schedules]
    zones = [str(getattr(each.schedule, "timezone", "") or "UTC") for each in found.schedules]
    return Cron(" and ".join(crons), " and ".join(zones)) if crons else None
