"""A prompt as text: the YAML that people edit, with nothing in it that the hash does not see, and
what two prompts differ in, line by line.
"""

import difflib
from collections.abc import Iterator

from llmops.tasks.plugins import canonical
from llmops.tasks.prompts import Prompt
from llmops.tasks.yaml_files import write_yaml

ORDER = ("name", "description", "messages", "variables", "model", "output")


def to_yaml(prompt: Prompt) -> str:
    """The text of a prompt's file: reading it gives a prompt with the same hash. What is empty is
    left out.
    """
    content = prompt.model_dump(mode="json", exclude_defaults=True)
    return write_yaml({key: content[key] for key in ORDER if key in content})


def unified(first: Prompt, second: Prompt, names: tuple[str, str] = ("first", "second")) -> str:
    """A unified diff of all that changes an answer; empty when there is no difference."""
    before, after = list(lines(first)), list(lines(second))
    return "\n".join(difflib.unified_diff(before, after, *names, lineterm=""))


def changed(first: Prompt, second: Prompt) -> list[str]:
    """The keys in which they differ: messages, variables, model, output."""
    before, after = first.content(), second.content()
    return [
        key
        for key in ("messages", "variables", "model", "output")
        if before.get(key) != after.get(key)
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
