"""A prompt as the YAML that people edit: nothing that the hash does not notice."""

from llmops.tasks.prompts import Prompt
from llmops.tasks.yaml_files import write_yaml

ORDER = ("name", "description", "messages", "variables", "model", "output")


def to_yaml(prompt: Prompt) -> str:
    """The text of a prompt's file: reading it gives a prompt with the same hash. What is empty is
    left out.
    """
    content = prompt.model_dump(mode="json", exclude_defaults=True)
    return write_yaml({key: content[key] for key in ORDER if key in content})
