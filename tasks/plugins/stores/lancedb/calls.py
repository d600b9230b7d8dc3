"""What LanceDB's calls need around them: its errors as ours, and conflicts tried again."""

import random
import re
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Protocol, TypeVar

from llmops.tasks.errors import Damaged, Unavailable
from llmops.tasks.plugins.stores._frames import REPAIR

if TYPE_CHECKING:
    from lancedb.table import Table

CONFLICT = ("commit conflict", "concurrent", "retryable", "too many")
GONE = ("not found", "no longer exists", "does not exist", "no such file")
BROKEN = (
    "corrupt",
    "invalid user input: ",
    "decode",
    "checksum",
    "invalid magic",
    "end of file",
    "out of range",
)
ATTEMPTS = 8
INNER = re.compile(r"(Wrapped error: )+|,? ?(at )?/?[\w./+-]*\.rs:\d+:\d+,?")
NEVER = timedelta(days=36_500)
MARGINS = [timedelta(milliseconds=2) * 10**power for power in range(5)]

T = TypeVar("T")


class VersionedTable(Protocol):
    """A table that can be taken to its newest version."""

    def checkout_latest(self) -> None: ...


@contextmanager
def guarded(what: str) -> Iterator[None]:
    """LanceDB raises RuntimeError, ValueError and OSError for nearly everything: the message tells
    them apart.

    Raises Damaged for what is gone or unreadable, Unavailable for conflicts and for a store that
    does not answer.
    """
    try:
        yield
    except (RuntimeError, ValueError, OSError) as error:
        message = str(error).lower()
        if any(sign in message for sign in GONE):
            lost = (
                "no longer exists"
                if "table" in message and "was not found" in message
                else "has lost files"
            )
            raise Damaged(f"{what} {lost}: {_short(error)}", hint=REPAIR) from error
        if any(sign in message for sign in CONFLICT):
            raise Unavailable(
                f"{what} is written by somebody else: {_short(error)}", hint="try again later"
            ) from error
        if isinstance(error, ValueError) or any(sign in message for sign in BROKEN):
            raise Damaged(f"{what} cannot be read: {_short(error)}", hint=REPAIR) from error
        raise Unavailable(
            f"{what} did not answer: {_short(error)}", hint="check its uri, disk and network"
        ) from error


def _short(error: Exception) -> str:
    """The first line, without the places in Lance's own source that it ends with."""
    text = INNER.sub("", str(error).strip())
    return text.splitlines()[0][:300] if text else type(error).__name__


def retried(table: VersionedTable, what: str, write: Callable[[], T]) -> T:
    """The result of a write, tried again from the newest version when another commit came first.

    Raises Unavailable when it still conflicts after about five seconds.
    """
    for attempt in range(ATTEMPTS):
        try:
            with guarded(what):
                return write()
        except Unavailable as error:
            if attempt + 1 == ATTEMPTS or not any(
                sign in str(error.__cause__).lower() for sign in CONFLICT
            ):
                raise
        time.sleep(0.02 * 2**attempt * (0.5 + random.random()))
        with guarded(what):
            table.checkout_latest()
    raise AssertionError("the last attempt returns or raises")


def prune(table: "Table", what: str, oldest: datetime, *, unverified: bool = False) -> None:
    """Remove the versions committed before `oldest` (local time, as Lance lists it).

    `unverified`: also the files that no version has ever referred to; only where no other writer is
    at work.

    Lance takes an age and reads the clock itself, a little later: it refuses, harmlessly, when a
    tagged version has come to look too old by then. Hence the growing margins.
    """
    for margin in MARGINS:
        try:
            with guarded(what):
                age = datetime.now().astimezone() - oldest.astimezone()
                table.optimize(
                    cleanup_older_than=max(age + margin, margin), delete_unverified=unverified
                )
                return
        except Unavailable as error:
            if "tagged version" not in str(error) or margin == MARGINS[-1]:
                raise


def quoted(names: Iterable[str]) -> str:
    """Texts as SQL literals, for `IN (…)`."""
    return ", ".join("'" + name.replace("'", "''") + "'" for name in names)
