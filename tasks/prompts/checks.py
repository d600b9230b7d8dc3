"""What is wrong with a prompt beyond the types of its keys: all of it at once, each with the path
of its key.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from typing_extensions import TypedDict

from llmops.tasks.errors import did_you_mean
from llmops.tasks.prompts import template
from llmops.tasks.prompts.rendering import fits, kind_of, wanted

MOST_NODES = 20_000
TYPES = ("string", "number", "integer", "boolean", "list", "object")
Flaw = tuple[str, str, str]
"""Path of the key, what is wrong, how to mend it (may be empty)."""


Whole = Annotated[int, Field(ge=1)]
Penalty = Annotated[float, Field(ge=-2, le=2, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class ModelSettings(TypedDict, total=False):
    """The parameters of OpenAI's chat completions, and the three of sampling that vLLM, llama.cpp
    and Ollama add to them.
    """

    __pydantic_config__ = ConfigDict(extra="forbid", strict=True)  # type: ignore[misc]  # pydantic's own name

    temperature: Annotated[float, Field(ge=0, le=2, allow_inf_nan=False)]
    top_p: Share
    max_tokens: Whole
    max_completion_tokens: Whole
    seed: int
    stop: str | Annotated[list[str], Field(min_length=1, max_length=4)]
    presence_penalty: Penalty
    frequency_penalty: Penalty
    logit_bias: dict[str, Annotated[float, Field(ge=-100, le=100, allow_inf_nan=False)]]
    reasoning_effort: Literal["none", "minimal", "low", "medium", "high", "xhigh"]
    verbosity: Literal["low", "medium", "high"]
    top_k: Whole
    min_p: Share
    repetition_penalty: Annotated[float, Field(gt=0, allow_inf_nan=False)]


KNOWN = tuple(ModelSettings.__annotations__)
ELSEWHERE = {
    "model": "llm",
    "model_name": "llm",
    "provider": "llm",
    "base_url": "llm",
    "api_key": "llm",
    "stream": "llm",
    "tools": "config",
    "response_format": "output",
    "stop_sequences": "stop",
    "messages": "messages",
}
PLACES = {
    "llm": "which model answers is said beside the prompt, by `llm` in the config",
    "stop": "it is called `stop`",
    "output": "the schema of the answer is the key `output`",
    "messages": "`messages` is a key of the file itself",
    "config": "a prompt has none",
}


def flaws(content: Mapping[str, Any]) -> list[Flaw]:
    """The flaws of a prompt's content as it was written; what has a wrong type is passed over,
    pydantic reports that.
    """
    inside = [*_name(content.get("name")), *_texts(content), *_variables(content)]
    return [*inside, *_settings(content.get("model")), *_schema(content.get("output"))]


def _name(name: object) -> Iterator[Flaw]:
    if isinstance(name, str) and name and not name.strip("."):
        yield "name", f"{name!r} is no name", "give it a letter or a digit"


def _texts(content: Mapping[str, Any]) -> Iterator[Flaw]:
    for number, text in _contents(content):
        for message, hint in template.problems(text):
            yield f"messages[{number}].content", message, hint


def _contents(content: Mapping[str, Any]) -> Iterator[tuple[int, str]]:
    messages = content.get("messages")
    for number, one in enumerate(messages if isinstance(messages, list | tuple) else ()):
        if isinstance(one, Mapping) and isinstance(one.get("content"), str):
            yield number, one["content"]


def _variables(content: Mapping[str, Any]) -> Iterator[Flaw]:
    declared = content.get("variables")
    if not isinstance(declared, Mapping) or not declared:
        return
    used = {
        name: number
        for number, text in reversed(list(_contents(content)))
        for name in template.names(text)
    }
    for name, one in declared.items():
        if name not in used:
            yield (
                f"variables.{name}",
                "declared, but no message uses it",
                f"write {{{{{name}}}}} where it belongs, or remove it",
            )
        if isinstance(one, Mapping):
            yield from _default(f"variables.{name}", one)
    for name in sorted(set(used) - set(declared)):
        yield (
            f"messages[{used[name]}].content",
            f"{{{{{name}}}}} is used, but not among the variables",
            f"declared are {', '.join(map(str, declared))}; declare all or none",
        )


def _default(path: str, one: Mapping[str, Any]) -> Iterator[Flaw]:
    default, kind = one.get("default"), one.get("type", "string")
    if default is not None and kind in TYPES and not fits(default, kind):
        yield (
            f"{path}.default",
            f"{default!r:.60} is {kind_of(default)}, {wanted(kind)} is wanted",
            "correct the default or the type",
        )


def _settings(settings: object) -> Iterator[Flaw]:
    if not isinstance(settings, Mapping):
        return
    try:
        TypeAdapter(ModelSettings).validate_python(dict(settings))
    except ValidationError as error:
        seen: set[str] = set()
        for one in error.errors(include_url=False):
            key = str(one["loc"][0]) if one["loc"] else ""
            if key not in seen:  # `stop` is a text or a list: one sentence for both
                seen.add(key)
                yield _setting(key, one["type"], one["msg"], settings.get(key))


def _setting(key: str, kind: str, said: str, value: object) -> Flaw:
    if kind == "extra_forbidden":
        close = did_you_mean(key, KNOWN) or f"allowed: {', '.join(KNOWN)}"
        hint = PLACES[ELSEWHERE[key]] if key in ELSEWHERE else close
        return f"model.{key}", f"unknown setting {key!r}", hint
    if key == "stop":
        said = "input should be a text, or a list of one to four texts"
    return f"model.{key}", f"{said[0].lower()}{said[1:]}, got {value!r:.80}", ""


def _schema(schema: object) -> Iterator[Flaw]:
    if not isinstance(schema, Mapping):
        return
    from jsonschema import Draft202012Validator, SchemaError

    if not schema:
        yield "output", "an empty schema allows everything", "leave `output` out"
    try:
        Draft202012Validator.check_schema(dict(schema))
    except SchemaError as error:
        yield (
            f"output{error.json_path[1:]}",
            f"not a valid JSON schema: {error.message:.200}",
            "see https://json-schema.org, draft 2020-12",
        )


def unwritable(value: object, path: str = "") -> Iterator[Flaw]:
    """What JSON cannot hold: dates, keys that are no texts, numbers that are none; and content that
    grows without end by references.
    """
    nodes = [0]
    yield from _walk(value, path, nodes)
    if nodes[0] > MOST_NODES:
        yield (
            "",
            f"there are more than {MOST_NODES:,} values in it",
            "references of YAML (&name, *name) multiply what they stand for",
        )


def _walk(value: object, path: str, nodes: list[int]) -> Iterator[Flaw]:
    nodes[0] += 1
    if nodes[0] > MOST_NODES:
        return
    if isinstance(value, Mapping):
        for key, item in value.items():
            if not isinstance(key, str):
                yield (
                    path,
                    f"the key {key!r} is {kind_of(key)}, a text is wanted",
                    f'put it in quotes: "{key}"',
                )
            yield from _walk(item, f"{path}.{key}" if path else str(key), nodes)
    elif isinstance(value, list | tuple):
        for number, item in enumerate(value):
            yield from _walk(item, f"{path}[{number}]", nodes)
    else:
        yield from _leaf(value, path)


def _leaf(value: object, path: str) -> Iterator[Flaw]:
    if isinstance(value, str):
        if not value.isascii() and any("\ud800" <= sign <= "\udfff" for sign in value):
            yield (
                path,
                "there is half a character (a lone surrogate) in the text",
                "write the character itself",
            )
        return
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        yield (
            path,
            f"{value!r:.60} is {kind_of(value)}, which JSON does not have",
            "put it in quotes",
        )
