"""Which prompts of the registry and of the project's folder an application may be tried with."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from llmops.tasks.chat.prompt import KNOWN, check
from llmops.tasks.errors import ConfigError, UsageError
from llmops.tasks.prompts import SCHEME, Resolved
from llmops.tasks.prompts.reading import read_prompt
from llmops.tasks.prompts.references import resolve
from llmops.tasks.prompts.registry import everything

NEWEST = 20
"""Versions of each prompt that are offered, beside those that have an alias."""
FILES = 50
"""Files of prompts that are looked at."""


class PromptChoice(BaseModel):
    """A version that an application can fill."""

    model_config = ConfigDict(frozen=True)
    uri: str
    name: str
    version: int
    aliases: tuple[str, ...]
    note: str
    created_at: datetime


def prompt_choices(home: Path) -> list[PromptChoice]:
    """By name, newest first: what is there when it is asked for. Raises Unavailable where the
    registry does not answer.
    """
    found = []
    for _, versions in sorted(everything(home).items()):
        for place, version in enumerate(versions):
            if place >= NEWEST and not version.aliases:
                continue
            try:
                check(version.prompt, version.uri, KNOWN)
            except ConfigError:  # of another kind, such as a judge's
                continue
            shown = version.model_dump(include=set(PromptChoice.model_fields) - {"uri"})
            found.append(PromptChoice(uri=version.uri, **shown))
    return found


def prompt_files(folder: Path, own: Resolved) -> dict[str, Resolved]:
    """The prompts in files beside the application's own (in `prompts` where that is in the
    registry), by their paths relative to the folder of its config. Files that are no prompts, or
    that an application cannot fill, are left out; nothing outside of the folder is read.
    """
    registered = own.uri.startswith(SCHEME)
    place = folder / "prompts" if registered else (folder / own.uri).parent
    if not place.resolve().is_relative_to(folder.resolve()):
        return {}
    found: dict[str, Resolved] = {}
    for path in sorted(place.glob("*.yaml"))[:FILES]:
        uri = path.relative_to(folder).as_posix()
        if uri == own.uri or path.is_symlink():
            continue
        try:
            prompt = read_prompt(path)
            check(prompt, uri, KNOWN)
        except (ConfigError, UsageError):  # a config, or a prompt of another kind
            continue
        found[uri] = Resolved(prompt=prompt, uri=uri)
    return found


def chosen(
    home: Path, own: Resolved, reference: str, files: Mapping[str, Resolved] | None = None
) -> Resolved:
    """A prompt of the registry, by `prompts:/name/3` or `prompts:/name@alias`, or one of `files`;
    "" is the application's `own`. Raises UsageError for what there is not and for the path of any
    other file, ConfigError for a prompt that an application cannot fill, Unavailable.
    """
    if reference in ("", own.uri):
        return own
    if files and reference in files:
        return files[reference]
    if not reference.startswith(SCHEME):
        raise UsageError(
            f"got the prompt {reference[:80]!r}", hint="allowed: prompts:/name/3, prompts:/name@x"
        )
    resolved = resolve(home, reference, home)
    check(resolved.prompt, resolved.uri, KNOWN)
    return resolved
