"""`llmops finetune`: from what people said to data sets that trainers can trust."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from llmops.flows.commands._options import Changes, Config, home
from llmops.flows.commands._tables import grid, printable
from llmops.flows.commands.train import CODES
from llmops.flows.commands.train import draw as draw_training
from llmops.flows.console import Answer, answer, command

if TYPE_CHECKING:
    from rich.console import Console

app = typer.Typer()
Facts = Mapping[str, Any]


@command(app, "finetune", long=True)
def finetune(
    config: Config,
    plan: Annotated[
        bool, typer.Option("--plan", help="Show what would be collected, and stop.")
    ] = False,
    train: Annotated[
        bool,
        typer.Option("--train", help="Then train what `train:` says, and let its gate decide."),
    ] = False,
    changes: Changes = None,
) -> Answer:
    """Make a data set of answers that people got, wrote and judged: collect, check, scrub and split
    them, and export a version in the formats of trainers.
    """
    from llmops.configs import read
    from llmops.configs.finetune import FinetuneConfig
    from llmops.configs.train import read_training
    from llmops.flows.running import run_flow
    from llmops.tasks.errors import ConfigError
    from llmops.tasks.training.published import waiting_for

    read_config = read(config, FinetuneConfig, changes or ())
    if absent := read_config.never_existed(str(config)):
        raise ConfigError(absent)
    training = read_training(config, changes or ()) if train else None
    outcome = run_flow(home(), read_config, plan=plan)
    if outcome["status"] == "blocked":
        return answer(outcome, draw, 3)
    if training is not None and plan and (waits := waiting_for(home(), training.train_spec())):
        outcome["warnings"] = [*outcome["warnings"], waits]
    elif training is not None:
        outcome["training"] = run_flow(home(), training, plan=plan)
        return answer(outcome, draw, CODES.get(outcome["training"]["status"], 0))
    return answer(outcome, draw)


def draw(console: "Console", outcome: Facts) -> None:
    """What became of the rows, a line per file, and what trainers would do without saying."""
    console.print(printable(outcome["headline"]), markup=False, style="bold")
    rows = {name: count for name, count in outcome["rows"].items() if count}
    for name, counts in {"rows": rows, "sources": outcome["sources"]}.items():
        if counts:
            text = ", ".join(
                f"{count:,} {what.replace('_', '-')}" for what, count in counts.items()
            )
            console.print(f"  {name:<11} {printable(text)}", markup=False)
    for why, count in outcome["rejected"].items():
        console.print(f"  {'rejected':<11} {count:,}: {printable(why)}", markup=False)
    files = [
        [f["format"], f["split"], f"{f['rows']:,}", f"{f['tokens']:,}", f["path"]]
        for f in outcome["files"]
    ]
    if files:
        grid(console, ["format", "side", "rows", "tokens", "file"], files)
    for target in outcome["targets"]:
        for line in _risks(target):
            console.print(f"  {target['format']:<11} {printable(line)}", markup=False)
    for name in ("reason", "hint", "folder", "quarantine"):
        if outcome[name]:
            console.print(f"  {name:<11} {printable(str(outcome[name]))}", markup=False)
    for warning in outcome["warnings"]:
        console.print(f"  warning     {printable(warning)}", markup=False)
    for name, link in outcome["links"].items():
        console.print(f"  {name:<11} {link}", markup=False)
    if outcome["training"]:
        draw_training(console, outcome["training"])


def _risks(target: Facts) -> list[str]:
    """What a target does not get, and what it would do."""
    lines = [f"{count:,} rows are not in it: {why}" for why, count in target["left_out"].items()]
    return lines + [
        f"{effect}: {count:,} records: {why}"
        for effect, reasons in target["risks"].items()
        for why, count in reasons.items()
    ]
