"""`llmops score`: a sample of what an application has answered, scored."""

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


@command(app, "score", long=True)
def score(config: Config, changes: Changes = None) -> Answer:
    """Score a sample of an application's traces. MLflow has the scores on each trace, and as curves
    over time.
    """
    from llmops.configs import read
    from llmops.configs.score import ScoreConfig
    from llmops.flows.running import run_flow

    return answer(run_flow(home(), read(config, ScoreConfig, changes or ())), draw)


def draw(console: "Console", scores: Facts) -> None:
    """The counts, and a line per metric."""
    told = f"{scores['app']}: {scores['traces']} of {scores['chosen']} traces scored"
    console.print(printable(told), markup=False, style="bold")
    rows = [
        [
            name,
            "" if each["value"] is None else f"{each['value']:.3f}",
            "{:.3f} to {:.3f}".format(*each["interval"]) if each["interval"] else "",
            str(each["scored"]),
            str(each["unscored"]),
            str(each["failed"]),
        ]
        for name, each in scores["metrics"].items()
    ]
    heads = ["metric", f"{scores['days']:g} days", "95 % interval", "traces", "unscored", "failed"]
    grid(console, heads, rows)
    for warning in scores["warnings"]:
        console.print(f"  warning     {printable(warning)}", markup=False)
    for name, link in scores["links"].items():
        console.print(f"  {name:<11} {link}", markup=False)
