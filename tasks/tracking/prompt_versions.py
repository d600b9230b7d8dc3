"""A prompt as MLflow keeps it: template, settings and schema in its own tags, the rest in tags of
ours. Plain functions, no mlflow.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from functools import cached_property
from typing import Any

from pydantic import BaseModel, ConfigDict

from llmops.tasks.errors import ConfigError, Mistake
from llmops.tasks.prompts import Prompt
from llmops.tasks.prompts.reading import prompt_of

IS_PROMPT, TEXT, KIND = "mlflow.prompt.is_prompt", "mlflow.prompt.text", "_mlflow_prompt_type"
FORMAT, SETTINGS = "_mlflow_prompt_response_format", "_mlflow_prompt_model_config"
HASH, VARIABLES, DESCRIPTION, WHO, MOVE = (
    "llmops.sha256",
    "llmops.variables",
    "llmops.description",
    "llmops.who",
    "llmops.move.",
)
LONGEST = 100_000  # characters of a tag's value in MLflow's registry
LONGEST_NOTE = 5_000
BESIDE = (
    "provider",
    "model_name",
)  # in MLflow's settings of a model; here the config names the model


class Version(BaseModel):
    """One version in the registry, as it is now: its template and tags can be edited there. `note`:
    its commit message.
    """

    model_config = ConfigDict(frozen=True)
    name: str
    version: int
    created_at: datetime
    tags: dict[str, str]
    aliases: tuple[str, ...] = ()
    note: str = ""

    @property
    def uri(self) -> str:
        return f"prompts:/{self.name}/{self.version}"

    @cached_property
    def prompt(self) -> Prompt:
        """Raises ConfigError for a version that cannot be used here: a template of Jinja, messages
        that are no texts, broken JSON.
        """
        return prompt_of(_content(self), self.uri)

    @cached_property
    def sha256(self) -> str | None:
        """Of what the version says now, whatever its tags claim; None for one that cannot be
        used.
        """
        try:
            return self.prompt.sha256
        except ConfigError:
            return None

    @property
    def edited(self) -> bool:
        """Whether it says something else than when it was pushed. Of a version made elsewhere
        nobody knows.
        """
        return HASH in self.tags and self.tags[HASH] != self.sha256

    @property
    def moves(self) -> list[dict[str, Any]]:
        """The moves of aliases to this version that were noted on it."""
        return [
            found
            for name, text in self.tags.items()
            if name.startswith(MOVE)
            if isinstance(found := _json(text), dict)
        ]


def note_of(move: Mapping[str, Any]) -> tuple[str, str]:
    """The tag by which a version remembers a move."""
    return f"{MOVE}{move['id']}", json.dumps(move, ensure_ascii=False, default=str)


def template(prompt: Prompt) -> list[dict[str, str]]:
    """The messages as MLflow's chat prompts have them."""
    return [{"role": part.role, "content": part.content} for part in prompt.messages]


def tags(prompt: Prompt, who: str) -> dict[str, str]:
    """What MLflow has no place for."""
    variables = prompt.model_dump(mode="json", exclude_defaults=True).get("variables")
    found = {
        HASH: prompt.sha256,
        WHO: who,
        DESCRIPTION: prompt.description,
        VARIABLES: json.dumps(variables, ensure_ascii=False) if variables else "",
    }
    return {name: value for name, value in found.items() if value}


def limits(prompt: Prompt, note: str) -> list[Mistake]:
    """What is too long for the registry, which writes other letters than English ones as six
    characters.
    """
    sizes = {
        "messages": json.dumps(template(prompt)),
        "model": json.dumps(prompt.model),
        "output": json.dumps(prompt.output),
        "variables": tags(prompt, "").get(VARIABLES, ""),
        "description": prompt.description,
    }
    found = [
        Mistake(
            f"{len(text):,} characters as JSON, MLflow's registry takes {LONGEST:,}",
            where=f"{prompt.name}: {key}",
            hint="shorten it; long passages belong into the knowledge base",
        )
        for key, text in sizes.items()
        if len(text) > LONGEST
    ]
    if len(note) > LONGEST_NOTE:
        found.append(
            Mistake(
                f"{len(note):,} characters, MLflow takes {LONGEST_NOTE:,}",
                where=f"{prompt.name}: message",
            )
        )
    return found


def _content(version: Version) -> dict[str, Any]:
    """The mapping that a prompt's file would hold. A text without roles is a message of the
    user.
    """
    held = version.tags
    messages: Any = [{"role": "user", "content": held.get(TEXT, "")}]
    if held.get(KIND) == "chat":
        messages = _required(version, TEXT)
    settings = _required(version, SETTINGS) if held.get(SETTINGS) else {}
    found = {
        "name": version.name,
        "messages": messages,
        "model": _settings(settings) if isinstance(settings, dict) else settings,
    }
    if held.get(VARIABLES):
        found["variables"] = _required(version, VARIABLES)
    if held.get(FORMAT):
        found["output"] = _required(version, FORMAT)
    return found | ({"description": held[DESCRIPTION]} if held.get(DESCRIPTION) else {})


def _settings(held: Mapping[str, Any]) -> dict[str, Any]:
    """MLflow's names become those of OpenAI's parameters."""
    found = {key: value for key, value in held.items() if key not in BESIDE and value is not None}
    return {
        "stop" if key == "stop_sequences" and "stop" not in found else key: value
        for key, value in found.items()
    }


def _required(version: Version, tag: str) -> Any:
    found = _json(version.tags.get(tag, ""))
    if found is None:
        raise ConfigError(
            [
                Mistake(
                    f"the tag {tag} of this version holds no JSON",
                    where=version.uri,
                    hint="somebody edited it; push the prompt again, which makes a new version",
                )
            ]
        )
    return found


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
