"""`llmops status`: what runs, what ran, what is next, and what wants a look."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from llmops.flows.commands._options import home
from llmops.flows.commands._tables import age, grid, printable
from llmops.flows.console import Answer, answer, command, line

if TYPE_CHECKING:
    from rich.console import Console

app = typer.Typer()
Facts = Mapping[str, Any]
NO_RUNS = ("alerts/", "serve/")
"""They are no flows: `up` runs them all the time, as the parts above say."""


@command(app, "status")
def status(
    folder: Annotated[
        Path | None,
        typer.Argument(
            metavar="FOLDER", help="The project; default: that of `up`, else this folder."
        ),
    ] = None,
    healthy: Annotated[
        bool,
        typer.Option(
            "--healthy", help="Ask only whether `up` runs and its parts are well: exit 0, else 1."
        ),
    ] = False,
) -> Answer:
    """Show parts, schedules, knowledge bases, spend and alerts; it works when nothing runs, too."""
    if healthy:
        return _healthy()
    from llmops.deployments.status import status as look

    return answer(look(home(), folder), draw)


def _healthy() -> Answer:
    """For the probes of container engines: what `up` has written down, and nothing else."""
    from llmops.deployments.up import record

    up = record.running(home())
    ill = [part.name for part in up.parts if not part.healthy] if up else []
    told = f"not well: {', '.join(ill)}" if ill else "well" if up else "`up` is not running"
    well = up is not None and not ill
    data = {"healthy": well, "up": up is not None, "not_well": ill}
    return answer(data, line(told), 0 if well else 1)


def draw(console: "Console", found: Facts) -> None:
    """A headline, and a table for each thing there is."""
    up = found["up"]
    runs = (
        f"`llmops up` runs: process {up['pid']}, since {_time(up['since'])}"
        if up
        else "`up` is not running"
    )
    console.print(f"{found['project'] or 'no project'}: {runs}", markup=False, style="bold")
    console.print(printable(f"home {found['home']}"), markup=False)
    _servers(console, found)
    if found["flows"]:
        rows = [
            [
                each["name"],
                f"✗ {printable(each['mistake'])}" if each["mistake"] else each["schedule"] or "-",
                _last(each),
                "paused" if each["paused"] else _time(each["next"]),
            ]
            for each in found["flows"]
        ]
        grid(console, ["flow", "schedule", "last", "next"], rows, folded=[1])
    if found["knowledge_bases"]:
        rows = [
            [
                base["name"],
                f"v{base['version']}",
                f"{base['documents']:,}",
                age(base["staleness_seconds"]),
                f"{base['quarantine']}",
            ]
            for base in found["knowledge_bases"]
        ]
        grid(console, ["knowledge base", "live", "documents", "listed", "quarantine"], rows)
    spend = found["spend"]
    if spend and (spend["calls"] or spend["usd"] or spend["budget_usd"] is not None):
        limit = f" of ${spend['budget_usd']:.2f}" if spend["budget_usd"] is not None else ""
        told = f"{spend['month']}: ${spend['usd']:.2f}{limit} spent, {spend['calls']:,} calls"
        console.print(told, markup=False)
    for alert in found["alerts"]:
        hint = f" ({alert['hint']})" if alert["hint"] else ""
        told = printable(f"! {alert['about']}: {alert['message']}{hint}")
        console.print(told, markup=False, style="red")


def _servers(console: "Console", found: Facts) -> None:
    parts = {part["name"]: part for part in found["parts"]}
    rows = []
    for server in found["servers"]:
        part = parts.pop(server["name"], None)
        health = _health(server["answers"]) if part is None else _of_part(part)
        rows.append([server["name"], health, server["url"] or "-", server["why"]])
    for name, part in parts.items():
        why = part["waits"] or (f"process {part['pid']}" if part["pid"] else "")
        rows.append([name, _of_part(part), part["url"] or "-", why])
    grid(console, ["part", "", "address", "why"], rows)


def _of_part(part: Facts) -> str:
    return "starts" if part["starting"] else _health(part["healthy"])


def _health(well: bool | None) -> str:
    return {True: "well", False: "down", None: "-"}[well]


def _last(each: Facts) -> str:
    if each["running"]:
        return "running"
    last = each["last"]
    if last:
        return f"{last['verdict'] or last['state']} {_time(last['at'])}"
    return "-" if each["name"].startswith(NO_RUNS) else "never"


def _time(text: str | None) -> str:
    """In the time zone of this machine."""
    from datetime import datetime

    return datetime.fromisoformat(text).astimezone().strftime("%Y-%m-%d %H:%M %Z") if text else "-"
