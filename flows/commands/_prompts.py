"""How prompts, their differences and the moves of their aliases look on a terminal."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from llmops.flows.commands import _tables as draw
from llmops.flows.commands._tables import printable

SIGNS = {"+": "green", "-": "red", "@": "cyan"}
WHAT = {
    "in step": "",
    "behind": "the registry is newer: prompts pull",
    "changed": "prompts push",
    "ahead": "prompts push",
    "no file": "",
}


def facts(resolved: Any) -> dict[str, Any]:
    """A prompt as JSON prints it."""
    prompt = resolved.prompt
    variables = {name: {"type": "string", "required": True} for name in prompt.names}
    for name, one in prompt.variables.items():
        variables[name] = {
            "type": one.type,
            "required": not one.optional,
            "default": one.default,
            "description": one.description,
        }
    return {
        "name": prompt.name,
        "uri": resolved.uri,
        "version": resolved.version,
        "alias": resolved.alias,
        "sha256": prompt.sha256,
        "description": prompt.description,
        "messages": [part.model_dump() for part in prompt.messages],
        "variables": variables,
        "model": prompt.model,
        "output": prompt.output,
    }


def prompt(console: Any, found: Mapping[str, Any]) -> None:
    """The messages as they are, then what belongs to them."""
    console.print(
        f"{printable(found['uri'])}  {found['sha256'][: draw.SHORT]}", markup=False, style="bold"
    )
    if found["description"]:
        console.print(printable(found["description"]), markup=False)
    for part in found["messages"]:
        console.print(f"\n{part['role']}", style="bold")
        lines(console, part["content"])
    console.print()
    variables = [("{{" + name + "}}", _variable(one)) for name, one in found["variables"].items()]
    settings = [(f"model.{key}", _json(value)) for key, value in found["model"].items()]
    told = [
        *variables,
        *settings,
        *([("output", _json(found["output"]))] if found["output"] else []),
    ]
    width = max((len(key) for key, _ in told), default=0)
    for key, value in told:
        console.print(f"{key:<{width}}  {printable(value)}", markup=False)


def lines(console: Any, text: str) -> None:
    """A text of several lines, of which nothing steers the terminal."""
    for line in text.rstrip("\n").split("\n"):
        console.print(f"  {printable(line)}", markup=False)


def standing(console: Any, found: Sequence[Mapping[str, Any]]) -> None:
    """Files and registry, and what to do about it."""
    shown = [
        {
            "name": one["name"],
            "file": one["file"],
            "version": one["version"],
            "aliases": ", ".join(f"{alias} {version}" for alias, version in one["aliases"].items())
            or None,
            "state": one["state"],
            "next": WHAT[one["state"]],
        }
        for one in found
    ]
    draw.rows(
        console,
        shown,
        empty="No prompt here or in the registry yet: a file with name and messages, then llmops "
        "prompts push FILE",
    )


def difference(console: Any, found: Mapping[str, Any]) -> None:
    """A unified diff in colours."""
    if found["same"]:
        console.print(f"{found['from']} and {found['to']} say the same.", markup=False)
    for line in found["diff"].splitlines():
        console.print(printable(line), markup=False, style=SIGNS.get(line[:1]))


def pushed(console: Any, found: Sequence[Mapping[str, Any]]) -> None:
    """A line per file."""
    for one in found:
        done = "made" if one["made"] else "says that already"
        console.print(f"{printable(one['file'])}: {one['uri']} {done}", markup=False)
    if not found:
        console.print("No prompt in there: a prompt is a YAML file with name and messages.")


def history(console: Any, found: Mapping[str, Any]) -> None:
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
        for one in found["versions"]
    ]
    draw.rows(
        console, shown, ["version", "sha256", "created_at", "who", "aliases", "edited", "message"]
    )
    if found["moves"]:
        console.print()
    moves = [
        {
            **one,
            "from": one["from"] or "-",
            "to": one["to"] or "removed",
            "decision": one["decision"],
            "kind": "outside llmops" if one["kind"] == "outside" else one["kind"],
        }
        for one in found["moves"]
    ]
    draw.rows(
        console,
        moves,
        ["alias", "from", "to", "kind", "decision", "who", "moved_at"],
        empty="No alias was ever set.",
    )


def move(console: Any, found: Mapping[str, Any]) -> None:
    """Where an alias went."""
    spot, was = f"{found['prompt']}@{found['alias']}", found["previous_version"]
    before = f" (was {was})" if was else ""
    told = (
        f"is version {found['version']}{before}"
        if found["moved"]
        else f"is version {found['version']} already"
    )
    console.print(f"{spot} {told}.", markup=False, style="bold")
    if found["decision"]:
        console.print(f"  decision    {found['decision']}", markup=False)
    console.print(f"  history     llmops prompts history {found['prompt']}", markup=False)


def _variable(one: Mapping[str, Any]) -> str:
    default = f", default {_json(one['default'])}" if one.get("default") is not None else ""
    optional = "" if one["required"] else ", optional"
    about = f": {one['description']}" if one.get("description") else ""
    return f"{one['type']}{default or optional}{about}"


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
