"""Prompts in YAML files: every mistake at once, each with its file and the path of its key."""

from collections.abc import Callable, Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from tasks.errors import ConfigError, Mistake
from tasks.prompts import Part, Prompt, Variable
from tasks.prompts.checks import Flaw, flaws, unwritable

MOST_BYTES = 1_000_000
T = TypeVar("T")
MODELS: dict[str, type[BaseModel]] = {"messages": Part, "variables": Variable}
EXAMPLE = 'a prompt has a name and messages: [{role: user, content: "{{question}}"}]'
SENTENCES = {
    "literal_error": "allowed: {expected}, got {got}",
    "string_pattern_mismatch": "letters, digits, _ . and - are allowed, at most 200 of them, got {got}",
    "string_too_short": "it is empty",
    "too_short": "it is empty: at least one message is wanted",
}


class _Loader(yaml.SafeLoader):
    """Safe YAML in which a key may stand only once: of two, one would silently not count."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                if key.value in seen:
                    raise yaml.constructor.ConstructorError(None, None, f"the key {key.value!r} stands here twice", key.start_mark)
                seen.add(key.value)
        return super().construct_mapping(node, deep)


def read_prompt(path: Path) -> Prompt:
    """The prompt in a YAML file. Raises ConfigError with every mistake."""
    content = _loaded(path)
    found = list(unwritable(content))
    if found:  # what multiplies or is no JSON is not looked at any further
        raise ConfigError([_mistake(path, flaw) for flaw in found])
    return prompt_of(content, str(path))


def prompt_of(content: dict[str, Any], where: str) -> Prompt:
    """The prompt that a mapping says. Raises ConfigError with every mistake, each at `where: key.path`."""
    found = flaws(content)
    try:
        prompt = Prompt.model_validate(content)
    except ValidationError as error:
        typed = [_flaw(one) for one in error.errors(include_url=False) if one["loc"]]  # without a place: what flaws() has found too
        raise ConfigError([_mistake(where, flaw) for flaw in [*typed, *found]]) from error
    return prompt


def prompt_files(folder: Path, deep: bool = True) -> list[Path]:
    """The YAML files below a folder that hold a prompt: a mapping with `messages`. Hidden ones are passed over. Raises ConfigError for
    what cannot be read and speaks of messages: it might be one."""
    files = sorted(path for path in (folder.rglob if deep else folder.glob)("*.y*ml") if not _hidden(path.relative_to(folder)))
    looked, found = _all(files, _is_prompt)
    _raise(found)
    return [path for path, one in looked if one]


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _is_prompt(path: Path) -> bool:
    try:
        return "messages" in _loaded(path)
    except ConfigError:
        if "messages" in _text(path):
            raise
        return False


def read_prompts(paths: Iterable[Path]) -> list[tuple[Path, Prompt]]:
    """The prompts in files and folders. Raises ConfigError with the mistakes of all files."""
    named = list(paths)
    inside, troubles = _all([path for path in named if path.is_dir()], prompt_files)
    files = dict.fromkeys(file for path in named for file in (dict(inside).get(path, []) if path.is_dir() else [path]))
    prompts, mistakes = _all(files, read_prompt)
    _raise(troubles + mistakes)
    return prompts


def _all(paths: Iterable[Path], read: Callable[[Path], T]) -> tuple[list[tuple[Path, T]], list[Mistake]]:
    """What could be read, and the mistakes of the rest."""
    done: list[tuple[Path, T]] = []
    found: list[Mistake] = []
    for path in paths:
        try:
            done.append((path, read(path)))
        except ConfigError as error:
            found += error.found
    return done, found


def _raise(found: list[Mistake]) -> None:
    if found:
        raise ConfigError(list(dict.fromkeys(found)))


def _loaded(path: Path) -> dict[str, Any]:
    text = _text(path)
    try:
        content = yaml.load(text, _Loader)
    except (yaml.YAMLError, ValueError) as error:  # ValueError: a date such as 2024-13-45
        hint = "a text that begins with {{ stands in quotes, or after `|`" if "{{" in text else ""
        raise _wrong(path, f"not valid YAML: {_where(error)}", hint) from error
    except RecursionError as error:
        raise _wrong(path, "not valid YAML: it is nested too deeply") from error
    if not isinstance(content, dict):
        said = "the file is empty" if content is None else f"a mapping of keys is wanted, got a {type(content).__name__}"
        raise _wrong(path, said, EXAMPLE)
    return content


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > MOST_BYTES:
            raise _wrong(path, f"the file has more than {MOST_BYTES:,} bytes", "a prompt is a text that a model reads")
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        near = ", ".join(sorted(one.name for one in path.parent.glob("*.y*ml"))[:5]) if path.parent.is_dir() else ""
        hint = f"here are: {near}" if near else "a prompt in the registry is written prompts:/name@alias"
        raise _wrong(path, "no such file", hint) from error
    except IsADirectoryError as error:
        raise _wrong(path, "this is a folder, the file of a prompt is wanted") from error
    except UnicodeDecodeError as error:
        raise _wrong(path, "the file is not UTF-8 text", "save it as UTF-8") from error
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise _wrong(path, f"the file cannot be read: {getattr(error, 'strerror', None) or error}") from error


def _where(error: Exception) -> str:
    mark, reason = getattr(error, "problem_mark", None), getattr(error, "problem", None)
    reason = reason or str(error).splitlines()[0].partition(' in "<')[0]
    return " ".join(f"{reason}, in line {mark.line + 1}, column {mark.column + 1}".split()) if mark else str(reason)


def _wrong(path: Path, message: str, hint: str = "") -> ConfigError:
    return ConfigError([Mistake(message, where=f"{path!s:.300}", hint=hint)])


def _mistake(where: object, flaw: Flaw) -> Mistake:
    path, message, hint = flaw
    return Mistake(message, where=f"{where}: {path}" if path else str(where), hint=hint)


def _flaw(error: ErrorDetails) -> Flaw:
    """A complaint of pydantic's in the words of the house."""
    place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error["loc"]).lstrip(".")
    key, kind = str(error["loc"][-1]), error["type"]
    if kind == "missing":
        return place, f"the key {key!r} is missing", EXAMPLE if len(error["loc"]) == 1 else ""
    if kind == "extra_forbidden":
        allowed = list((MODELS.get(str(error["loc"][0]), Prompt) if len(error["loc"]) > 1 else Prompt).model_fields)
        close = get_close_matches(key, allowed, 1)
        return place, f"unknown key {key!r}", (f"did you mean {close[0]}? " if close else "") + f"allowed: {', '.join(allowed)}"
    got = f"{error['input']!r:.80}"
    if kind in SENTENCES:
        return place, SENTENCES[kind].format(got=got, **error.get("ctx", {})), ""
    return place, f"{error['msg'][0].lower()}{error['msg'][1:]}, got {got}", ""

