"""From a file, and what the command line says about it, to a mapping: without knowing what a config may contain."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from tasks.errors import ConfigError, Mistake

BEGINNING = "a config begins with a line such as `flow: index`"
Defaults = Mapping[str, Mapping[str, Any]]


class _Loader(yaml.SafeLoader):
    """Safe YAML in which a key may stand only once: of two, one would silently not count."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            if key.tag != "tag:yaml.org,2002:merge" and key.value in seen and isinstance(key, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(None, None, f"the key {key.value!r} stands here twice", key.start_mark)
            seen.add(key.value if isinstance(key, yaml.ScalarNode) else None)
        return super().construct_mapping(node, deep)


def load_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file. Raises ConfigError when it is not one, with line and column where YAML knows them."""
    text = _text(path)
    try:
        content = yaml.load(text, _Loader)
    except (yaml.YAMLError, ValueError) as error:  # ValueError: a date such as 2024-13-45
        hint = 'inside {…} write it in quotes: "${NAME}"' if "${" in text else ""
        raise _wrong(path, f"not valid YAML: {_where(error)}", hint) from error
    except RecursionError as error:
        raise _wrong(path, "not valid YAML: it is nested too deeply") from error
    if content is None:
        raise _wrong(path, "the file is empty", BEGINNING)
    if not isinstance(content, dict):
        raise _wrong(path, f"a mapping of keys is wanted, got a {type(content).__name__}", BEGINNING)
    return content


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        near = ", ".join(sorted(str(p) for p in path.parent.glob("*.y*ml"))[:5]) if path.parent.is_dir() else ""
        raise _wrong(path, "no such file", f"here are: {near}" if near else "") from error
    except IsADirectoryError as error:
        raise _wrong(path, "this is a folder, a config file is wanted") from error
    except PermissionError as error:
        raise _wrong(path, "the file may not be read", "check its permissions") from error
    except UnicodeDecodeError as error:
        raise _wrong(path, "the file is not UTF-8 text", "save it as UTF-8") from error
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise _wrong(path, f"the file cannot be read: {getattr(error, 'strerror', None) or error}") from error


def _where(error: Exception) -> str:
    """YAML's complaint in one line, with the place in words of people: lines and columns from 1."""
    mark = getattr(error, "problem_mark", None)
    reason = getattr(error, "problem", None) or str(error).splitlines()[0].partition(' in "<')[0]
    return " ".join(f"{reason}, in line {mark.line + 1}, column {mark.column + 1}".split()) if mark else str(reason)


def _wrong(path: Path, message: str, hint: str = "") -> ConfigError:
    where = str(path)
    return ConfigError([Mistake(message, where=where if len(where) <= 300 else f"{where[:300]}…", hint=hint)])


def apply(content: dict[str, Any], changes: Iterable[str], defaults: Defaults) -> dict[str, Any]:
    """Apply `chunk.size=300`, `sources.0.path=docs`; values are read as YAML. `defaults`: what a key holds that is not written."""
    for change in changes:
        path, sign, value = change.partition("=")
        keys = path.split(".")
        if not sign or not all(keys):
            raise _wrong_change(f"got {change!r}, wanted key.path=value", "--set chunk.size=300")
        if len(keys) > 1 and keys[0] in defaults:
            content.setdefault(keys[0], dict(defaults[keys[0]]))
        try:
            _assign(content, keys, yaml.load(value, _Loader))
        except (yaml.YAMLError, RecursionError) as error:
            raise _wrong_change(f"the value of {change!r} is not valid YAML", "quote it twice: --set 'key=\"value\"'") from error
        except (ValueError, IndexError, TypeError) as error:
            raise _wrong_change(f"{change!r} does not fit the config", "lists take numbers: sources.0.path=…") from error
    return content


def _wrong_change(message: str, hint: str) -> ConfigError:
    return ConfigError([Mistake(message, where="--set", hint=hint)])


def _assign(content: Any, keys: list[str], value: Any) -> None:
    for position, key in enumerate(keys):
        index: Any = int(key) if isinstance(content, list) else key
        if position == len(keys) - 1:
            content[index] = value
            return
        inner = content[index] if isinstance(content, list) else content.setdefault(index, {})
        if isinstance(inner, str):
            inner = content[index] = {"name": inner}
        content = inner
