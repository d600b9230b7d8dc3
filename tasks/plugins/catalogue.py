"""What there is to choose from: every plugin with its options, as their fields and docstrings say
it.
"""

import ast
import inspect
import json
import re
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from itertools import pairwise
from typing import Any, NamedTuple

from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from llmops.tasks.errors import UsageError, did_you_mean
from llmops.tasks.plugins import FAMILIES, Plugin, external, lacking, load, names

SENTENCE = re.compile(r"(?<=\.)\s+|\n\s*\n|;\s+(?=`\w+`(?:, `\w+`)*:)")
KINDS = {"string": "text", "boolean": "yes or no", "object": "mapping", "null": "nothing"}
BOUNDS = (("minimum", "≥"), ("exclusiveMinimum", ">"), ("maximum", "≤"), ("exclusiveMaximum", "<"))
Schema = Mapping[str, Any]
"""A JSON schema, or a part of one."""


class OptionFacts(NamedTuple):
    """`type`: in words; `default`: as a config would say it, "" where there is none; `help`: a
    sentence, "" where nobody wrote one.
    """

    name: str
    type: str
    default: str
    required: bool
    help: str


class PluginFacts(NamedTuple):
    """`summary`: the first sentence of `about`; `package`: the distribution that brings it, "" for
    one of ours; `missing`: commands that install what it needs; `json_schema`: of its options,
    with `help` as descriptions.
    """

    family: str
    name: str
    summary: str
    about: str
    package: str
    missing: tuple[str, ...]
    options: tuple[OptionFacts, ...]
    json_schema: Schema


def checked_family(family: str) -> str:
    """The family. Raises UsageError for one that does not exist."""
    if family in FAMILIES:
        return family
    known = ", ".join(FAMILIES)
    hint = did_you_mean(family, FAMILIES) or "`llmops plugins list` shows all of them"
    raise UsageError(f"got the family {family!r}, allowed: {known}", hint=hint)


def catalogue(family: str = "") -> list[PluginFacts]:
    """The plugins of a family, or of all, in the order of their names. Raises UsageError for an
    unknown family, ConfigError for a registered plugin that cannot be loaded.
    """
    families = [checked_family(family)] if family else FAMILIES
    return [facts_of(each, name) for each in families for name in names(each)]


def facts_of(family: str, name: str) -> PluginFacts:
    """One plugin of the names in a family."""
    plugin = load(family, name)
    about = _about(plugin)
    schema, point = described(plugin), external(family).get(name)
    return PluginFacts(
        family=family,
        name=name,
        summary=" ".join(re.split(r"(?<=\.)\s|\n\s*\n", about)[0].split()),
        about=about,
        package=point.dist.name if point and point.dist else "",
        missing=tuple(lacking(plugin)),
        options=options_of(plugin, schema),
        json_schema=schema,
    )


def _about(plugin: type[Plugin]) -> str:
    """Where a file holds one plugin, its docstring says what that is, and the class's how it works;
    where it holds several, each class speaks for itself.
    """
    own = inspect.cleandoc(plugin.__dict__.get("__doc__") or "")
    module = import_module(plugin.__module__)
    whole = inspect.cleandoc(module.__doc__ or "")
    public = [
        name
        for name, each in vars(module).items()
        if inspect.isclass(each)
        and issubclass(each, Plugin)
        and each.__module__ == module.__name__
        and not name.startswith("_")
    ]
    told = (whole, own) if len(public) == 1 else (own or whole,)
    return "\n\n".join(filter(None, told))


def options_of(plugin: type[Plugin], schema: Schema) -> tuple[OptionFacts, ...]:
    """Those of its fields that a config can set, required ones first."""
    shapes, found = schema["properties"], []
    for name, field in plugin.model_fields.items():
        key = field.alias or name
        shape, required = shapes.get(key, {}), field.is_required()
        default = None if required else field.get_default(call_default_factory=True)
        told = "" if default in (None, "", [], {}) else _written(default)
        about = shape.get("description", "").removeprefix(f"`{name}`: ")
        found.append(OptionFacts(key, _kind(shape, schema), told, required, about))
    return tuple(sorted(found, key=lambda option: not option.required))


def described(plugin: type[Plugin]) -> Schema:
    """The JSON schema of a plugin's options; each has as description what is said of it. A plugin
    whose types no schema can describe has names alone.
    """
    try:
        schema = plugin.model_json_schema()
    except Exception:  # noqa: BLE001 - whatever a plugin's types do
        schema = {"type": "object", "properties": {name: {} for name in plugin.model_fields}}
    for name, field in plugin.model_fields.items():
        shape = schema["properties"].get(field.alias or name)
        if shape is not None and (told := help_of(plugin, name)):
            shape["description"] = told
    return schema


def help_of(plugin: type[BaseModel], option: str) -> str:
    """What is said of an option: the field's description, the docstring below it, else the first
    sentence of the class's docstring that names it, or of the classes that it stands on.
    """
    field = plugin.model_fields.get(option)
    if field is not None and field.description:
        return field.description
    own = [each for each in plugin.__mro__ if option in inspect.get_annotations(each)]
    for each in own:
        if told := _below_fields(each).get(option):
            return told
    for each in plugin.__mro__:
        if issubclass(each, Plugin) and each is not Plugin:
            for sentence in SENTENCE.split(inspect.cleandoc(each.__dict__.get("__doc__") or "")):
                if re.search(rf"`{option}(`|:)", sentence):
                    return " ".join(sentence.split())
    return ""


@cache
def _below_fields(plugin: type) -> dict[str, str]:
    """Field -> the docstring below it. Nothing where there is no source code."""
    try:
        tree = ast.parse(inspect.cleandoc("\n" + inspect.getsource(plugin)))
    except (OSError, TypeError, SyntaxError):
        return {}
    body = getattr(tree.body[0], "body", [])
    found = {}
    for field, below in pairwise(body):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            match below:
                case ast.Expr(value=ast.Constant(value=str(text))):
                    found[field.target.id] = " ".join(text.split())
    return found


def _kind(shape: Schema, whole: Schema) -> str:
    """A type in words: `integer ≥ 1`, `one of a, b`, `list of text`."""
    if "$ref" in shape:
        shape = whole.get("$defs", {}).get(shape["$ref"].rpartition("/")[2], {})
        if "name" in shape.get("properties", {}) and "options" in shape["properties"]:
            return "plugin"
    if "anyOf" in shape:
        kinds = [_kind(each, whole) for each in shape["anyOf"] if each.get("type") != "null"]
        return " or ".join(dict.fromkeys(kinds))
    if "const" in shape or "enum" in shape:
        return f"one of {', '.join(map(str, shape.get('enum', [shape.get('const')])))}"
    kind = str(shape.get("type", "anything"))
    if kind == "array":
        inner = _kind(shape["items"], whole) if isinstance(shape.get("items"), dict) else "anything"
        return f"list of {inner}"
    named = "path" if shape.get("format") == "path" else KINDS.get(kind, kind)
    if shape.get("format") == "password":
        named = "secret"
    bounds = [f"{sign} {shape[key]:g}" for key, sign in BOUNDS if key in shape]
    return " ".join([named, *bounds])


def _written(value: object) -> str:
    """A default on one line, as a config would say it."""
    plain = to_jsonable_python(value, fallback=str)
    return plain if isinstance(plain, str) else json.dumps(plain, ensure_ascii=False)
