"""Forms for plugins, from their own fields: what a field is called, what it takes, what holds where
nothing is typed. A plugin that somebody else has written has one too.
"""

import inspect
import re
from collections.abc import Iterator, Mapping
from functools import cache
from math import isfinite
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel

from llmops.configs.settings import KEYS
from llmops.configs.writing import defaults_of
from llmops.tasks.errors import ConfigError, Mistake
from llmops.tasks.plugins import SECRET, Plugin, find
from llmops.tasks.yaml_files import NoYaml, read_yaml, write_yaml

FieldKind = Literal[
    "text", "path", "integer", "number", "choice", "yes_no", "lines", "yaml", "secret"
]
FURTHER = {"id", "max_bytes", "timeout", "retries", "batch", "encoding"}
LOGIN = re.compile(r"://[^/@]*@")
VARIABLE = re.compile(r"LLMOPS_[A-Z][A-Z0-9_]{0,99}")
OWN_VARIABLE = re.compile(
    r"LLMOPS_(ACTOR|HOME|LEDGER_URL|LAKE|PROJECT|APPS|MONTHLY_BUDGET_USD|(MLFLOW|UP|OWN|SECRET|KEEP|SERVER)(_.*)?)"
)
"""What the product itself reads: addresses and passwords of its own that no plugin is to have."""
NAME_OF_SECRET = (
    "a name such as LLMOPS_SEARCH_KEY is wanted, of a variable that the application has"
)


class FormField(NamedTuple):
    """`title`, `about`: in the plugin's own words, "" for none. `default`: as one would type it;
    `further`: a field that most people leave alone.
    """

    name: str
    kind: FieldKind
    title: str = ""
    about: str = ""
    required: bool = False
    default: str = ""
    choices: tuple[str, ...] = ()
    least: float | None = None
    most: float | None = None
    longest: int | None = None
    further: bool = False
    private: bool = False


class PluginForm(NamedTuple):
    """`about`: what the plugin says of itself. `missing`: what has to be installed first."""

    family: str
    name: str
    about: str = ""
    fields: tuple[FormField, ...] = ()
    missing: str = ""

    def field(self, name: str) -> FormField | None:
        return next((field for field in self.fields if field.name == name), None)


class TypedOptions(NamedTuple):
    """What somebody typed into a form, as a config would say it. `mistakes`: `where` is a field."""

    options: dict[str, Any]
    mistakes: list[Mistake]


@cache
def form_of(family: str, name: str) -> PluginForm:
    """The form of a plugin. Raises ConfigError for a name that no plugin has."""
    try:
        plugin = find(family, name)
    except ConfigError as error:
        if error.found[0].kind != "library":
            raise
        return PluginForm(family, name, missing="; ".join(each.hint for each in error.found))
    about = inspect.cleandoc(plugin.__doc__ or "")
    return PluginForm(family, name, about, _fields(plugin))


def _fields(plugin: type[Plugin]) -> tuple[FormField, ...]:
    """Required ones first. Last comes what most people leave alone: what is declared neither by the
    plugin nor by its family, lists but for the plugin's first field, and limits.
    """
    schema = _schema(plugin)
    defaults = defaults_of(plugin)
    base = next(kind for kind in plugin.__mro__ if Plugin in kind.__bases__)
    own = [name for name in inspect.get_annotations(plugin) if name in plugin.model_fields]
    near = {*own, *inspect.get_annotations(base)} - FURTHER
    found = []
    for name, field in plugin.model_fields.items():
        shape = schema.get(name, {})
        kind = _kind(name, shape)
        if not field.repr and kind not in ("text", "secret"):
            continue  # it may hold secrets among other things: the file has it, no page shows it
        found.append(
            FormField(
                name=name,
                kind=kind,
                title=field.title or "",
                about=field.description or "",
                required=field.is_required(),
                default=shown(kind, defaults.get(name)),
                choices=tuple(map(str, shape.get("enum", ()))),
                least=shape.get("minimum", shape.get("exclusiveMinimum")),
                most=shape.get("maximum", shape.get("exclusiveMaximum")),
                longest=shape.get("maxLength"),
                further=not field.is_required()
                and (name not in near or (kind in ("lines", "yaml") and [name] != own[:1])),
                private=not field.repr,
            )
        )
    return tuple(sorted(found, key=lambda field: (field.further, not field.required)))


def _schema(plugin: type[BaseModel]) -> dict[str, dict[str, Any]]:
    """Field -> its JSON schema, without "or nothing" and with references followed. A field that no
    schema describes has none.
    """
    try:
        whole = plugin.model_json_schema()
    except Exception:  # noqa: BLE001 - whatever a plugin's types do: its fields are YAML then
        return {}
    named = whole.get("$defs", {})
    found = {}
    for name, shape in whole.get("properties", {}).items():
        inner = [each for each in shape.get("anyOf", [shape]) if each.get("type") != "null"]
        one = inner[0] if len(inner) == 1 else {}
        if "$ref" in one:
            one = named.get(one["$ref"].rpartition("/")[2], {})
        found[name] = one
    return found


def _kind(name: str, shape: Mapping[str, Any]) -> FieldKind:
    if shape.get("format") == "password" or name in KEYS:
        return "secret"
    if shape.get("enum") and all(isinstance(each, str) for each in shape["enum"]):
        return "choice"
    items = shape.get("items")
    match shape.get("type"):
        case "boolean":
            return "yes_no"
        case "integer":
            return "integer"
        case "number":
            return "number"
        case "string":
            return "path" if shape.get("format") == "path" else "text"
        case "array" if isinstance(items, dict) and items.get("type") == "string":
            return "lines"
    return "yaml"


def shown(kind: FieldKind, value: object) -> str:
    """A value as one would type it."""
    if value is None or value == [] or value == {}:
        return ""
    if kind == "yes_no":
        return "yes" if value else "no"
    if kind == "lines" and isinstance(value, list | tuple):
        return "\n".join(map(str, value))
    if kind == "yaml":
        return write_yaml(value).strip()
    return str(value)


def typed(form: PluginForm, options: Mapping[str, Any]) -> dict[str, str]:
    """Field -> what its input holds for a config's options. A secret that stands in the file itself
    is not shown, as is no login in an address.
    """
    found = {}
    for field in form.fields:
        value = options.get(field.name)
        if field.kind == "secret":
            match = SECRET.fullmatch(str(value or ""))
            found[field.name] = match[1] if match else ""
        elif _hides(field, value):
            found[field.name] = ""
        elif (field.kind == "lines") and not isinstance(value, list | tuple | None):
            found[field.name] = str(value)
        else:
            found[field.name] = shown(field.kind, value)
    return found


def _hides(field: FormField, value: object) -> bool:
    """Whether the file has a value that no page shows."""
    if not value:
        return False
    if field.kind == "secret":
        return SECRET.fullmatch(str(value)) is None
    return field.private and LOGIN.search(str(value)) is not None


def chosen(
    form: PluginForm, given: Mapping[str, str], before: Mapping[str, Any] | None = None
) -> TypedOptions:
    """The options that somebody typed; what is at its default, and what is empty, is left out.
    `before`: the options in the file, of which those stay that the form does not show.
    """
    old = before or {}
    known = {field.name for field in form.fields}
    options = {name: value for name, value in old.items() if name not in known}
    mistakes: list[Mistake] = []
    for field in form.fields:
        text = given.get(field.name, "").replace("\r\n", "\n").strip()
        if not text:
            if _hides(field, old.get(field.name)):
                options[field.name] = old[field.name]
            continue
        if text == field.default and field.kind != "secret":
            continue
        try:
            options[field.name] = _value(field, text, old.get(field.name))
        except ValueError as error:
            mistakes.append(Mistake(str(error), where=field.name))
    return TypedOptions(options, mistakes)


def _value(field: FormField, text: str, before: object) -> object:
    """Raises ValueError. What is no number is left for the check to complain of."""
    match field.kind:
        case "integer" | "number":
            return _number(text)
        case "yes_no":
            return {"yes": True, "no": False}.get(text, text)
        case "lines":
            return [line.strip() for line in text.split("\n") if line.strip()]
        case "yaml":
            return _yaml(text)
        case "secret":
            return _secret(text, before)
    return text


def _yaml(text: str) -> object:
    try:
        value = read_yaml(text)
    except NoYaml as error:
        raise ValueError(f"not valid YAML: {error}") from error
    if any(isinstance(each, float) and not isfinite(each) for each in _leaves(value)):
        raise ValueError("got a number that is not finite")
    return value


def _leaves(value: object) -> Iterator[object]:
    if isinstance(value, Mapping):
        value = [each for pair in value.items() for each in pair]
    if not isinstance(value, list):
        yield value
        return
    for each in value:
        yield from _leaves(each)


def _number(text: str) -> int | float | str:
    for kind in (int, float):
        try:
            number = kind(text)
        except ValueError:
            continue
        if isfinite(number):
            return number
    return text


def _secret(text: str, before: object) -> str:
    if f"${{{text}}}" == before:
        return f"${{{text}}}"
    if not VARIABLE.fullmatch(text):
        raise ValueError(NAME_OF_SECRET)
    if OWN_VARIABLE.fullmatch(text):
        raise ValueError(f"{text} is the application's own, and no plugin's")
    return f"${{{text}}}"
