"""A prompt as the YAML that people edit: long texts as blocks, and nothing that the hash does not
notice.
"""

from typing import Any

import yaml

from llmops.tasks.prompts import Prompt

WIDTH = 140
BREAKS = "\r\x85\u2028\u2029"  # YAML ends a line there too, and would not give them back
ORDER = ("name", "description", "messages", "variables", "model", "output")


class _Dumper(yaml.SafeDumper):
    """Texts of several lines stand as blocks; where YAML cannot keep one exactly so, in quotes."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - PyYAML's signature
        return True


def _block(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    if any(sign in text for sign in BREAKS):
        return dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"')
    return dumper.represent_scalar(
        "tag:yaml.org,2002:str", text, style="|" if "\n" in text.strip("\n") else None
    )


_Dumper.add_representer(str, _block)


def to_yaml(prompt: Prompt) -> str:
    """The text of a prompt's file: reading it gives a prompt with the same hash. What is empty is
    left out.
    """
    content = prompt.model_dump(mode="json", exclude_defaults=True)
    ordered = {key: content[key] for key in ORDER if key in content}
    return str(yaml.dump(ordered, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=WIDTH))
