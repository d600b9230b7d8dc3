"""Prompts: messages with variables, in git as YAML and in MLflow's registry, told apart by the hash
of what they say.
"""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from llmops.tasks.plugins import canonical
from llmops.tasks.plugins.llms import Message, Request
from llmops.tasks.prompts import template
from llmops.tasks.schemas import sha256

RETRIEVED = "passages"
SCHEME = "prompts:/"


class MessageTemplate(BaseModel):
    """One turn; `{{name}}` in `content` stands for a variable, see template.py."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    role: Literal["system", "user", "assistant"]
    content: str = Field(min_length=1)


class Variable(BaseModel):
    """What may stand for a variable. One with a `default` may be left out; so may one that is not
    `required`: it is then empty.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    type: Literal["string", "number", "integer", "boolean", "list", "object"] = "string"
    default: Any = None
    required: bool = True
    description: str = ""

    @property
    def optional(self) -> bool:
        return self.default is not None or not self.required


class Prompt(BaseModel):
    """`model`: settings that go before those of the llm (temperature, max_tokens, …); `output`:
    JSON schema of the answer. Where `variables` are given, they are all that the messages use.
    Construction raises ValidationError for what checks.py finds."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str = Field(pattern=r"^[A-Za-z0-9_.-]{1,200}$")
    messages: tuple[MessageTemplate, ...] = Field(min_length=1)
    variables: dict[str, Variable] = Field(default_factory=dict)
    model: dict[str, Any] = Field(default_factory=dict)
    output: dict[str, Any] | None = None
    description: str = ""

    @field_validator("model")
    @classmethod
    def _numbers_are_written_one_way(cls, value: dict[str, Any]) -> dict[str, Any]:
        """MLflow turns a temperature of 0 into 0.0: the same settings, and the same call, which is
        paid once.
        """
        found: dict[str, Any] = _even(value)
        return found

    @model_validator(mode="after")
    def _says_what_it_means(self) -> "Prompt":
        from llmops.tasks.prompts.checks import flaws

        found = flaws(self.model_dump())
        if found:
            raise ValueError("; ".join(f"{path}: {message}" for path, message, _ in found))
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """The variables that the messages use, in order."""
        return tuple(
            dict.fromkeys(name for part in self.messages for name in template.names(part.content))
        )

    def content(self) -> dict[str, Any]:
        """All that changes an answer: messages, variables, model and output; 1.0 counts as 1."""
        hidden: Any = {"name": True, "description": True, "variables": {"__all__": {"description"}}}
        found: dict[str, Any] = _even(
            self.model_dump(mode="json", exclude=hidden, exclude_defaults=True)
        )
        return found

    @property
    def sha256(self) -> str:
        """Of the content; name and descriptions do not count."""
        return sha256(canonical(self.content()))

    def render(self, values: Mapping[str, Any]) -> Request:
        """The request, in a single pass: braces in values stay text. Raises UsageError naming
        missing, extra and mistyped variables.
        """
        from llmops.tasks.prompts.rendering import filled

        texts = filled(self.name, self.variables, self.names, values)
        messages = tuple(
            Message(role=part.role, content=template.filled(part.content, texts))
            for part in self.messages
        )
        return Request(messages=messages, parameters=self.model, output=self.output)


class Resolved(BaseModel):
    """A prompt and where it came from: `uri` is `prompts:/name/3` in the registry, else the file's
    path as the config gives it. `alias`: the one by which it was asked for."""

    model_config = ConfigDict(frozen=True)
    prompt: Prompt
    uri: str
    version: int | None = None
    alias: str | None = None


def _even(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _even(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_even(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
