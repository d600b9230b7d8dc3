"""What two prompts differ in, line by line: messages, variables, settings and schema."""

import difflib
from collections.abc import Iterator

from llmops.tasks.plugins import canonical
from llmops.tasks.prompts import Prompt


def unified(first: Prompt, second: Prompt, names: tuple[str, str] = ("first", "second")) -> str:
    """A unified diff of all that changes an answer; empty when there is no difference."""
    one, other = list(lines(first)), list(lines(second))
    return "\n".join(difflib.unified_diff(one, other, *names, lineterm=""))


def changed(first: Prompt, second: Prompt) -> list[str]:
    """The keys in which they differ: messages, variables, model, output."""
    one, other = first.content(), second.content()
    return [
        key
        for key in ("messages", "variables", "model", "output")
        if one.get(key) != other.get(key)
    ]


def lines(prompt: Prompt) -> Iterator[str]:
    """A prompt as lines of text: each message under its role, then one line per variable, setting
    and key of the schema.
    """
    content = prompt.content()
    for part in prompt.messages:
        yield f"[{part.role}]"
        yield from part.content.split("\n")
    for name, variable in prompt.variables.items():
        yield f"variable {name}: {canonical(content['variables'][name] | {'type': variable.type})}"
    for key, value in sorted(content.get("model", {}).items()):
        yield f"model {key}: {canonical(value)}"
    for key, value in sorted(content.get("output", {}).items()):
        yield f"output {key}: {canonical(value)}"
