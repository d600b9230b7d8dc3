"""Prompts in MLflow's registry: versions, each known by the hash of what it says, and how a prompt
gets there.
"""

import contextlib
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from llmops.tasks.audit.actor import actor
from llmops.tasks.errors import ConfigError, Unavailable, UsageError, did_you_mean
from llmops.tasks.ledger import make_folder
from llmops.tasks.prompts import SCHEME, Prompt, Resolved
from llmops.tasks.prompts.reading import prompt_of
from llmops.tasks.tracking.prompt_versions import PromptContent, PromptVersion
from llmops.tasks.tracking.prompts import Registry, open_registry

NAME = re.compile(r"[A-Za-z0-9_.-]{1,200}")
SHOWN = 20
LOCK_SECONDS = 120.0


class RegistryVersion(PromptVersion):
    """A version, and the prompt that it holds."""

    @cached_property
    def prompt(self) -> Prompt:
        """Raises ConfigError for a version that cannot be used here: a template of Jinja, messages
        that are no texts, broken JSON.
        """
        return prompt_of(self.content(), self.uri)

    @cached_property
    def sha256(self) -> str | None:
        """Of what the version says now, whatever its tags claim; None for one that cannot be
        used.
        """
        try:
            return self.prompt.sha256
        except ConfigError:
            return None

    @property
    def edited(self) -> bool:
        """Whether it says something else than when it was pushed. Of a version made elsewhere
        nobody knows.
        """
        return self.pushed_sha256 is not None and self.pushed_sha256 != self.sha256


class Pushed(BaseModel):
    """`made`: whether it is a new version, rather than one that says the same already."""

    model_config = ConfigDict(frozen=True)
    resolved: Resolved
    made: bool


def versions_in(shelf: Registry, name: str) -> list[RegistryVersion]:
    """The versions of a prompt, newest first; none of a prompt that is not known."""
    return as_versions(shelf.versions(name))


def as_versions(plain: Iterable[PromptVersion]) -> list[RegistryVersion]:
    return [RegistryVersion.model_validate(dict(version)) for version in plain]


def all_versions(shelf: Registry, name: str) -> list[RegistryVersion]:
    """The versions of a prompt, newest first. Raises UsageError for an unknown one."""
    versions = versions_in(shelf, name) if NAME.fullmatch(name) else []
    if not versions:
        raise UsageError(
            f"there is no prompt {name!r} in the registry", hint=_near(name, shelf.prompts())
        )
    return versions


def everything(home: Path) -> dict[str, list[RegistryVersion]]:
    """The versions of all prompts by name, newest first. Raises Unavailable."""
    with open_registry(home) as shelf:
        return {name: as_versions(found) for name, found in shelf.everything().items()}


def version_of(versions: Sequence[RegistryVersion], number: int) -> RegistryVersion:
    """Raises UsageError for a number that there is not."""
    for version in versions:
        if version.version == number:
            return version
    listed = ", ".join(str(version.version) for version in versions[:SHOWN])
    raise UsageError(
        f"the prompt {versions[0].name!r} has no version {number}", hint=f"its versions: {listed}"
    )


def push(home: Path, prompt: Prompt, who: str = "") -> Resolved:
    """The version that says what the prompt says: made when there is none. Raises ConfigError for
    what the registry does not take.
    """
    return push_all(home, [prompt], who)[0].resolved


def push_all(home: Path, prompts: Iterable[Prompt], who: str = "", note: str = "") -> list[Pushed]:
    """Push several prompts, one after the other."""
    with alone(home), open_registry(home, write=True) as shelf:
        return [push_to(shelf, prompt, who or actor(), note) for prompt in prompts]


def push_to(shelf: Registry, prompt: Prompt, who: str, note: str) -> Pushed:
    """Push into a registry that is open, while nobody else of this home does."""
    same = _saying(shelf, prompt)
    number = same[0] if same else shelf.create(content_of(prompt), who, note)
    made = not same
    if made and (earlier := [one for one in _saying(shelf, prompt) if one < number]):
        # somebody on another machine was quicker
        shelf.withdraw(prompt.name, number)
        number, made = earlier[0], False
    return Pushed(
        resolved=Resolved(prompt=prompt, uri=f"{SCHEME}{prompt.name}/{number}", version=number),
        made=made,
    )


def _saying(shelf: Registry, prompt: Prompt) -> list[int]:
    return [
        version.version
        for version in versions_in(shelf, prompt.name)
        if version.sha256 == prompt.sha256
    ]


def content_of(prompt: Prompt) -> PromptContent:
    """A prompt as the registry is given it."""
    declared = prompt.model_dump(mode="json", exclude_defaults=True).get("variables")
    return PromptContent(
        name=prompt.name,
        messages=[{"role": part.role, "content": part.content} for part in prompt.messages],
        variables=declared or {},
        model=prompt.model,
        output=prompt.output,
        description=prompt.description,
        sha256=prompt.sha256,
    )


@contextlib.contextmanager
def alone(home: Path) -> Iterator[None]:
    """No other process of this home changes prompts meanwhile."""
    from filelock import FileLock, Timeout

    make_folder(home / "mlflow")
    lock = FileLock(home / "mlflow" / "prompts.lock", timeout=LOCK_SECONDS)
    try:
        lock.acquire()
    except Timeout as error:
        raise Unavailable(
            "another process is changing prompts", where=str(home), hint="wait for it, or end it"
        ) from error
    except OSError as error:
        raise Unavailable(
            f"the folder cannot be written: {error.strerror or error}",
            where=lock.lock_file,
            hint="set LLMOPS_HOME to a folder that you may write to",
        ) from error
    try:
        yield
    finally:
        lock.release()


def _near(name: str, known: Iterable[str]) -> str:
    names = sorted(known)
    if not names:
        return "there are none yet: llmops prompts push FILE"
    there = f"there are {', '.join(names[:SHOWN])}; a new one: llmops prompts push FILE"
    return did_you_mean(name, names, most=3) or there
