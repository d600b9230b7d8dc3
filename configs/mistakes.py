"""From pydantic's errors to sentences that say what was got, what is allowed and how to fix it."""

import re
from collections.abc import Mapping
from typing import Any, get_args

from pydantic import BaseModel, SecretBytes, SecretStr, ValidationError
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
SECRET_NAME = re.compile(
    r"(api|access|private)_?key|secret|token$|passw|passphrase|credential|authorization|cookie"
    r"|headers|heartbeat",
    re.IGNORECASE,
)
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
    value = details["input"]
    written = _written(path, raw)
    got = _hidden(value, written) if _is_secret(model, path) else _shown(value, written)
    return Mistake(f"{message}, got {got}", where=place)


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


def _written(path: list[int | str], raw: object) -> object:
    """What the user wrote there, secrets still unresolved; where the path goes on within a text, as
    that of a union does, the text.
    """
    written: Any = raw
    for part in path:
        listed = isinstance(written, list) and isinstance(part, int) and part < len(written)
        if not listed and not (isinstance(written, Mapping) and part in written):
            break
        written = written[part]
    return written


def _shown(value: object, written: object) -> str:
    """The value as the user wrote it: a secret stays `${NAME}`, a long value is cut."""
    if SECRET.search(str(written)):
        return str(written)
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "…"


def _is_secret(model: type[BaseModel], path: list[int | str]) -> bool:
    """Whether what stands there is a secret, or something that holds one, by type or by name."""
    for place, part in enumerate(path):
        if isinstance(part, int):
            continue
        owner = _model_at(model, path[:place])
        field = owner.model_fields.get(part) if owner else None
        if SECRET_NAME.search(part) or (field is not None and _holds_secret(field.annotation)):
            return True
    return False


def _holds_secret(annotation: object) -> bool:
    if isinstance(annotation, type) and issubclass(annotation, SecretStr | SecretBytes):
        return True
    return any(_holds_secret(inner) for inner in get_args(annotation))


def _hidden(value: object, written: object) -> str:
    """What kind of value a secret was given as, or the name of its variable."""
    if isinstance(written, str) and SECRET.fullmatch(written):
        return written
    kinds = {Mapping: "keys with values", list: "a list", str: "a text"}
    kind = next((said for of, said in kinds.items() if isinstance(value, of)), "another value")
    return f"{kind}, which is not shown: it may hold a secret"


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
