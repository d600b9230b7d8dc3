"""From what somebody chose to the text of a config: as a person would have written it, with
defaults left out; and an existing file with nothing changed but what is meant.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from io import StringIO
from typing import Any, NamedTuple

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import to_jsonable_python
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq

from llmops.configs.reading import Content
from llmops.configs.section import FlowConfig
from llmops.tasks.errors import ConfigError
from llmops.tasks.plugins import Plugin, Spec, find
from llmops.tasks.yaml_files import WIDTH, read_yaml

LINE = 96
"""What fits in one pair of brackets; longer ones stand below each other."""
COMMENT = re.compile(r"#[^\n]*")


class Rewritten(NamedTuple):
    """The text of a file as it would be. `lost`: comments that do not stand in it any more."""

    text: str
    lost: tuple[str, ...] = ()


def defaults_of(model: type[BaseModel]) -> dict[str, object]:
    """Field -> what it is where nobody says anything, as YAML has it; required ones are left
    out.
    """
    fields = {name: field for name, field in model.model_fields.items() if not field.is_required()}
    return {name: _default(field) for name, field in fields.items()}


def _default(field: FieldInfo) -> object:
    return to_jsonable_python(field.get_default(call_default_factory=True), fallback=str)


def short(entry: object, family: type[Plugin]) -> object:
    """A plugin as a person would write it: its name alone, or beside the options that are not at
    their defaults. What is no entry stays as it is.
    """
    if not isinstance(entry, Mapping) or not isinstance(entry.get("name"), str):
        return entry
    try:
        defaults = defaults_of(find(family.family, entry["name"]))
    except ConfigError:  # the check says it
        defaults = {}
    options = {k: v for k, v in entry.items() if k != "name" and (k, v) not in defaults.items()}
    return {"name": entry["name"], **options} if options else entry["name"]


def tidied(content: Mapping[str, object], model: type[FlowConfig]) -> Content:
    """The content with short plugins, and without what says nothing new."""
    own = _written_defaults(model)
    said = _shortened(content, model)
    return {key: value for key, value in said.items() if key not in own or own[key] != value}


def _shortened(content: Mapping[str, object], model: type[FlowConfig]) -> Content:
    found: Content = {}
    for key, value in content.items():
        one, several = model.plugins.get(key), model.plugins.get(f"{key}.*")
        if one and isinstance(value, Mapping) and "name" not in value:
            default = model.default_plugins()[key]
            value = {"name": default.name, **value}
        if one:
            found[key] = short(value, one)
        elif several and isinstance(value, Sequence) and not isinstance(value, str):
            found[key] = [short(each, several) for each in value]
        else:
            found[key] = value
    return found


def _written_defaults(model: type[FlowConfig]) -> Content:
    """The defaults of a config in the form that `tidied` gives."""
    found: Content = {}
    for name, field in model.model_fields.items():
        default = field.get_default(call_default_factory=True)
        if isinstance(default, Spec):
            found[name] = short(default.short(), model.plugins[name])
        elif isinstance(default, list) and default and isinstance(default[0], Spec):
            family = model.plugins[f"{name}.*"]
            found[name] = [short(spec.short(), family) for spec in default]
        elif not field.is_required():
            found[name] = to_jsonable_python(default, fallback=str)
    return found


def written(content: Mapping[str, object], model: type[FlowConfig]) -> str:
    """The text of a new file."""
    tidy = tidied(content, model)
    text = _dumped(CommentedMap((key, _node(value, key)) for key, value in tidy.items()))
    assert read_yaml(text) == tidy, "a config that is written is read back as it was"
    return text


def rewritten(text: str, content: Mapping[str, object], model: type[FlowConfig]) -> Rewritten:
    """An existing text that says what `content` says. Its comments, order and spelling stay where
    what they are about stays; where the file cannot be changed in part, it is written anew.
    """
    before = read_yaml(text)
    assert isinstance(before, dict), "the text of a config"
    old, new = tidied(before, model), tidied(content, model)
    if old == new:
        return Rewritten(text)
    document = _round_trip().load(text)
    said = _shortened(before, model)
    _change(document, {**said, **old}, {**_kept(said, old), **new})
    result = _dumped(document)
    back = read_yaml(result)
    if not isinstance(back, dict) or tidied(back, model) != new:  # such as anchors
        result = written(content, model)
    return Rewritten(result, _lost(text, result))


def _kept(said: Content, old: Content) -> Content:
    """What stands there although it is a default."""
    return {key: value for key, value in said.items() if key not in old}


def _change(node: CommentedMap, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    for key in [key for key in old if key not in new]:
        del node[key]
    for key, value in new.items():
        if key in old and old[key] == value:
            continue
        there = node.get(key)
        if isinstance(there, CommentedMap) and isinstance(value, Mapping | str):
            _change(there, _long(old[key]), _long(value))
        elif isinstance(there, CommentedSeq) and isinstance(value, list) and key in old:
            _change_list(there, old[key], value)
        else:
            node[key] = _node(value, key)


def _long(value: object) -> Mapping[str, Any]:
    """A bare name is a plugin's."""
    return value if isinstance(value, Mapping) else {"name": value}


def _change_list(node: CommentedSeq, old: Sequence[Any], new: Sequence[Any]) -> None:
    """Items that stay keep their comments, where the others come after them or are taken out from
    between.
    """
    kept = [place for place, item in enumerate(old) if item in new]
    if [old[place] for place in kept] == list(new[: len(kept)]):
        for place in reversed(range(len(old))):
            if place not in kept:
                del node[place]
        node.extend(_node(each) for each in new[len(kept) :])
    elif len(old) == len(new):
        for place, (was, now) in enumerate(zip(old, new, strict=True)):
            there = node[place]
            if was == now:
                continue
            if isinstance(there, CommentedMap) and _long(was).get("name") == _long(now).get("name"):
                _change(there, _long(was), _long(now))
            else:
                node[place] = _node(now)
    else:
        node.clear()
        node.extend(_node(each) for each in new)


def _node(value: object, key: str = "") -> object:
    """A value laid out as people lay it out: short lists and mappings in brackets."""
    if isinstance(value, Mapping):
        node: CommentedMap | CommentedSeq = CommentedMap((k, _node(v)) for k, v in value.items())
    elif isinstance(value, list | tuple):
        node = CommentedSeq(_node(each) for each in value)
    else:
        return value
    below = key in ("sources", "arms") or len(str(value)) + len(key) > LINE
    if not below:
        node.fa.set_flow_style()
    else:
        node.fa.set_block_style()
    return node


def _round_trip() -> YAML:
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width, yaml.allow_unicode = WIDTH, True
    yaml.indent(mapping=2, sequence=4, offset=2)
    return yaml


def _dumped(document: CommentedMap) -> str:
    stream = StringIO()
    _round_trip().dump(document, stream)
    return stream.getvalue()


def _lost(before: str, after: str) -> tuple[str, ...]:
    gone = Counter(comments(before)) - Counter(comments(after))
    return tuple(gone.elements())


def comments(text: str) -> list[str]:
    """The comments of a YAML text, in their order: what begins with # between its tokens."""
    found: list[str] = []
    end = 0
    for token in YAML(typ="safe", pure=True).scan(text):
        found += COMMENT.findall(text[end : token.start_mark.index])
        end = max(end, token.end_mark.index)
    return [each.rstrip() for each in (*found, *COMMENT.findall(text[end:]))]
