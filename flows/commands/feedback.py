"""`llmops feedback`: what people should look at, and what comes of what they said."""

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


@command(app, "feedback", long=True)
def feedback(config: Config, changes: Changes = None) -> Answer:
    """Put answers that people should look at into the review queue, and bring what they said to
    golden questions, cases, curated answers and training rows.
    """
    from llmops.configs import read
    from llmops.configs.feedback import FeedbackConfig
    from llmops.flows.running import run_flow

    return answer(run_flow(home(), read(config, FeedbackConfig, changes or ())), draw)


def draw(console: "Console", outcome: Facts) -> None:
    """The queue, what people settled on, and a line per file."""
    triage, review, written = outcome["triage"], outcome["review"], outcome["written"]
    told = f"{outcome['app']}: {triage['looked']} new traces, {triage['added']} put into the queue"
    console.print(printable(f"{told} {review['queue']}"), markup=False, style="bold")
    lines = {
        "because": triage["reasons"],
        "queue": review["states"],
        "settled": written["settled"],
        "open": written["open"],
        "curated": {name: count for name, count in (written["curated"] or {}).items() if count},
    }
    for name, counts in lines.items():
        if counts:
            text = ", ".join(f"{count} {what}" for what, count in counts.items())
            console.print(f"  {name:<11} {printable(text)}", markup=False)
    rows = [
        [each["kind"], str(each["rows"]), each["status"], each["path"]] for each in written["files"]
    ]
    grid(console, ["file", "rows", "state", "path"], rows)
    for warning in outcome["warnings"]:
        console.print(f"  warning     {printable(warning)}", markup=False)
    for name, link in outcome["links"].items():
        console.print(f"  {name:<11} {link}", markup=False)
