"""Prompts: messages with variables, in git as YAML and in MLflow's registry, told apart by the hash of what they say."""

import re
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from tasks.llms import Message, Request
from tasks.plugins import canonical
from tasks.records import sha256

VARIABLE = re.compile(r"\{\{\s*([A-Za-z_][A-Za-z0-9_]*)\s*\}\}")
RETRIEVED = "passages"


class Part(BaseModel):
    """One turn; `{{name}}` in `content` stands for a variable."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    role: Literal["system", "user", "assistant"]
    content: str = Field(min_length=1)


class Variable(BaseModel):
    """What may stand for a variable. One with a `default` may be left out."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    type: Literal["string", "number", "integer", "boolean", "list", "object"] = "string"
    default: Any = None
    required: bool = True
    description: str = ""


class Prompt(BaseModel):
    """`model`: settings that go before those of the llm (temperature, max_tokens, …); `output`: JSON schema of the answer."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str = Field(pattern=r"^[A-Za-z0-9_.-]{1,200}$")
    messages: tuple[Part, ...] = Field(min_length=1)
    variables: dict[str, Variable] = Field(default_factory=dict)
    model: dict[str, Any] = Field(default_factory=dict)
    output: dict[str, Any] | None = None
    description: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """The variables that the messages use, in order."""
        return tuple(dict.fromkeys(name for part in self.messages for name in VARIABLE.findall(part.content)))

    @property
    def sha256(self) -> str:
        """Of all that changes an answer: messages, variables, model and output; not of name or description."""
        return sha256(canonical(self.model_dump(mode="json", exclude={"name", "description"}, exclude_defaults=True)))

    def render(self, values: Mapping[str, Any]) -> Request:
        """The request, in a single pass: braces in values stay text. Raises UsageError naming missing, extra and mistyped variables."""
        from tasks.prompts.rendering import filled

        found = filled(self, values)
        messages = tuple(Message(role=part.role, content=VARIABLE.sub(lambda m: found[m[1]], part.content)) for part in self.messages)
        return Request(messages=messages, parameters=self.model, output=self.output)


class Resolved(BaseModel):
    """A prompt and where it came from: `uri` is `prompts:/name/3` in the registry, else the file's path as the config gives it.
    `alias`: the one by which it was asked for."""

    model_config = ConfigDict(frozen=True)
    prompt: Prompt
    uri: str
    version: int | None = None
    alias: str | None = None
