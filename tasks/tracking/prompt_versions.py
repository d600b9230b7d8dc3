"""A prompt as MLflow keeps it: template, settings and schema in its own tags, the rest in tags of
ours. Plain functions, no mlflow.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from llmops.tasks.errors import ConfigError, Mistake

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


Note = dict[str, Any]
"""A change of an alias, as the version that it went to remembers it."""


class PromptContent(BaseModel):
    """What a version is to say, as plain values. `variables`: what is declared of them; `sha256` is
    of all that changes an answer.
    """

    model_config = ConfigDict(frozen=True)
    name: str
    messages: list[dict[str, str]]
    variables: dict[str, JsonValue] = Field(default_factory=dict)
    model: dict[str, JsonValue] = Field(default_factory=dict)
    output: dict[str, JsonValue] | None = None
    description: str = ""
    sha256: str


class PromptVersion(BaseModel):
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

    @property
    def pushed_sha256(self) -> str | None:
        """The hash that it was pushed with; None for a version made elsewhere."""
        return self.tags.get(HASH)

    @property
    def who(self) -> str | None:
        return self.tags.get(WHO)

    @property
    def changes(self) -> list[Note]:
        """The changes of aliases that were noted on it."""
        noted = [_json(text) for name, text in self.tags.items() if name.startswith(MOVE)]
        return [note for note in noted if isinstance(note, dict)]

    def content(self) -> dict[str, JsonValue]:
        """The mapping that a prompt's file would hold. A text without roles is a message of the
        user. Raises ConfigError for a version that somebody broke.
        """
        held = self.tags
        messages: JsonValue = [{"role": "user", "content": held.get(TEXT, "")}]
        if held.get(KIND) == "chat":
            messages = self._required(TEXT)
        settings = self._required(SETTINGS) if held.get(SETTINGS) else {}
        content: dict[str, JsonValue] = {
            "name": self.name,
            "messages": messages,
            "model": _settings(settings) if isinstance(settings, dict) else settings,
        }
        if held.get(VARIABLES):
            content["variables"] = self._required(VARIABLES)
        if held.get(FORMAT):
            content["output"] = self._required(FORMAT)
        return content | ({"description": held[DESCRIPTION]} if held.get(DESCRIPTION) else {})

    def _required(self, tag: str) -> JsonValue:
        value = _json(self.tags.get(tag, ""))
        if value is None:
            raise ConfigError(
                [
                    Mistake(
                        f"the tag {tag} of this version holds no JSON",
                        where=self.uri,
                        hint="somebody edited it; push the prompt again, which makes a new version",
                    )
                ]
            )
        return value


def note_of(change: Note) -> tuple[str, str]:
    """The tag by which a version remembers a change of an alias."""
    return f"{MOVE}{change['id']}", json.dumps(change, ensure_ascii=False, default=str)


def tags(content: PromptContent, who: str) -> dict[str, str]:
    """What MLflow has no place for."""
    declared = json.dumps(content.variables, ensure_ascii=False) if content.variables else ""
    held = {
        HASH: content.sha256,
        WHO: who,
        DESCRIPTION: content.description,
        VARIABLES: declared,
    }
    return {name: value for name, value in held.items() if value}


def limits(content: PromptContent, note: str) -> list[Mistake]:
    """What is too long for the registry, which writes other letters than English ones as six
    characters.
    """
    sizes = {
        "messages": json.dumps(content.messages),
        "model": json.dumps(content.model),
        "output": json.dumps(content.output),
        "variables": tags(content, "").get(VARIABLES, ""),
        "description": content.description,
    }
    mistakes = [
        Mistake(
            f"{len(text):,} characters as JSON, MLflow's registry takes {LONGEST:,}",
            where=f"{content.name}: {key}",
            hint="shorten it; long passages belong into the knowledge base",
        )
        for key, text in sizes.items()
        if len(text) > LONGEST
    ]
    if len(note) > LONGEST_NOTE:
        said = f"{len(note):,} characters, MLflow takes {LONGEST_NOTE:,}"
        mistakes.append(Mistake(said, where=f"{content.name}: message"))
    return mistakes


def _settings(held: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """MLflow's names become those of OpenAI's parameters."""
    known = {key: value for key, value in held.items() if key not in BESIDE and value is not None}
    return {
        "stop" if key == "stop_sequences" and "stop" not in known else key: value
        for key, value in known.items()
    }


def _json(text: str) -> JsonValue:
    try:
        value: JsonValue = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value
