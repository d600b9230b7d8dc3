"""Which prompt a reference means: `prompts:/name@alias`, `prompts:/name/3`, or the path of a
file.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from llmops.tasks.errors import UsageError, did_you_mean
from llmops.tasks.prompts import SCHEME, Resolved
from llmops.tasks.prompts.reading import read_prompt
from llmops.tasks.prompts.registry import RegistryVersion, all_versions, version_of
from llmops.tasks.tracking.prompts import open_registry

REFERENCE = re.compile(
    r"([A-Za-z0-9_.-]{1,200})(?:@([A-Za-z][A-Za-z0-9_-]{0,60})|/([1-9][0-9]{0,8}))"
)
LATEST = "latest"


def resolve(home: Path, reference: str, folder: Path) -> Resolved:
    """The prompt behind `prompts:/name@alias`, `prompts:/name/3`, or a file's path relative to a
    folder. Nothing is cached, nothing is created. Raises UsageError for what there is not,
    ConfigError with every mistake of a file or version, Unavailable."""
    if not reference.startswith("prompts:"):
        return Resolved(prompt=read_prompt(folder / reference), uri=reference)
    match = REFERENCE.fullmatch(reference.removeprefix(SCHEME))
    if not reference.startswith(SCHEME) or match is None:
        raise UsageError(
            f"got the reference {reference!r}",
            where="prompt",
            hint="allowed: prompts:/name@alias, prompts:/name/3, prompts:/name@latest, or the "
            "path of a file",
        )
    name, alias, number = match.groups()
    with open_registry(home) as shelf:
        versions = all_versions(shelf, name)
    version = version_of(versions, int(number)) if number else _aliased(versions, name, alias)
    return Resolved(prompt=version.prompt, uri=version.uri, version=version.version, alias=alias)


def resolve_short(home: Path, text: str, folder: Path) -> Resolved:
    """The same in the short forms of the command line: NAME is its latest version, NAME@alias,
    NAME/3, a file's path.
    """
    if text.startswith("prompts:") or text.endswith((".yaml", ".yml")) or (folder / text).is_file():
        return resolve(home, text, folder)
    whole = text if "@" in text or "/" in text else f"{text}@{LATEST}"
    return resolve(home, f"{SCHEME}{whole}", folder)


def _aliased(versions: Sequence[RegistryVersion], name: str, alias: str) -> RegistryVersion:
    if alias == LATEST:
        return versions[0]
    for version in versions:
        if alias in version.aliases:
            return version
    known = sorted(other for version in versions for other in version.aliases)
    others = f"; it has {', '.join(known)}" if known else ""
    raise UsageError(
        f"the prompt {name!r} has no alias {alias!r}{others}",
        hint=did_you_mean(alias, known)
        or "set it for the first time: llmops prompts promote "
        f"{name} --version {versions[0].version} --alias {alias} --first",
    )
