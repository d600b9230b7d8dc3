"""From a file, and what the command line says about it, to a mapping: without knowing what a config
may contain.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from llmops.tasks.errors import ConfigError, Mistake
from llmops.tasks.yaml_files import NoYaml, parsed, read_yaml, text_of, wrong

BEGINNING = "a config begins with a line such as `flow: index`"
Defaults = Mapping[str, Mapping[str, Any]]


def load_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file. Raises ConfigError when it is not one, with line and column where
    YAML knows them.
    """
    text = text_of(path, "a config file")
    content = parsed(path, text, 'inside {…} write it in quotes: "${NAME}"' if "${" in text else "")
    if content is None:
        raise wrong(path, "the file is empty", BEGINNING)
    if not isinstance(content, dict):
        raise wrong(path, f"a mapping of keys is wanted, got a {type(content).__name__}", BEGINNING)
    return content


def apply(content: dict[str, Any], changes: Iterable[str], defaults: Defaults) -> dict[str, Any]:
    """Apply `chunk.size=300`, `sources.0.path=docs`; values are read as YAML. `defaults`: what a
    key holds that is not written.
    """
    for change in changes:
        path, sign, value = change.partition("=")
        keys = path.split(".")
        if not sign or not all(keys):
            raise _wrong_change(f"got {change!r}, wanted key.path=value", "--set chunk.size=300")
        if len(keys) > 1 and keys[0] in defaults:
            content.setdefault(keys[0], dict(defaults[keys[0]]))
        try:
            _assign(content, keys, read_yaml(value))
        except NoYaml as error:
            raise _wrong_change(
                f"the value of {change!r} is not valid YAML",
                "quote it twice: --set 'key=\"value\"'",
            ) from error
        except (ValueError, IndexError, TypeError) as error:
            raise _wrong_change(
                f"{change!r} does not fit the config", "lists take numbers: sources.0.path=…"
            ) from error
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
