"""`llmops nightly`: the configs of a night, one after the other, in one run."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import typer

from llmops.flows.commands._options import Changes, Config, home
from llmops.flows.commands._tables import grid, printable
from llmops.flows.console import Answer, answer, command

if TYPE_CHECKING:
    from rich.console import Console

app = typer.Typer()
Facts = Mapping[str, Any]


@command(app, "nightly", long=True)
def nightly(config: Config, changes: Changes = None) -> Answer:
    """Run what a night's config lists: builds, evaluations and more; a failure stops no other."""
    from llmops.configs import read
    from llmops.configs.nightly import NightlyConfig
    from llmops.flows.running import run_flow
    from llmops.tasks.errors import ConfigError

    chosen = read(config, NightlyConfig, changes or ())
    if wrong := chosen.unreadable(str(config)):
        raise ConfigError(wrong)
    night = run_flow(home(), chosen)
    return answer(night, draw, int(night["exit_code"]))


def draw(console: "Console", night: Facts) -> None:
    """The headline, and a line per part."""
    console.print(printable(night["headline"]), markup=False, style="bold")
    rows = [
        [
            "✗" if part["failed"] else "✓",
            f"{part['flow']} {part['name']}",
            part["status"],
            f"{part['seconds']:.1f} s",
            f"${part['cost_usd']:.4f}",
        ]
        for part in night["parts"]
    ]
    grid(console, ["", "part", "status", "took", "cost"], rows)
    for part in night["parts"]:
        told = [*([part["headline"], part["hint"]] if part["failed"] else []), *part["notes"]]
        for line in filter(None, told):
            console.print(f"  {part['name']}: {printable(line)}", markup=False)
    for warning in night["warnings"]:
        console.print(f"  warning     {printable(warning)}", markup=False)
    for name, link in night["links"].items():
        console.print(f"  {name:<11} {link}", markup=False)
