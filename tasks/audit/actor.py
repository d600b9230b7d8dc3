"""Who does what is done now: the operating system's user, or whoever the application acts for, also
in a process that it starts.
"""

import contextlib
import getpass
import os
import socket
from collections.abc import Iterator
from contextvars import ContextVar

ACTOR = "LLMOPS_ACTOR"
"""The variable by which a process is told for whom it acts: their pseudonym."""
_ACTING: ContextVar[str | None] = ContextVar("llmops_acting", default=None)


def actor() -> str:
    """What identifies the one who acts: `user@host` of this process, unless `acting_as` or the
    variable says otherwise.
    """
    return _ACTING.get() or os.environ.get(ACTOR) or _user()


@contextlib.contextmanager
def acting_as(name: str) -> Iterator[None]:
    """What is done inside, also in `asyncio.to_thread`, is done by this one."""
    token = _ACTING.set(name)
    try:
        yield
    finally:
        _ACTING.reset(token)


def _user() -> str:
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user need not have a name
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"
