"""`llmops prompts …`: prompts in files and in MLflow's registry, and how their aliases move."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmops.flows.commands import _prompts as draw
from llmops.flows.console import Answer, command

if TYPE_CHECKING:
    from llmops.tasks.decisions.decision import Content

app = typer.Typer(
    name="prompts",
    no_args_is_help=True,
    help="Prompts: files and registry in step, aliases that move by a decision.",
)

Which = "NAME (its latest version), NAME@alias, NAME/3, or a file."
Reference = Annotated[str, typer.Argument(metavar="PROMPT", help=Which)]
Name = Annotated[str, typer.Argument(metavar="NAME", help="The prompt.")]
Alias = Annotated[str, typer.Option("--alias", help="The alias that moves.")]


@command(app, "list")
def list_(
    folder: Annotated[
        Path | None,
        typer.Argument(
            metavar="FOLDER",
            help="Of the prompt files. Default: prompts, configs/prompts, or the current folder.",
        ),
    ] = None,
) -> Answer:
    """List files and registry side by side: what is in step, and what has to be pushed or
    pulled.
    """
    from llmops.tasks.prompts.sync import files_in, status

    rows = status(_home(), files_in(folder))
    return Answer({"prompts": rows}, lambda console: draw.status(console, rows))


@command(app, "show")
def show(prompt: Reference) -> Answer:
    """Show a prompt: its messages, variables, settings and hash."""
    from llmops.tasks.prompts.references import resolve_short

    resolved = resolve_short(_home(), prompt, Path())
    return Answer({**draw.facts(resolved)}, lambda console: draw.prompt(console, resolved))


@command(app, "diff")
def diff(
    first: Annotated[str, typer.Argument(metavar="A", help=Which)],
    second: Annotated[str, typer.Argument(metavar="B", help=Which)],
) -> Answer:
    """Show what two prompts differ in: messages, variables, settings and schema."""
    from llmops.tasks.prompts.references import resolve_short
    from llmops.tasks.prompts.writing import changed, unified

    before, after = (resolve_short(_home(), text, Path()) for text in (first, second))
    differing = changed(before.prompt, after.prompt)
    difference = unified(before.prompt, after.prompt, (before.uri, after.uri))
    answer = {
        "from": before.uri,
        "to": after.uri,
        "same": not differing,
        "changed": differing,
        "diff": difference,
    }
    said = f"{before.uri} and {after.uri} say the same." if not differing else difference
    return Answer(answer, lambda console: draw.difference(console, said))


@command(app, "push")
def push(
    paths: Annotated[
        list[Path], typer.Argument(metavar="PATH…", help="Prompt files, or folders of them.")
    ],
    message: Annotated[
        str, typer.Option("--message", "-m", help="Why; kept with new versions.")
    ] = "",
) -> Answer:
    """Put prompts into the registry; a text that is a version already makes no new one."""
    from llmops.tasks.prompts.reading import read_prompts
    from llmops.tasks.prompts.registry import push_all
    from llmops.tasks.prompts.sync import one_file_each

    files = one_file_each(read_prompts(paths))
    pushed = push_all(_home(), [prompt for _, prompt in files], note=message)
    rows = [
        {
            "name": each.resolved.prompt.name,
            "version": each.resolved.version,
            "uri": each.resolved.uri,
            "made": each.made,
            "sha256": each.resolved.prompt.sha256,
            "file": str(file),
        }
        for (file, _), each in zip(files, pushed, strict=True)
    ]
    return Answer(
        {"prompts": rows, "made": sum(each.made for each in pushed)},
        lambda console: draw.pushed(console, rows),
    )


@command(app, "pull")
def pull(
    prompt: Annotated[
        str,
        typer.Argument(metavar="PROMPT", help="NAME (its latest version), NAME@alias or NAME/3."),
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", help="The file. Default: where the prompt is, or NAME.yaml."),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Also overwrite changes that were never pushed.")
    ] = False,
) -> Answer:
    """Write a version of the registry as a file."""
    from llmops.tasks.errors import Unavailable, disk_trouble
    from llmops.tasks.prompts.references import resolve_short
    from llmops.tasks.prompts.sync import pull as write

    try:
        pulled = write(_home(), resolve_short(_home(), prompt, Path()), out, force)
    except OSError as error:
        raise disk_trouble(error) or Unavailable(
            f"the file cannot be written: {error.strerror or error}",
            where=str(out or error.filename or ""),
            hint="say with --out where you may write",
        ) from error
    done = "is written" if pulled["written"] else "says that already"
    said = f"{pulled['uri']}: {pulled['file']} {done}."
    return Answer({**pulled}, lambda console: console.print(said, markup=False))


@command(app, "history")
def history(name: Name) -> Answer:
    """List the versions, and every move of an alias with its decision."""
    from llmops.tasks.decisions.promotion import history as history_of

    told = history_of(_home(), name)
    return Answer({**told}, lambda console: draw.history(console, told))


@command(app, "promote")
def promote(
    name: Name,
    version: Annotated[
        int | None, typer.Option("--version", min=1, help="Default: the one that was evaluated.")
    ] = None,
    decision: Annotated[
        str | None,
        typer.Option("--decision", help="A decision that says promote: its file, or its id."),
    ] = None,
    alias: Alias = "champion",
    first: Annotated[
        bool, typer.Option("--first", help="Set an alias that was never set; needs no decision.")
    ] = False,
) -> Answer:
    """Move an alias to a version, by a decision."""
    from llmops.tasks.decisions import promotion
    from llmops.tasks.errors import UsageError

    if (decision is None) == (not first):
        raise UsageError(
            "a decision is wanted: --decision FILE"
            if decision is None
            else "--first needs no decision",
            hint="llmops evaluate CONFIG makes one; --first sets an alias that was never set",
        )
    if decision is not None:
        moved = promotion.promote(_home(), _record(decision), name, alias, version=version)
    elif version is None:
        raise UsageError(
            "which version?", hint=f"--version N; llmops prompts history {name} lists them"
        )
    else:
        moved = promotion.first(_home(), name, alias, version)
    return Answer(moved.content(), lambda console: draw.move(console, moved))


@command(app, "rollback")
def rollback(
    name: Name,
    alias: Alias = "champion",
    to: Annotated[
        int | None, typer.Option("--to", min=1, help="An earlier holder. Default: the one before.")
    ] = None,
) -> Answer:
    """Move an alias back to the version that held it before."""
    from llmops.tasks.decisions.promotion import rollback as back

    moved = back(_home(), name, alias, to)
    return Answer(moved.content(), lambda console: draw.move(console, moved))


def _record(decision: str) -> "Content":
    """The record in a file, or the one with that id in the ledger."""
    from llmops.tasks.decisions.record import find, load

    known = find(_home(), decision) if not Path(decision).exists() else None
    return known if known is not None else load(Path(decision))


def _home() -> Path:
    from llmops.configs.settings import settings

    return settings().absolute_home
