"""What is wrong with a prompt beyond the types of its keys: all of it at once, each with the path
of its key.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from llmops.tasks.prompts import settings, template
from llmops.tasks.prompts.rendering import fits, kind_of, wanted

MOST_NODES = 20_000
TYPES = ("string", "number", "integer", "boolean", "list", "object")
Flaw = tuple[str, str, str]
"""Path of the key, what is wrong, how to mend it (may be empty)."""


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


def _settings(given: object) -> Iterator[Flaw]:
    for key, message, hint in settings.problems(given) if isinstance(given, Mapping) else ():
        yield f"model.{key}", message, hint


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
