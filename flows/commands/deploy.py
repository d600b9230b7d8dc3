"""`llmops deploy`: register every config that has a schedule at the Prefect server."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from llmops.flows.commands._tables import grid, printable
from llmops.flows.console import Answer, answer, command

if TYPE_CHECKING:
    from rich.console import Console

app = typer.Typer()
SIGNS = {"create": "+", "update": "~", "remove": "-", "unchanged": "="}
PLANNED = {
    "create": "to create",
    "update": "to update",
    "remove": "to remove",
    "unchanged": "unchanged",
}
DONE = {"create": "created", "update": "updated", "remove": "removed", "unchanged": "unchanged"}
Facts = Mapping[str, Any]


@command(app, "deploy")
def deploy(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="The project: a folder of configs.")
    ] = Path(),
    plan: Annotated[
        bool, typer.Option("--plan", help="Show what would change at the server, and stop.")
    ] = False,
    pool: Annotated[
        str, typer.Option("--pool", metavar="NAME", help="The work pool; made when missing.")
    ] = "",
    pool_type: Annotated[
        str, typer.Option("--pool-type", metavar="TYPE", help="process, docker or kubernetes.")
    ] = "process",
    job_variables: Annotated[
        list[str] | None,
        typer.Option(
            "--job-variable", metavar="KEY=VALUE", help="For each run: --job-variable image=…"
        ),
    ] = None,
) -> Answer:
    """Register every config with a schedule at the Prefect server; remove those that are gone."""
    from llmops.deployments.deploy import deploy as register
    from llmops.deployments.pools import Pool
    from llmops.deployments.project import Project

    project = Project.at(folder)
    name = pool or (project.pool if pool_type == "process" else f"{project.pool}-{pool_type}")
    wanted = Pool(name, pool_type, _variables(job_variables or ()))
    return answer(register(project, wanted, plan=plan).public(), draw)


def _variables(given: Sequence[str]) -> dict[str, object]:
    """Values are read as YAML. Raises UsageError."""
    from llmops.tasks.errors import UsageError
    from llmops.tasks.yaml_files import NoYaml, read_yaml

    found: dict[str, object] = {}
    for each in given:
        key, sign, value = each.partition("=")
        try:
            found[key] = read_yaml(value)
        except NoYaml:
            sign = ""
        if not (key and sign):
            raise UsageError(
                f"got {each!r}, wanted key=value, the value as YAML",
                where="--job-variable",
                hint="--job-variable image=registry.example/team/llmops:1.2",
            )
    return found


def draw(console: "Console", found: Facts) -> None:
    """A line per deployment: what becomes of it, when it runs, what differs."""
    words = PLANNED if found["planned"] else DONE
    counts = ", ".join(f"{n} {words[kind]}" for kind, n in found["counts"].items() if n)
    headline = f"{found['project']}: {counts or 'nothing to do'} at {found['prefect']}"
    console.print(headline, markup=False, style="bold")
    rows = []
    for each in found["deployments"]:
        when = each["schedule"] or {"cron": "", "timezone": ""}
        rows.append(
            [
                f"{SIGNS[each['action']]} {each['action']}",
                f"{each['flow']}/{each['name']}",
                f"{when['cron']} {when['timezone']}".strip(),
                printable(each["config"]),
            ]
        )
    if rows:
        grid(console, ["", "deployment", "cron", "config"], rows)
    for each in found["deployments"]:
        for key, (before, after) in each["changes"].items():
            told = f"  {each['flow']}/{each['name']} {key}: {_told(before)} -> {_told(after)}"
            console.print(printable(told), markup=False)
    for each in found["automations"]:
        told = f"  automation  {SIGNS[each['action']]} {each['name']}"
        console.print(printable(told), markup=False)
    pool = found["pool"]
    made = ", new" if pool["created"] else ""
    console.print(f"  pool        {pool['name']} ({pool['type']}{made})", markup=False)
    for warning in found["warnings"]:
        console.print(f"  warning     {printable(warning)}", markup=False)


def _told(value: object) -> str:
    """A field of a deployment on one line."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key}={each}" for key, each in value.items()) or "none"
    if isinstance(value, list | tuple):
        return " ".join(map(str, value)) or "none"
    return str(value) or "none"
