"""How prompts, their differences and the moves of their aliases look on a terminal."""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypedDict

from llmops.flows.commands import _tables as draw
from llmops.flows.commands._tables import printable

if TYPE_CHECKING:
    from rich.console import Console

    from llmops.tasks.decisions.decision import AliasMoved
    from llmops.tasks.decisions.promotion import History
    from llmops.tasks.prompts import Prompt, Resolved
    from llmops.tasks.prompts.sync import FileStatus

SIGNS = {"+": "green", "-": "red", "@": "cyan"}
WHAT = {
    "in step": "",
    "behind": "the registry is newer: prompts pull",
    "changed": "prompts push",
    "ahead": "prompts push",
    "no file": "",
}


class VariableFacts(TypedDict, total=False):
    """`default` and `description` stand there for those that the prompt declares."""

    type: str
    required: bool
    default: object
    description: str


class PromptFacts(TypedDict):
    """A prompt as JSON prints it."""

    name: str
    uri: str
    version: int | None
    alias: str | None
    sha256: str
    description: str
    messages: list[dict[str, str]]
    variables: dict[str, VariableFacts]
    model: Mapping[str, object]
    output: Mapping[str, object] | None


def facts(resolved: "Resolved") -> PromptFacts:
    """What there is to say of a prompt."""
    prompt = resolved.prompt
    return {
        "name": prompt.name,
        "uri": resolved.uri,
        "version": resolved.version,
        "alias": resolved.alias,
        "sha256": prompt.sha256,
        "description": prompt.description,
        "messages": [part.model_dump() for part in prompt.messages],
        "variables": _variables(prompt),
        "model": prompt.model,
        "output": prompt.output,
    }


def _variables(prompt: "Prompt") -> dict[str, VariableFacts]:
    """Those that are declared as they are, and texts for the others."""
    variables = {name: VariableFacts(type="string", required=True) for name in prompt.names}
    for name, declared in prompt.variables.items():
        variables[name] = {
            "type": declared.type,
            "required": not declared.optional,
            "default": declared.default,
            "description": declared.description,
        }
    return variables


def prompt(console: "Console", resolved: "Resolved") -> None:
    """The messages as they are, then what belongs to them."""
    shown = resolved.prompt
    title = f"{printable(resolved.uri)}  {shown.sha256[: draw.SHORT]}"
    console.print(title, markup=False, style="bold")
    if shown.description:
        console.print(printable(shown.description), markup=False)
    for part in shown.messages:
        console.print(f"\n{part.role}", style="bold")
        lines(console, part.content)
    console.print()
    told = [("{{" + name + "}}", _variable(one)) for name, one in _variables(shown).items()]
    told += [(f"model.{key}", _json(value)) for key, value in shown.model.items()]
    told += [("output", _json(shown.output))] if shown.output else []
    width = max((len(key) for key, _ in told), default=0)
    for key, value in told:
        console.print(f"{key:<{width}}  {printable(value)}", markup=False)


def lines(console: "Console", text: str) -> None:
    """A text of several lines, of which nothing steers the terminal."""
    for line in text.rstrip("\n").split("\n"):
        console.print(f"  {printable(line)}", markup=False)


def status(console: "Console", rows: Sequence["FileStatus"]) -> None:
    """Files and registry, and what to do about it."""
    shown = [
        {
            "name": row["name"],
            "file": row["file"],
            "version": row["version"],
            "aliases": ", ".join(f"{alias} {version}" for alias, version in row["aliases"].items())
            or None,
            "state": row["state"],
            "next": WHAT[row["state"]],
        }
        for row in rows
    ]
    draw.rows(
        console,
        shown,
        empty="No prompt here or in the registry yet: a file with name and messages, then llmops "
        "prompts push FILE",
    )


def difference(console: "Console", text: str) -> None:
    """A unified diff in colours."""
    for line in text.splitlines():
        console.print(printable(line), markup=False, style=SIGNS.get(line[:1]))


def pushed(console: "Console", rows: Sequence[Mapping[str, object]]) -> None:
    """A line per file."""
    for row in rows:
        done = "made" if row["made"] else "says that already"
        console.print(f"{printable(str(row['file']))}: {row['uri']} {done}", markup=False)
    if not rows:
        console.print("No prompt in there: a prompt is a YAML file with name and messages.")


def history(console: "Console", told: "History") -> None:
    """The versions, then the moves."""
    shown = [
        {
            **one,
            "sha256": (one["sha256"] or "cannot be used")[
                : 14 if not one["sha256"] else draw.SHORT
            ],
            "aliases": ", ".join(one["aliases"]) or None,
            "edited": "edited" if one["edited"] else "",
        }
        for one in told["versions"]
    ]
    draw.rows(
        console, shown, ["version", "sha256", "created_at", "who", "aliases", "edited", "message"]
    )
    if told["moves"]:
        console.print()
    moves = [
        {
            **one,
            "from": one["from"] or "-",
            "to": one["to"] or "removed",
            "decision": one["decision"],
            "kind": "outside llmops" if one["kind"] == "outside" else one["kind"],
        }
        for one in told["moves"]
    ]
    draw.rows(
        console,
        moves,
        ["alias", "from", "to", "kind", "decision", "who", "moved_at"],
        empty="No alias was ever set.",
    )


def move(console: "Console", moved: "AliasMoved") -> None:
    """Where an alias went."""
    spot, was = f"{moved.prompt}@{moved.alias}", moved.previous_version
    before = f" (was {was})" if was else ""
    told = (
        f"is version {moved.version}{before}"
        if moved.moved
        else f"is version {moved.version} already"
    )
    console.print(f"{spot} {told}.", markup=False, style="bold")
    if moved.decision:
        console.print(f"  decision    {moved.decision}", markup=False)
    console.print(f"  history     llmops prompts history {moved.prompt}", markup=False)


def _variable(one: VariableFacts) -> str:
    default = f", default {_json(one['default'])}" if one.get("default") is not None else ""
    optional = "" if one["required"] else ", optional"
    about = f": {one['description']}" if one.get("description") else ""
    return f"{one['type']}{default or optional}{about}"


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
