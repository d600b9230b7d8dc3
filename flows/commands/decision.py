"""`llmops decision …`: stored decisions, and whether they stand."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmops.flows.commands import _tables as draw
from llmops.flows.console import Answer, command

if TYPE_CHECKING:
    from rich.console import Console

    from llmops.tasks.decisions.decision import Content
    from llmops.tasks.decisions.verify import Recomputed

app = typer.Typer(
    name="decision",
    no_args_is_help=True,
    help="Decisions of evaluations: list, show, compute again.",
)

Place = Annotated[
    str,
    typer.Argument(
        metavar="ID|FILE", help="The id of a decision of this home, or the file of one."
    ),
]


@command(app, "verify")
def verify(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A decision record (JSON).")],
) -> Answer:
    """Compute the verdict again from the record alone; exit 1 if it does not stand."""
    from llmops.tasks.decisions.verify import verify as check

    checked = check(file)
    return Answer(
        {**checked},
        lambda console: _verified(console, checked),
        exit_code=0 if checked["ok"] else 1,
    )


@command(app, "show")
def show(
    decision: Place,
    markdown: Annotated[
        bool,
        typer.Option(
            "--markdown", help="Print the Markdown summary, as `llmops evaluate --ci` does."
        ),
    ] = False,
) -> Answer:
    """Show a decision."""
    from llmops.flows.commands._evaluated import decision as drawn
    from llmops.tasks.decisions.decision import read_decision
    from llmops.tasks.decisions.summary import summary_markdown

    content = _read(decision)
    record = read_decision(content, decision)
    if markdown:
        return Answer(
            content,
            lambda console: console.print(
                summary_markdown(record), markup=False, highlight=False, soft_wrap=True
            ),
        )
    return Answer(content, lambda console: drawn(console, record))


@command(app, "list")
def list_(
    name: Annotated[str | None, typer.Option("--name", help="Of one evaluation.")] = None,
) -> Answer:
    """List the decisions of this home, newest first."""
    from llmops.configs.settings import settings
    from llmops.tasks.decisions.record import listed

    decisions = listed(settings().absolute_home, name)
    return Answer(
        {"decisions": decisions},
        lambda console: draw.rows(
            console,
            decisions,
            ["id", "name", "verdict", "created_at", "mlflow_run_id"],
            empty="No decision has been made here.",
        ),
    )


def _verified(console: "Console", checked: "Recomputed") -> None:
    stands = "The decision stands" if checked["ok"] else "The decision does not stand"
    console.print(
        f"{stands}: {draw.printable(str(checked['name']))}, {checked['verdict']}",
        markup=False,
        style="bold",
    )
    for problem in checked["problems"]:
        console.print(f"  {draw.printable(problem)}", markup=False)


def _read(decision: str) -> "Content":
    """A file where there is one of that name, else a decision of this home."""
    from llmops.configs.settings import settings
    from llmops.tasks.decisions.record import find, listed, load
    from llmops.tasks.errors import UsageError

    path = Path(decision)
    if path.is_file():
        return load(path)
    home = settings().absolute_home
    record = find(home, decision)
    if record is None:
        known = ", ".join(str(each["id"]) for each in listed(home)[:5]) or "none"
        raise UsageError(
            f"no decision and no file {decision!r}", hint=f"decisions of this home: {known}"
        )
    return record
