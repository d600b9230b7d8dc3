"""Ctrl-C at a long command: once, it ends after the call under way and within three seconds of it;
twice, at once. SIGTERM, by which Docker, systemd and `kill` end a process, is the same.

The first interrupt of a command that is at no call raises KeyboardInterrupt in the main thread, as
Python does; during a call it waits for its end. A thread of its own watches: the main thread may be
in a library that does not come back for long, and threads of tasks in a request that does not end.
"""

import atexit
import contextlib
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import NoReturn

from llmops.tasks import stopping

INTERRUPTED = 130
SIGNALS = (signal.SIGINT, signal.SIGTERM)
GRACE_SECONDS, SAY_SECONDS, LAST_SECONDS, EXIT_SECONDS = 2.0, 0.3, 0.7, 1.2
"""For an orderly end after the call under way; until a waiting user is told what is waited for; for
what is put in order before an end at once; for what libraries do when an interrupted process exits.
"""
CALLING = "stopping after the call under way; Ctrl-C again stops at once"
STOPPING = "stopping; Ctrl-C again stops at once"


class InterruptWatch:
    """Counts the interrupts of a command. `say`: tells the user a line; `leave`: gives the terminal
    back and prints why it ended, before an end at once.
    """

    def __init__(self, say: Callable[[str], None], leave: Callable[[], None]) -> None:
        self._say, self._leave = say, leave
        self._ending, self._over = threading.Lock(), threading.Event()
        self._own, self._interrupted = 0, False
        self._read, self._write = os.pipe()
        for end in (self._read, self._write):
            os.set_blocking(end, end == self._read)
        self._main = threading.main_thread().ident or 0

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """For the main thread."""
        stopping.forget()
        before = {each: signal.signal(each, self._interrupt) for each in SIGNALS}
        again, stopping.TAKE_OVER = stopping.TAKE_OVER, self._take_over
        other = signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        hook, sys.unraisablehook = sys.unraisablehook, self._unraisable(sys.unraisablehook)
        reader = threading.Thread(target=self._listen, name="ctrl-c", daemon=True)
        reader.start()
        try:
            yield
        except Exception as error:  # what a library made of the interrupt, such as pydantic
            if self._interrupted:
                raise KeyboardInterrupt from error
            raise
        finally:
            self._over.set()
            sys.unraisablehook = hook
            signal.set_wakeup_fd(other)
            stopping.TAKE_OVER = again
            for each, handler in before.items():
                signal.signal(each, handler)
            os.write(self._write, b"\0")
            reader.join(1)
            for end in (self._read, self._write):
                os.close(end)
            stopping.forget()

    def _take_over(self) -> None:
        """A flow that begins in the main thread has put a handler of Prefect's in the place of
        ours, which would raise in the middle of a call.
        """
        if threading.get_ident() == self._main:
            signal.signal(signal.SIGTERM, self._interrupt)

    def _unraisable(
        self, before: "Callable[[sys.UnraisableHookArgs], object]"
    ) -> "Callable[[sys.UnraisableHookArgs], object]":
        """An interrupt that comes where Python can raise nothing, such as in a destructor, is
        raised a little later.
        """

        def hook(seen: "sys.UnraisableHookArgs") -> None:
            if issubclass(seen.exc_type, KeyboardInterrupt):
                threading.Timer(0.05, self._deliver).start()
            else:
                before(seen)

        return hook

    def _interrupt(self, _signal: int, _frame: FrameType | None) -> None:
        self._interrupted = True
        if not stopping.under_way():
            raise KeyboardInterrupt

    def _listen(self) -> None:
        """Every signal is a byte here, also while the main thread is in a library."""
        times = 0
        while not self._over.is_set():
            numbers = os.read(self._read, 64)
            for number in numbers:
                if number not in SIGNALS:
                    continue
                if self._own and number == signal.SIGINT:
                    self._own -= 1
                    continue
                times += 1
                if times == 1:
                    stopping.ask()
                    threading.Thread(target=self._see_it_end, name="ending", daemon=True).start()
                elif times == 2:
                    self._end()

    def _see_it_end(self) -> None:
        if self._over.wait(SAY_SECONDS):
            return
        self._say(CALLING if stopping.under_way() else STOPPING)
        waited = stopping.under_way() > 0
        while not stopping.wait(0.2):
            if self._over.is_set():
                return
        if waited and not self._over.wait(GRACE_SECONDS / 2):
            self._deliver()
        if not self._over.wait(GRACE_SECONDS / 2 if waited else GRACE_SECONDS):
            self._end()

    def _deliver(self) -> None:
        """Interrupt the main thread again; it is not the user who does."""
        if not self._over.is_set():
            self._own += 1
            signal.pthread_kill(self._main, signal.SIGINT)

    def _end(self) -> None:
        """At once: everything that was done is kept as it is after a kill."""
        if not self._ending.acquire(blocking=False):
            return
        last = threading.Thread(target=_put_in_order, daemon=True)
        last.start()
        last.join(LAST_SECONDS)
        self._leave()
        _exit(INTERRUPTED)


def run(command: Callable[[], int]) -> NoReturn:
    """Run a command as the whole of a process, and exit with its code.

    After it Ctrl-C ends the process quietly, and an interrupted one does not wait long for what
    libraries still want to send. Python's own taking apart of modules is left out: with a vector
    store and a parser of tables loaded it is seconds in which nothing is done.
    """
    codes: list[int] = []
    atexit.register(lambda: _exit(codes[0]) if codes else None)  # first here, so the last to run
    code = command()
    codes.append(code)
    signal.signal(signal.SIGINT, lambda _signal, _frame: os._exit(code))
    if code == INTERRUPTED:
        last = threading.Timer(EXIT_SECONDS, os._exit, (code,))
        last.daemon = True
        last.start()
    sys.exit(code)


def _exit(code: int) -> None:
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:
            continue  # who read it has gone, and wanted no more
        except (OSError, ValueError):
            code = code or 1  # what was said did not get there
    os._exit(code)


def _put_in_order() -> None:
    for each in list(stopping.LAST.values()):
        with contextlib.suppress(Exception):  # there is no time to do anything about it
            each()
