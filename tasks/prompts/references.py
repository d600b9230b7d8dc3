"""Which prompt a reference means: `prompts:/name@alias`, `prompts:/name/3`, or the path of a
file.
"""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from llmops.tasks.errors import UsageError, did_you_mean
from llmops.tasks.prompts import Resolved
from llmops.tasks.prompts.reading import read_prompt
from llmops.tasks.tracking.prompt_versions import Version
from llmops.tasks.tracking.prompts import Registry, registry

SCHEME = "prompts:/"
NAME = re.compile(r"[A-Za-z0-9_.-]{1,200}")
REFERENCE = re.compile(
    r"([A-Za-z0-9_.-]{1,200})(?:@([A-Za-z][A-Za-z0-9_-]{0,60})|/([1-9][0-9]{0,8}))"
)
LATEST = "latest"
SHOWN = 20


def resolve(home: Path, reference: str, folder: Path) -> Resolved:
    """The prompt behind `prompts:/name@alias`, `prompts:/name/3`, or a file's path relative to a
    folder. Nothing is cached, nothing is created. Raises UsageError for what there is not,
    ConfigError with every mistake of a file or version, Unavailable."""
    if not reference.startswith("prompts:"):
        return Resolved(prompt=read_prompt(folder / reference), uri=reference)
    with registry(home) as shelf:
        return found(shelf, reference)


def found(shelf: Registry, reference: str) -> Resolved:
    """The same for a reference to a registry that is open."""
    match = REFERENCE.fullmatch(reference.removeprefix(SCHEME))
    if not reference.startswith(SCHEME) or match is None:
        raise UsageError(
            f"got the reference {reference!r}",
            where="prompt",
            hint="allowed: prompts:/name@alias, prompts:/name/3, prompts:/name@latest, or the "
            "path of a file",
        )
    name, alias, number = match.groups()
    versions = all_versions(shelf, name)
    version = version_of(versions, int(number)) if number else _aliased(versions, name, alias)
    return Resolved(prompt=version.prompt, uri=version.uri, version=version.version, alias=alias)


def all_versions(shelf: Registry, name: str) -> list[Version]:
    """The versions of a prompt, newest first. Raises UsageError for an unknown one."""
    versions = shelf.versions(name) if NAME.fullmatch(name) else []
    if not versions:
        raise UsageError(
            f"there is no prompt {name!r} in the registry", hint=_near(name, shelf.prompts())
        )
    return versions


def version_of(versions: Sequence[Version], number: int) -> Version:
    """Raises UsageError for a number that there is not."""
    for one in versions:
        if one.version == number:
            return one
    listed = ", ".join(str(one.version) for one in versions[:SHOWN])
    raise UsageError(
        f"the prompt {versions[0].name!r} has no version {number}", hint=f"its versions: {listed}"
    )


def _aliased(versions: Sequence[Version], name: str, alias: str) -> Version:
    if alias == LATEST:
        return versions[0]
    for one in versions:
        if alias in one.aliases:
            return one
    known = sorted(other for one in versions for other in one.aliases)
    others = f"; it has {', '.join(known)}" if known else ""
    raise UsageError(
        f"the prompt {name!r} has no alias {alias!r}{others}",
        hint=did_you_mean(alias, known)
        or "set it for the first time: llmops prompts promote "
        f"{name} --version {versions[0].version} --alias {alias} --first",
    )


def _near(name: str, known: Iterable[str]) -> str:
    names = sorted(known)
    return did_you_mean(name, names, most=3) or (
        f"there are {', '.join(names[:SHOWN])}"
        if names
        else "there are none yet: llmops prompts push FILE"
    )
