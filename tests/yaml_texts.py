"""What a text of YAML says, for tests that look into it."""

from typing import Any

from llmops.tasks.yaml_files import read_yaml


def yaml_of(text: str) -> Any:
    return read_yaml(text)
