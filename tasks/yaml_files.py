"""Strict YAML in the files of people: a key stands once, and each complaint says where."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from llmops.tasks.errors import ConfigError, Mistake


class Strict(yaml.SafeLoader):
    """Safe YAML in which a key may stand only once: of two, one would silently not count."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                if key.value in seen:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"the key {key.value!r} stands here twice", key.start_mark
                    )
                seen.add(key.value)
        return super().construct_mapping(node, deep)


def parsed(path: Path, text: str, hint: str) -> Any:
    """What the text of a file says. Raises ConfigError with line and column where YAML knows them;
    `hint`: what may be the cause.
    """
    try:
        return yaml.load(text, Strict)
    except (yaml.YAMLError, ValueError) as error:  # ValueError: a date such as 2024-13-45
        raise wrong(path, f"not valid YAML: {_where(error)}", hint) from error
    except RecursionError as error:
        raise wrong(path, "not valid YAML: it is nested too deeply") from error


def text_of(path: Path, wanted: str, near: Callable[[Path], str] = str, absent: str = "") -> str:
    """The text of a file. Raises ConfigError where it cannot be read; `wanted`: what should have
    been there; `near`: how files beside a missing one are named; `absent`: the hint where there are
    none."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        beside = (
            ", ".join(sorted(near(one) for one in path.parent.glob("*.y*ml"))[:5])
            if path.parent.is_dir()
            else ""
        )
        raise wrong(path, "no such file", f"here are: {beside}" if beside else absent) from error
    except IsADirectoryError as error:
        raise wrong(path, f"this is a folder, {wanted} is wanted") from error
    except PermissionError as error:
        raise wrong(path, "the file may not be read", "check its permissions") from error
    except UnicodeDecodeError as error:
        raise wrong(path, "the file is not UTF-8 text", "save it as UTF-8") from error
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise wrong(
            path, f"the file cannot be read: {getattr(error, 'strerror', None) or error}"
        ) from error


def wrong(path: Path, message: str, hint: str = "") -> ConfigError:
    where = str(path)
    return ConfigError(
        [Mistake(message, where=where if len(where) <= 300 else f"{where[:300]}…", hint=hint)]
    )


def _where(error: Exception) -> str:
    """YAML's complaint in one line, with the place in words of people: lines and columns from 1."""
    mark = getattr(error, "problem_mark", None)
    reason = getattr(error, "problem", None) or str(error).splitlines()[0].partition(' in "<')[0]
    return (
        " ".join(f"{reason}, in line {mark.line + 1}, column {mark.column + 1}".split())
        if mark
        else str(reason)
    )
