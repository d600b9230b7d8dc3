"""Work that is Python's own, in processes beside this one.

Threads of one process share one interpreter. Where they work with small arrays they also fight for
it: four threads took 71 seconds of processor time for what one does in 40. So such work is done by
one thread at a time, and where a program allows it, once there has been more than a little of it,
by processes that start meanwhile, one for each core.
"""

import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import BrokenExecutor, Future
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from loky import ProcessPoolExecutor

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")
PATIENCE_SECONDS = 1.0
"""Of processor time. A process takes about as much to start."""
MOST = 4
"""As many as the tasks that a flow runs at once."""
IDLE_SECONDS = 30
LOOK_SECONDS = 1.0
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS")
"""Of libraries: the processes share the cores."""
log = logging.getLogger(__name__)


class Processes:
    """At most `count` processes, by default one for each core that this process may use; fewer than
    two are none. They end when nobody has asked for IDLE_SECONDS, and when this process does.
    """

    def __init__(self, count: int | None = None) -> None:
        self._count = count
        self._here, self._starting = threading.RLock(), threading.Lock()
        self._allowed, self._worked = False, 0.0
        self._executor: ProcessPoolExecutor | None = None
        self._first: Future[int] | None = None

    def run(self, function: Callable[P, R], *arguments: P.args, **named: P.kwargs) -> R:
        """What a function of a module returns, or raises: from another process where there is one,
        else from here. Nothing is done twice but what a process had begun when it was killed.
        """
        executor = self._ready()
        if executor is not None:
            try:
                answer: R = executor.submit(function, *arguments, **named).result()
            except BrokenExecutor as error:
                self._give_up(error)
            else:
                return answer
        with self._here:
            begun = time.thread_time()
            try:
                return function(*arguments, **named)
            finally:
                self._worked += time.thread_time() - begun

    def beside(self, function: Callable[P, R], *arguments: P.args, **named: P.kwargs) -> R | None:
        """What a function of a module returns, or raises, in another process; None where there is
        none, and then nothing was done.
        """
        executor = self._ready()
        try:
            return executor.submit(function, *arguments, **named).result() if executor else None
        except BrokenExecutor as error:
            self._give_up(error)
            return None

    def allow(self, *, now: bool) -> None:
        """Let processes be started: `now` where there will be a lot to do, else once there has been
        more than a little. A program that is itself one of many workers had better not.
        """
        self._allowed = True
        if now:
            self._worked = PATIENCE_SECONDS
            self._ready()

    def spread(self, function: Callable[[list[T]], list[R]], items: Sequence[T]) -> list[R]:
        """What a function of a module makes of the items, in their order: a share of them in each
        process.
        """
        executor = self._ready()
        if executor is None or not items:
            return self.run(function, list(items))
        share = -(-len(items) // (self._count or 1))
        parts = [list(items[first : first + share]) for first in range(0, len(items), share)]
        asked = [executor.submit(function, part) for part in parts]
        try:
            return [each for part in asked for each in part.result()]
        except BrokenExecutor as error:
            self._give_up(error)
            return self.run(function, list(items))

    def close(self) -> None:
        """End the processes. The next work begins here."""
        with self._starting:
            executor, self._executor, self._first = self._executor, None, None
            self._worked = 0.0
        if executor is not None:
            executor.shutdown(wait=True, kill_workers=True)

    def _ready(self) -> "ProcessPoolExecutor | None":
        """The processes, once the first of them answers."""
        if not self._allowed or self._worked < PATIENCE_SECONDS:
            return None
        with self._starting:
            if self._count is None:
                self._count = min(MOST, _cores())
            if self._count < 2:
                return None
            if self._executor is None and not self._start(self._count):
                return None
            return self._executor if self._first and self._first.done() else None

    def _start(self, count: int) -> bool:
        try:
            self._executor = _executor(count)
            self._first = self._executor.submit(os.getpid)
        except (OSError, ImportError) as error:  # a container without shared memory, say
            self._executor, self._count = None, 0
            log.warning("no process could be started beside this one: %s", error)
        return self._executor is not None

    def _give_up(self, error: BrokenExecutor) -> None:
        with self._starting:
            known, self._count, self._executor = self._count, 0, None
        if known:
            log.warning("a process beside this one ended; its work is done here: %s", error)

    def _forked(self) -> None:
        """In a process that was forked from this one, which has none of its threads."""
        self.__init__(self._count)  # type: ignore[misc]


def _cores() -> int:
    """That this process may use, by its affinity, its container and `LOKY_MAX_CPU_COUNT`."""
    from loky import cpu_count

    return int(cpu_count())


def _executor(count: int) -> "ProcessPoolExecutor":
    """Of loky, since the standard library's runs the program's main file again in each process."""
    from loky import ProcessPoolExecutor

    return ProcessPoolExecutor(
        max_workers=count,
        timeout=IDLE_SECONDS,
        initializer=_begin,
        initargs=(os.getpid(),),
        env=dict.fromkeys(THREADS, "1"),
    )


def _begin(parent: int) -> None:
    """In a new process: Ctrl-C is for the one that started it, and so is the end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(LOOK_SECONDS)
    os._exit(1)


PROCESSES = Processes()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=PROCESSES._forked)
run, beside, spread, allow = (
    PROCESSES.run,
    PROCESSES.beside,
    PROCESSES.spread,
    PROCESSES.allow,
)
