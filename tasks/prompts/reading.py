"""Prompts in YAML files: every mistake at once, each with its file and the path of its key."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from llmops.tasks.errors import ConfigError, Mistake, did_you_mean
from llmops.tasks.prompts import MessageTemplate, Prompt, Variable
from llmops.tasks.prompts.checks import Flaw, flaws, unwritable
from llmops.tasks.yaml_files import parsed, text_of, wrong

MOST_BYTES = 1_000_000
T = TypeVar("T")
MODELS: dict[str, type[BaseModel]] = {"messages": MessageTemplate, "variables": Variable}
EXAMPLE = 'a prompt has a name and messages: [{role: user, content: "{{question}}"}]'
SENTENCES = {
    "literal_error": "allowed: {expected}, got {got}",
    "string_pattern_mismatch": "letters, digits, _ . and - are allowed, at most 200 of them, got {got}",  # noqa: E501
    "string_too_short": "it is empty",
    "too_short": "it is empty: at least one message is wanted",
}


def read_prompt(path: Path) -> Prompt:
    """The prompt in a YAML file. Raises ConfigError with every mistake."""
    content = _loaded(path)
    found = list(unwritable(content))
    if found:  # what multiplies or is no JSON is not looked at any further
        raise ConfigError([_mistake(path, flaw) for flaw in found])
    return prompt_of(content, str(path))


def prompt_of(content: dict[str, Any], where: str) -> Prompt:
    """The prompt that a mapping says. Raises ConfigError with every mistake, each at `where:
    key.path`.
    """
    found = flaws(content)
    try:
        prompt = Prompt.model_validate(content)
    except ValidationError as error:
        typed = [
            _flaw(one) for one in error.errors(include_url=False) if one["loc"]
        ]  # without a place: what flaws() has found too
        raise ConfigError([_mistake(where, flaw) for flaw in [*typed, *found]]) from error
    return prompt


def prompt_files(folder: Path, deep: bool = True) -> list[Path]:
    """The YAML files below a folder that hold a prompt: a mapping with `messages`. Hidden ones are
    passed over. Raises ConfigError for what cannot be read and speaks of messages: it might be one.
    """
    files = sorted(
        path
        for path in (folder.rglob if deep else folder.glob)("*.y*ml")
        if not _hidden(path.relative_to(folder))
    )
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
    files = dict.fromkeys(
        file for path in named for file in (dict(inside).get(path, []) if path.is_dir() else [path])
    )
    prompts, mistakes = _all(files, read_prompt)
    _raise(troubles + mistakes)
    return prompts


def _all(
    paths: Iterable[Path], read: Callable[[Path], T]
) -> tuple[list[tuple[Path, T]], list[Mistake]]:
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
    content = parsed(
        path,
        text,
        "a text that begins with {{ stands in quotes, or after `|`" if "{{" in text else "",
    )
    if not isinstance(content, dict):
        said = (
            "the file is empty"
            if content is None
            else f"a mapping of keys is wanted, got a {type(content).__name__}"
        )
        raise wrong(path, said, EXAMPLE)
    return content


def _text(path: Path) -> str:
    return text_of(
        path,
        "the file of a prompt",
        lambda one: one.name,
        "a prompt in the registry is written prompts:/name@alias",
        MOST_BYTES,
    )


def _mistake(where: object, flaw: Flaw) -> Mistake:
    path, message, hint = flaw
    return Mistake(message, where=f"{where}: {path}" if path else str(where), hint=hint)


def _flaw(error: ErrorDetails) -> Flaw:
    """A complaint of pydantic's in the words of the house."""
    place = "".join(
        f"[{part}]" if isinstance(part, int) else f".{part}" for part in error["loc"]
    ).lstrip(".")
    key, kind = str(error["loc"][-1]), error["type"]
    if kind == "missing":
        return place, f"the key {key!r} is missing", EXAMPLE if len(error["loc"]) == 1 else ""
    if kind == "extra_forbidden":
        allowed = list(
            (
                MODELS.get(str(error["loc"][0]), Prompt) if len(error["loc"]) > 1 else Prompt
            ).model_fields
        )
        hint = f"{did_you_mean(key, allowed)} allowed: {', '.join(allowed)}".lstrip()
        return place, f"unknown key {key!r}", hint
    got = f"{error['input']!r:.80}"
    if kind in SENTENCES:
        return place, SENTENCES[kind].format(got=got, **error.get("ctx", {})), ""
    return place, f"{error['msg'][0].lower()}{error['msg'][1:]}, got {got}", ""
