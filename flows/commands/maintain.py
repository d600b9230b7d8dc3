"""`llmops maintain`: frees what no longer is needed, and backs up what is kept."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmops.flows.commands._options import Changes, home
from llmops.flows.commands._tables import Facts, grid, printable
from llmops.flows.console import Answer, answer, command

if TYPE_CHECKING:
    from rich.console import Console

app = typer.Typer()
NAME = "home"
"""Of a run without a config."""


@command(app, "maintain", long=True)
def maintain(
    config: Annotated[
        Path | None,
        typer.Argument(metavar="CONFIG", help="A config of `flow: maintain`; else its defaults."),
    ] = None,
    changes: Changes = None,
) -> Answer:
    """Free what no kept version of any knowledge base needs, forget old outcomes of runs, and make
    a backup where the config says so.
    """
    from llmops.configs import read, read_mapping
    from llmops.configs.maintain import MaintainConfig
    from llmops.flows.running import run_flow

    given = (
        read(config, MaintainConfig, changes or ())
        if config
        else read_mapping({"name": NAME}, MaintainConfig)
    )
    outcome = run_flow(home(), given)
    return answer(outcome, draw, 1 if outcome["status"] == "parts_failed" else 0)


def draw(console: "Console", outcome: Facts) -> None:
    """The headline, and a line per part."""
    console.print(printable(outcome["headline"]), markup=False, style="bold")
    rows = [
        [each["what"], each["status"], f"{each['bytes'] / 1e6:,.1f} MB", each["told"]]
        for each in outcome["parts"]
    ]
    grid(console, ["part", "status", "size", "what came of it"], rows, folded=[3])
    for warning in outcome["warnings"]:
        console.print(f"  warning     {printable(warning)}", markup=False)
    for name, link in outcome["links"].items():
        console.print(f"  {name:<11} {link}", markup=False)
