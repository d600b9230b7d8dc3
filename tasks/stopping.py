"""Asked to stop: work ends between two calls, and never in the middle of one that is paid for.

Whoever hears of Ctrl-C calls `ask`. Work that goes piece by piece looks at `check` before each
piece; what must not be cut, such as a call to a model and the noting of its reply, stands in a
`call`. `LAST` holds what is put in order when there is no time for more.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

LAST: dict[str, Callable[[], None]] = {}
"""By a name of its own each: what is done before a process ends at once, such as giving up a
lease. Quick, from any thread, and also where it has been done already.
"""

TAKE_OVER: Callable[[], None] | None = None
"""Of whoever listens to signals: a flow calls it at its beginning, since what runs flows has
handlers of its own. From the main thread.
"""


class Stopped(BaseException):
    """The run was asked to stop. No `Exception`: nothing that goes on after failures goes on."""


class _Calls:
    """How many calls are under way, and whether no more may begin."""

    def __init__(self) -> None:
        self.asked, self.under_way, self.idle = False, 0, threading.Condition()


_CALLS = _Calls()


def ask() -> None:
    """No call begins from now on, and no piece of work after the one under way."""
    _CALLS.asked = True


def forget() -> None:
    """A new run in this process."""
    _CALLS.asked = False


def asked() -> bool:
    return _CALLS.asked


def check() -> None:
    """Raise Stopped where the run was asked to stop."""
    if _CALLS.asked:
        raise Stopped("interrupted")


def under_way() -> int:
    """How many calls; also for signal handlers, which must not wait for a lock."""
    return _CALLS.under_way


def take_over() -> None:
    """The signals of this process are again those of a command, where one is running."""
    if TAKE_OVER is not None:
        TAKE_OVER()


@contextmanager
def call() -> Iterator[None]:
    """A call that is finished, noted and only then followed by the end. Raises Stopped instead of
    beginning one.
    """
    with _CALLS.idle:
        check()
        _CALLS.under_way += 1
    try:
        yield
    finally:
        with _CALLS.idle:
            _CALLS.under_way -= 1
            _CALLS.idle.notify_all()


def wait(seconds: float) -> bool:
    """Until no call is under way, at most so long. Returns whether none is."""
    with _CALLS.idle:
        return _CALLS.idle.wait_for(lambda: not _CALLS.under_way, seconds)
