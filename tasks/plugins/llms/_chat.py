"""What models behind chat completions have in common: their options, and the request that follows
from them.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, NotRequired, TypedDict

from pydantic import BeforeValidator, ConfigDict, Field, SecretStr, field_validator

from llmops.tasks.plugins import canonical, digest
from llmops.tasks.plugins.llms import Llm, Message, Request

OWN = {
    "model": "model",
    "messages": "a prompt",
    "stream": "stream",
    "response_format": "json_mode",
    "tools": "a request",
    "temperature": "temperature",
    "max_tokens": "max_tokens",
    "max_completion_tokens": "max_tokens",
    "n": "repeats",
    "api_key": "api_key",
    "api_base": "base_url",
}
NAMED = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")
"""Keywords that hold schemas by name."""
PLAIN = ("enum", "const", "default", "examples", "required")
"""Keywords that hold no schemas."""


def _yes_or_no(value: object) -> object:
    """YAML reads `off` as false."""
    return ("schema" if value else "off") if isinstance(value, bool) else value


JsonMode = Annotated[Literal["schema", "object", "off"], BeforeValidator(_yes_or_no)]
AskedMode = Annotated[
    Literal["schema", "object", "object_schema", "off"], BeforeValidator(_yes_or_no)
]


class Chat(Llm):
    """See the plugins."""

    model_config = ConfigDict(hide_input_in_errors=True)
    model: str = Field(min_length=1)
    """As the endpoint calls it."""
    label: str | None = Field(default=None, min_length=1)
    """Keeps replies of one service apart from those of another under the same model name."""
    api_key: SecretStr | None = None
    """As `${NAME}` of a variable; none for servers that want none."""
    temperature: float | None = Field(default=0.0, ge=0, le=2)
    """How much chance there is in a reply; null leaves it to the service."""
    max_tokens: int | None = Field(default=None, ge=1)
    """The longest reply, in tokens."""
    max_tokens_name: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    """What the service calls `max_tokens`."""
    parameters: dict[str, Any] = Field(default_factory=dict)
    json_mode: AskedMode = "schema"
    """How a reply that has to follow a JSON schema is asked for."""

    @field_validator("api_key")
    @classmethod
    def _key_fits_a_header(cls, value: SecretStr | None) -> SecretStr | None:
        key = value.get_secret_value().strip() if value else ""
        if not all("!" <= letter <= "~" for letter in key):
            raise ValueError("a key of printable ASCII characters without spaces is wanted")
        return SecretStr(key) if key else None

    @field_validator("parameters")
    @classmethod
    def _parameters_have_names_of_their_own(cls, value: dict[str, Any]) -> dict[str, Any]:
        for name in sorted(set(value) & set(OWN)):
            raise ValueError(f"{name} does not belong here; it is given by {OWN[name]}")
        return value

    def fingerprint(self) -> str:
        """Model, label and parameters; not the place, the key, the price or the limits."""
        later = (
            []
            if self.json_mode in ("schema", "off") and not self.parameters
            else [self.json_mode, canonical(self.parameters)]
        )
        usual = [
            self.model,
            str(self.temperature),
            str(self.max_tokens),
            str(self.json_mode != "off"),
        ]
        return digest(
            self.spelling().rpartition(".")[2],
            *usual,
            *later,
            *([self.label] if self.label is not None else []),
        )

    @property
    def title(self) -> str:
        return self.model

    def body(self, request: Request) -> dict[str, Any]:
        """What is sent. Parameters of the request go before the options; what is None is left
        out.
        """
        settings = {
            "temperature": self.temperature,
            "max_tokens": self.max_tokens,
            **self.parameters,
            **request.parameters,
        }
        settings[self.max_tokens_name] = settings.pop("max_tokens")
        body: dict[str, Any] = {
            "model": self.model,
            "messages": [written(message) for message in request.messages],
        }
        body |= {name: value for name, value in settings.items() if value is not None}
        if request.output is not None and (
            wanted := response_format(request.output, self.json_mode)
        ):
            body["response_format"] = wanted
        return body | ({"tools": list(request.tools)} if request.tools else {})

    @property
    def key(self) -> str | None:
        return self.api_key.get_secret_value() if self.api_key else None


def written(message: Message) -> dict[str, Any]:
    """A message as it is sent."""
    body: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.tool_calls:
        body["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for call in message.tool_calls
        ]
    return body if message.tool_call_id is None else {**body, "tool_call_id": message.tool_call_id}


class NamedSchema(TypedDict):
    name: str
    schema: object
    strict: bool


class ResponseFormat(TypedDict):
    type: Literal["json_object", "json_schema"]
    json_schema: NotRequired[NamedSchema]
    schema: NotRequired[object]
    """Beside `json_object`: the form of llama.cpp's servers, Together and others."""


def response_format(schema: Mapping[str, object], mode: str) -> ResponseFormat | None:
    """What to send as `response_format`; None: nothing. A schema that only asks for an object is no
    schema.
    """
    if mode == "off":
        return None
    if mode == "object" or not set(schema) - {"type", "title", "description", "$schema"}:
        return {"type": "json_object"}
    closed = _closed(schema)
    if mode == "object_schema":
        return {"type": "json_object", "schema": closed}
    name = re.sub(r"[^A-Za-z0-9_-]", "_", str(schema.get("title") or "reply"))[:64]
    return {
        "type": "json_schema",
        "json_schema": {"name": name, "schema": closed, "strict": _strict(closed)},
    }


def _closed(schema: object) -> object:
    """The same schema, with objects that hold nothing but their properties, unless it says
    otherwise.
    """
    if isinstance(schema, list):
        return [_closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {key: _inside(key, value) for key, value in schema.items()}
    return (
        {**inner, "additionalProperties": inner.get("additionalProperties", False)}
        if "properties" in inner
        else inner
    )


def _inside(key: str, value: object) -> object:
    if key in NAMED and isinstance(value, dict):
        return {name: _closed(one) for name, one in value.items()}
    return value if key in PLAIN else _closed(value)


def _strict(schema: object) -> bool:
    """Whether every object wants all its properties and no other: only then may a service promise
    to keep to it.
    """
    if isinstance(schema, list):
        return all(map(_strict, schema))
    if not isinstance(schema, dict):
        return True
    is_object = schema.get("type") == "object" or "properties" in schema
    whole = (
        set(schema.get("required", [])) == set(schema.get("properties", {}))
        and schema.get("additionalProperties") is False
    )
    inner = [
        value.values() if key in NAMED and isinstance(value, dict) else [value]
        for key, value in schema.items()
        if key not in PLAIN
    ]
    return (whole or not is_object) and all(_strict(one) for part in inner for one in part)
