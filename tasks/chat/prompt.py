"""The prompt of an application as it is now: a file, or a version that an alias of the registry
points to. No request waits for the registry.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from llmops.tasks.errors import ConfigError, LlmopsError, Mistake
from llmops.tasks.ledger import now
from llmops.tasks.plugins.llms import Message, Request
from llmops.tasks.prompts import RETRIEVED, Prompt, Resolved
from llmops.tasks.prompts.references import resolve

log = logging.getLogger(__name__)
SECONDS = 10.0
"""How long a prompt is believed to be the newest."""
QUESTION, HISTORY = "question", "history"
KNOWN = (QUESTION, RETRIEVED, HISTORY)


class PromptState(NamedTuple):
    """`since`: from when on it could not be asked for, `trouble` says why; the last good version
    goes on."""

    uri: str
    version: int | None
    since: datetime | None = None
    trouble: str = ""


class LivePrompt:
    """`reference`: `prompts:/name@alias`, `prompts:/name/3` or a file's path relative to a folder.
    `known`: the variables that it may have.
    """

    def __init__(
        self,
        home: Path,
        reference: str,
        folder: Path,
        *,
        known: Sequence[str] = KNOWN,
        seconds: float = SECONDS,
    ) -> None:
        self._home, self._reference, self._folder = home, reference, folder
        self._known, self._seconds = known, seconds
        self._resolved: Resolved | None = None
        self._since: datetime | None = None
        self._trouble, self._asked = "", 0.0
        self._refreshing = threading.Lock()

    async def start(self) -> Resolved:
        """Read it for the first time. Raises UsageError for what there is not, ConfigError for what
        cannot be used here, Unavailable.
        """
        self._resolved = await asyncio.to_thread(self._read)
        self._asked = time.monotonic()
        return self._resolved

    def current(self) -> Resolved:
        """The last good version, at once. Where it is older than the time it is believed, a thread
        of its own asks for the next one meanwhile.
        """
        if self._resolved is None:
            raise RuntimeError("a live prompt is started first")
        if time.monotonic() - self._asked >= self._seconds and self._refreshing.acquire(False):
            threading.Thread(target=self._refresh, name="prompt", daemon=True).start()
        return self._resolved

    def state(self) -> PromptState:
        """Which version is used, and whether that is the newest."""
        resolved = self.current()
        return PromptState(resolved.uri, resolved.version, self._since, self._trouble)

    def _refresh(self) -> None:
        try:
            self._resolved = self._read()
            self._since, self._trouble = None, ""
        except LlmopsError as error:
            if self._since is None:
                log.warning("the prompt %s stays as it is: %s", self._reference, error)
            self._since, self._trouble = self._since or now(), str(error)
        finally:
            self._asked = time.monotonic()
            self._refreshing.release()

    def _read(self) -> Resolved:
        resolved = resolve(self._home, self._reference, self._folder)
        check(resolved.prompt, resolved.uri, self._known)
        return resolved


def check(prompt: Prompt, uri: str, known: Sequence[str]) -> None:
    """Raises ConfigError for a prompt that the application cannot fill."""
    odd = [
        name
        for name in prompt.names
        if name not in known and not (name in prompt.variables and prompt.variables[name].optional)
    ]
    mistakes = [
        Mistake(
            f"the prompt has the variable {name!r}, which an application does not fill",
            where=uri,
            hint=f"allowed: {', '.join(known)}, and variables with a default",
        )
        for name in odd
    ]
    if QUESTION not in prompt.names:
        mistakes.append(
            Mistake(
                "the prompt does not ask the question",
                where=uri,
                hint="put {{question}} into one of its messages",
            )
        )
    if mistakes:
        raise ConfigError(mistakes)


def filled(
    prompt: Prompt, question: str, passages: str, history: Sequence[Message] = ()
) -> Request:
    """The request for a question. What was said before stands where the prompt wants it
    (`{{history}}`), else as messages before its last one.
    """
    given = {QUESTION: question, RETRIEVED: passages, HISTORY: transcript(history)}
    request = prompt.render({name: given[name] for name in prompt.names if name in given})
    if not history or HISTORY in prompt.names:
        return request
    *before, last = request.messages
    return request.model_copy(update={"messages": (*before, *history, last)})


def transcript(history: Sequence[Message]) -> str:
    """What was said, a paragraph each."""
    return "\n\n".join(f"{message.role}: {message.content.strip()}" for message in history)
