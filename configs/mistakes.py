"""From pydantic's errors to sentences that say what was got, what is allowed and how to fix it."""

from collections.abc import Mapping
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from llmops.tasks.errors import Mistake, did_you_mean
from llmops.tasks.plugins import SECRET

WANTED = {
    "tuple_type": "a list is wanted, as in [first, second]",
    "list_type": "a list is wanted, as in [first, second]",
    "dict_type": "keys with values are wanted, as in {key: value}",
    "path_type": "a path is wanted, as in folder/file",
    "model_type": "keys with values are wanted, as in {key: value}",
}
"""Instead of pydantic's words, which name types of Python."""
INTERNAL = "folder"  # the config file's own, set by the reader


def explain(
    error: ValidationError, model: type[BaseModel], where: str, *, raw: object = None
) -> list[Mistake]:
    """One mistake per error of a model, at `where.key.path`. `raw` is what the user wrote, secrets
    still unresolved.
    """
    return [_mistake(details, model, where, raw) for details in error.errors(include_url=False)]


def _mistake(details: ErrorDetails, model: type[BaseModel], where: str, raw: object) -> Mistake:
    path = [
        part
        for part in details["loc"]
        if not (isinstance(part, str) and part.startswith(("function-", "lax-or-strict")))
    ]
    place = joined(where, path)
    if details["type"] == "extra_forbidden":
        return _unknown_key(str(path[-1]), _model_at(model, path[:-1]), place)
    if details["type"] == "missing":
        return Mistake(f"the key {path[-1]!r} is missing", where=place, hint=_allowed(model, path))
    message = WANTED.get(details["type"], details["msg"].removeprefix("Value error, "))
    if path[-1:] == ["knowledge_base"] and details["type"] == "string_pattern_mismatch":
        message = (
            "small letters, digits and hyphens are allowed, a letter first, as in my-handbook "
            "(pattern [a-z][a-z0-9-]{0,62})"
        )
    if not path:  # of the config as a whole, which the message describes
        return Mistake(message, where=place.removesuffix("."))
    message = message[0].lower() + message[1:]
    if details["type"] == "value_error" and isinstance(
        details["input"], Mapping
    ):  # it names the key, a whole mapping would hide it
        return Mistake(message, where=place)
    return Mistake(f"{message}, got {_shown(details['input'], path, raw)}", where=place)


def joined(where: str, path: list[int | str]) -> str:
    """`file: key.path[2].key`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return f"{where}: {text}" if where and text and not where.endswith((".", "]")) else where + text


def _unknown_key(key: str, model: type[BaseModel] | None, place: str) -> Mistake:
    allowed = sorted(
        field.alias or name
        for name, field in (model.model_fields if model else {}).items()
        if not field.exclude and name != INTERNAL
    )
    hint = f"{did_you_mean(key, allowed)} allowed: {', '.join(allowed) or 'no keys'}".lstrip()
    return Mistake(f"unknown key {key!r}", where=place, hint=hint)


def _allowed(model: type[BaseModel], path: list[int | str]) -> str:
    owner = _model_at(model, path[:-1])
    field = owner.model_fields.get(str(path[-1])) if owner else None
    return field.description or "" if field else ""


def _shown(value: object, path: list[int | str], raw: object) -> str:
    """The value as the user wrote it: a secret stays `${NAME}`, a long value is cut."""
    written: Any = raw
    for part in path:
        known = (
            range(len(written))
            if isinstance(written, list)
            else written
            if isinstance(written, Mapping)
            else ()
        )
        if part in known:
            written = written[part]
        else:
            break
    else:
        if SECRET.search(str(written)):
            return str(written)
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "…"


def _model_at(model: type[BaseModel] | None, path: list[int | str]) -> type[BaseModel] | None:
    for part in path:
        if isinstance(part, int) or model is None:
            continue
        field = model.model_fields.get(part)
        model = _model_in(field.annotation) if field else model
    return model


def _model_in(annotation: object) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for inner in get_args(annotation) if (found := _model_in(inner))), None)
