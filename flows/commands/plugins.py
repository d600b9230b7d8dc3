"""`llmops plugins …`: what configs can choose from, with every option, and a first plugin of one's
own.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from llmops.flows.commands._tables import grid, printable
from llmops.flows.console import Answer, answer, command

if TYPE_CHECKING:
    from rich.console import Console

    from llmops.tasks.plugins.catalogue import PluginFacts

app = typer.Typer(
    name="plugins",
    no_args_is_help=True,
    help="Plugins: what configs can choose from, and one of your own.",
)
Facts = Mapping[str, Any]
Family = Annotated[str, typer.Argument(metavar="FAMILY", help="Such as sources or scorers.")]


@command(app, "list")
def list_(family: Family = "") -> Answer:
    """List all plugins, or those of a family with their options, types, defaults and help."""
    from llmops.tasks.plugins.catalogue import catalogue

    found = {"plugins": [_public(each) for each in catalogue(family)]}
    return answer(found, _draw_whole if family else _draw_names)


@command(app, "show")
def show(
    family: Annotated[str, typer.Argument(metavar="FAMILY", help="Such as sources or scorers.")],
    name: Annotated[str, typer.Argument(metavar="NAME", help="As configs call it.")],
) -> Answer:
    """Show one plugin: all that it says of itself, and its options."""
    from llmops.tasks.plugins import find, names
    from llmops.tasks.plugins.catalogue import checked_family, facts_of

    if name not in names(checked_family(family)):
        find(family, name)  # says which there are
    return answer(_public(facts_of(family, name)), lambda console, each: _draw(console, each))


@command(app, "new")
def new(
    family: Annotated[str, typer.Argument(metavar="FAMILY", help="Such as cleaners or scorers.")],
    name: Annotated[str, typer.Argument(metavar="NAME", help="What configs will call it.")],
    into: Annotated[
        Path, typer.Option("--into", metavar="FOLDER", help="Your package; made when missing.")
    ] = Path(),
) -> Answer:
    """Write a plugin that works, its test and its entry point into a package of yours."""
    from llmops.deployments.plugin_package import write_plugin

    return answer(write_plugin(family, name, into), _draw_written)


def _public(plugin: "PluginFacts") -> dict[str, object]:
    """One plugin in JSON; `schema`: the JSON schema of its options."""
    facts: dict[str, object] = plugin._asdict()
    facts["options"] = [each._asdict() for each in plugin.options]
    facts["schema"] = facts.pop("json_schema")
    return facts


def _draw_names(console: "Console", found: Facts) -> None:
    rows = [[each["family"], each["name"], _told(each)] for each in found["plugins"]]
    grid(console, ["family", "plugin", "what it is"], rows, folded=[2])
    console.print("\nTheir options: llmops plugins list FAMILY", markup=False)


def _draw_whole(console: "Console", found: Facts) -> None:
    for number, each in enumerate(found["plugins"]):
        console.print("" if number else f"{each['family']}\n", markup=False)
        _draw(console, {**each, "about": _told(each)}, title=each["name"])


def _draw(console: "Console", plugin: Facts, title: str = "") -> None:
    console.print(title or f"{plugin['family']}: {plugin['name']}", markup=False, style="bold")
    console.print(printable_lines(plugin["about"]), markup=False)
    for each in plugin["missing"]:
        console.print(f"needs a library: {each}", markup=False, style="yellow")
    names = ["option", "type", "default", "what it does"]
    rows = [_row(each) for each in plugin["options"]]
    if rows:
        grid(console, names, rows, folded=[1, 2, 3])


def _row(option: Facts) -> Sequence[str]:
    default = "(required)" if option["required"] else option["default"] or "-"
    return [*map(printable, (option["name"], option["type"], default, option["help"]))]


def _told(plugin: Facts) -> str:
    """What it is in a sentence, and whose it is."""
    whose = f" (from {plugin['package']})" if plugin["package"] else ""
    needs = "".join(f" [{each}]" for each in plugin["missing"])
    return printable(f"{plugin['summary']}{whose}{needs}")


def printable_lines(text: str) -> str:
    return "\n".join(map(printable, text.splitlines()))


def _draw_written(console: "Console", written: Facts) -> None:
    for each in written["written"]:
        console.print(f"  {each}", markup=False)
    console.print(
        f"\nInstall it, so that configs find it:\n  pip install -e {written['folder']}\n"
        f"Try it:\n  pytest {written['folder']}/{written['test']}\n"
        f"Use it:\n  {written['use']}",
        markup=False,
    )
