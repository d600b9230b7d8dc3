"""`llmops init`, `llmops up`, `llmops ui`, `llmops down`: a project that runs by itself, its pages,
and its end.
"""

import json
import sys
import webbrowser
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmops.flows.commands._options import home
from llmops.flows.console import Answer, answer, command, line
from llmops.flows.interrupts import INTERRUPTED

if TYPE_CHECKING:
    from llmops.deployments.up.keeper import UpPart
    from llmops.deployments.up.record import PartRecord

app = typer.Typer()
Base = Annotated[
    int | None,
    typer.Option(
        "--port-base",
        metavar="N",
        min=1,
        max=65_000,
        help="Ports N, N+1, … for the parts; without it those of last time, or free ones.",
    ),
]


@command(app, "init")
def init(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Where to; made when missing.")
    ] = Path(),
) -> Answer:
    """Write a starter project: configs, prompts, questions, a workflow for pull requests."""
    from llmops.deployments.starter import write_starter

    done = write_starter(folder)
    lines = [f"written  {file}" for file in done["written"]]
    lines += [f"kept     {file}: it was there before" for file in done["kept"]]
    inside = "" if folder == Path() else f"cd {folder}, then "
    lines += [f"next     {inside}llmops up"]
    return answer(done, line("\n".join(lines)))


@command(app, "up")
def up(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="The project: a folder of configs.")
    ] = Path(),
    port_base: Base = None,
) -> Answer:
    """Run servers, worker and all schedules of a project in the foreground, until Ctrl-C."""
    from llmops.deployments.project import Project
    from llmops.deployments.up.running import up as run

    project = Project.at(folder)
    in_order = run(project, _shown(), port_base=port_base, log_shown="--quiet" not in sys.argv)
    text = "Everything has ended." if in_order else "Ended at once; the next `up` clears up."
    return answer({"ended": True, "in_order": in_order}, line(text), 0 if in_order else INTERRUPTED)


def _shown() -> "Callable[[PartRecord, UpPart], None]":
    """A line per part when it answers, on standard output."""
    as_json, quiet = "--json" in sys.argv, "--quiet" in sys.argv

    def show(record: "PartRecord", part: "UpPart") -> None:
        if as_json:
            told = {"name": record.name, "url": record.url, "healthy": True, "pid": record.pid}
            sys.stdout.write(json.dumps(told) + "\n")
        elif not quiet:
            where = "  ".join(each for each in (record.url, part.detail, record.waits) if each)
            sys.stdout.write(f"{record.name}  {where}\n")
        sys.stdout.flush()

    return show


@command(app, "ui")
def ui(
    no_open: Annotated[
        bool, typer.Option("--no-open", help="Print the addresses, and open no browser.")
    ] = False,
) -> Answer:
    """Open the pages of Prefect and MLflow; without `llmops up`, serve them until Ctrl-C."""
    from llmops.deployments.up.pages import running_pages, serve_pages

    def shown(addresses: dict[str, str]) -> None:
        for name, url in addresses.items():
            if url and not ("--json" in sys.argv or "--quiet" in sys.argv):
                sys.stdout.write(f"{name}  {url}\n")
                sys.stdout.flush()
            if url and not no_open:
                webbrowser.open(url)

    addresses = running_pages(home())
    if addresses is not None:
        shown(addresses)
    else:
        if "--quiet" not in sys.argv:
            told = "The pages are being started, which takes some seconds; Ctrl-C ends them."
            sys.stderr.write(f"{told}\n")
        addresses = serve_pages(home(), shown)
    return Answer({"pages": addresses})


@command(app, "down")
def down() -> Answer:
    """End the `llmops up` of this home, or its background Prefect server."""
    from llmops.deployments.up.record import end_up
    from llmops.flows import server

    pid = end_up(home())
    stopped = server.stop(home()) or pid is not None
    told = f"`llmops up` (process {pid}) has ended." if pid else "The Prefect server has ended."
    return answer(
        {"stopped": stopped, "up": pid},
        line(told if stopped else f"Nothing was running for {home()}."),
    )
