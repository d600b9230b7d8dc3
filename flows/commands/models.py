"""`llmops models …`: trained models, which of them is live, and the way back."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from llmops.flows.commands import _tables as draw
from llmops.flows.commands._options import home
from llmops.flows.console import Answer, answer, command, line

if TYPE_CHECKING:
    from rich.console import Console

app = typer.Typer(
    name="models",
    no_args_is_help=True,
    help="Trained models: versions, which one is live, and the way back.",
)
Name = Annotated[str, typer.Argument(metavar="NAME", help="The model: the name of its training.")]


@command(app, "list")
def list_() -> Answer:
    """List all trained models."""
    from llmops.tasks.models.registry import listed

    return answer(
        {"models": listed(home())},
        draw.table("models", empty="No model is trained yet: llmops train CONFIG"),
    )


@command(app, "show")
def show(name: Name) -> Answer:
    """Show the versions of a model, newest first: what each was trained on, and which is live."""
    from llmops.tasks.models.registry import overview

    return answer(overview(home(), name), _draw)


@command(app, "rollback")
def rollback(
    name: Name,
    to: Annotated[
        int | None, typer.Option("--to", min=1, help="An earlier version. Default: the one before.")
    ] = None,
) -> Answer:
    """Make the version before the live one live again, at once."""
    from llmops.tasks.models.moving import rollback as back

    moved = back(home(), name, to)
    was = moved["previous_version"]
    told = f"{name} is version {moved['version']} again ({moved['model']}; was {was})."
    return answer(moved, line(told))


def _draw(console: "Console", shown: Mapping[str, Any]) -> None:
    """A line per version, then the moves of the alias."""
    live = f"version {shown['live']} is live" if shown["live"] else "none is live"
    console.print(f"{shown['name']} ({shown['kind']}): {live}", markup=False, style="bold")
    rows = [
        [
            str(each["version"]),
            "yes" if each["live"] else "",
            each["model"],
            str(each["trainer"].get("name", "")),
            each["dataset"],
            each["created_at"][:19],
        ]
        for each in shown["versions"]
    ]
    heads = ["version", "live", "model", "trainer", "data set", "created"]
    draw.grid(console, heads, [[draw.printable(cell) for cell in row] for row in rows])
    for move in shown["moves"]:
        why = f" by decision {move['decision']}" if move["decision"] else ""
        told = f"{move['kind']}: {move['before'] or 'none'} → {move['to']}{why}, {move['who']}"
        console.print(f"  {move['moved_at'][:19]} {draw.printable(told)}", markup=False)
