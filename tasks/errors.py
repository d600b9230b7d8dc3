"""Every error that a user may meet: what was got, what is allowed, how to fix it. Whether to retry
is a type.

Exception
├── LlmopsError                   exit 1: the environment
│   ├── Unavailable               something outside does not answer, or is full: retry
│   ├── Damaged                   stored data is not what was written
│   ├── UsageError                exit 2: asked for what cannot be
│   │   ├── ConfigError           all the mistakes of a config at once
│   │   └── Unpublished           a knowledge base that nothing can be read from yet
│   ├── Blocked                   exit 3: a gate or a guard said no
│   └── BudgetExceeded            exit 4: too many documents or calls failed
└── DocumentError                 one document goes to quarantine, the run goes on
    ├── UnsupportedDocument       of a kind that no parser reads
    ├── NearDuplicate             says what a better document says
    ├── TransientDocumentError    may be read later: retry
    └── UnforeseenDocumentError   nobody foresaw it: one more try
"""

import errno
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

DISK = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG}
APART = 0.5
LIVE: dict[str, str] = {}
"""What this command has changed of what is live, a sentence for each thing: an interrupt that comes
later must not deny it.
"""


@dataclass(frozen=True)
class Mistake:
    """One thing wrong with what the user gave: `where` is a file, a key path, or both."""

    message: str
    where: str = ""
    hint: str = ""
    kind: str = "config"

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        return f"{place}{self.message}" + (f" ({self.hint})" if self.hint else "")


def did_you_mean(given: str, known: Iterable[str], *, most: int = 1, alike: float = 0.6) -> str:
    """A hint with the known names that resemble what was given; empty where none does."""
    from difflib import get_close_matches

    names = list(known)
    close = get_close_matches(given, names, len(names) or 1, alike)
    meant = [name for name in close if _resembles(given, name)][:most]
    return f"did you mean {' or '.join(meant)}?" if meant else ""


def _resembles(given: str, name: str) -> bool:
    """`keep_days` is no misspelt `alerts_days`: the word that they share says nothing."""
    from difflib import SequenceMatcher

    ours, theirs = given.split("_"), name.split("_")
    mine = "_".join(word for word in ours if word not in theirs)
    other = "_".join(word for word in theirs if word not in ours)
    if not (mine and other) or len(mine) == len(given):
        return True
    return SequenceMatcher(None, mine, other).ratio() >= APART


class LlmopsError(Exception):
    """An error with an exit code. `hint` says how to fix it, `where` what it is about."""

    exit_code: ClassVar[int] = 1
    kind: ClassVar[str] = "environment"

    def __init__(self, message: str, *, hint: str = "", where: str = "") -> None:
        super().__init__(message)
        self.message, self.hint, self.where = message, hint, where

    def __reduce__(self) -> tuple[object, ...]:
        """For the way from a cluster's worker: Python's own would call `__init__` with the message
        alone.
        """
        return _received, (type(self), self.args), vars(self)

    def mistakes(self) -> list[Mistake]:
        return [Mistake(self.message, self.where, self.hint, self.kind)]

    def __str__(self) -> str:
        return "\n".join(str(mistake) for mistake in self.mistakes())


def _received(kind: type[LlmopsError], said: tuple[object, ...]) -> LlmopsError:
    error = kind.__new__(kind)
    error.args = said
    return error


class Unavailable(LlmopsError):
    """Something outside did not answer or is full: the same call may succeed later."""

    kind = "unavailable"


class Damaged(LlmopsError):
    """Stored data is not what was written: a hash, a row or a file is wrong."""

    kind = "damaged"


class UsageError(LlmopsError):
    """The user asked for something that cannot be."""

    exit_code = 2
    kind = "usage"


class ConfigError(UsageError):
    """All the mistakes of one configuration at once."""

    kind = "config"

    def __init__(self, found: list[Mistake]) -> None:
        super().__init__(found[0].message, hint=found[0].hint, where=found[0].where)
        self.found = found

    def mistakes(self) -> list[Mistake]:
        return self.found


class Unpublished(UsageError):
    """A knowledge base has no version that can be read. `building`: its first build is running."""

    def __init__(
        self, message: str, *, knowledge_base: str, hint: str = "", building: bool = False
    ) -> None:
        super().__init__(message, hint=hint)
        self.knowledge_base, self.building = knowledge_base, building


class Blocked(LlmopsError):
    """A gate or a guard said no. Nothing live has changed."""

    exit_code = 3
    kind = "blocked"


class BudgetExceeded(LlmopsError):
    """Too many documents or calls failed. Nothing live has changed."""

    exit_code = 4
    kind = "failure_budget"


def disk_trouble(error: Exception) -> LlmopsError | None:
    """What to tell a user whose disk is full, read-only or over a quota; None for any other
    error.
    """
    if not isinstance(error, OSError) or error.errno not in DISK:
        return None
    room = "" if error.errno == errno.EROFS else "free some space, or "
    return Unavailable(
        f"the disk cannot be written: {error.strerror} ({error.filename or 'LLMOPS_HOME'})",
        hint=f"{room}set LLMOPS_HOME elsewhere; run again: finished work is kept, "
        "nothing live has changed",
    )


class DocumentError(Exception):
    """One document cannot be processed: it goes to quarantine with this reason, the run goes on.

    `reason` is a sentence for a person; `retryable` says whether the same bytes may succeed later,
    `unforeseen` that nobody knows: it is no finding about the document.
    """

    retryable: ClassVar[bool] = False
    unforeseen: ClassVar[bool] = False

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class UnsupportedDocument(DocumentError):
    """A file of a kind that no parser reads (a picture, an archive): recorded like a failure, but
    no fault of the run's budget.
    """


class NearDuplicate(DocumentError):
    """The document says what a better one says, which is kept: listed with the failures, but
    none.
    """


class TransientDocumentError(DocumentError):
    """The document could not be read now (time-out, network, permission): the next build tries it
    again.
    """

    retryable = True


class UnforeseenDocumentError(DocumentError):
    """The work on the document broke off (its parser crashed): a fault of the document, of our code
    or of the moment. The next build tries it once more.
    """

    unforeseen = True
