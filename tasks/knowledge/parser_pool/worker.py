"""The process in which documents are parsed: `python -m llmops.tasks.knowledge.parser_pool.worker
MEMORY_MB LIFELINE`.

Requests come on standard input, answers go to what was standard output at the start; whatever
libraries print goes to standard error. An error that no parser foresaw ends the process with its
traceback: the parent says so and starts another.
"""

import contextlib
import fcntl
import os
import resource
import signal
import sys
import threading
from collections.abc import Sequence

from llmops.tasks.errors import DocumentError
from llmops.tasks.knowledge.parser_pool import frames
from llmops.tasks.plugins import parsers
from llmops.tasks.plugins.parsers import ParseOptions

LIBRARY_THREADS = (
    "OMP_NUM_THREADS",
    "RAYON_NUM_THREADS",
    "OMP_THREAD_LIMIT",
    "TOKIO_WORKER_THREADS",
)


def main(arguments: Sequence[str]) -> None:
    """Serve until standard input ends."""
    memory_mb, lifeline = int(arguments[0]), int(arguments[1])
    channel = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    hang_on(lifeline)
    limit(memory_mb)
    os.environ.update(dict.fromkeys(LIBRARY_THREADS, "1"))

    def say(reply: list[bytes]) -> None:
        for piece in reply:
            channel.write(piece)
        channel.flush()

    parsers.PAGE_DONE.set(lambda: say(frames.packed(frames.WORKING)))
    say(frames.packed({"ready": True}))
    while (request := frames.received(sys.stdin.buffer)) is not None:
        head, data = request
        options = ParseOptions.model_validate(head["options"])
        say(served(head["uri"], head["media_type"], data, options))


def served(uri: str, media_type: str, data: bytes, options: ParseOptions) -> list[bytes]:
    """The answer for one document: its text, or why there is none."""
    try:
        return frames.answer(parsers.parse(data, uri, media_type, options))
    except DocumentError as error:
        return frames.packed({"refused": error.reason, "kind": type(error).__name__})


def limit(memory_mb: int) -> None:
    """No allocation goes beyond the limit, no core file is written. Where the system knows none,
    the parent looks.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_DATA, (memory_mb * 2**20, resource.RLIM_INFINITY))


def hang_on(lifeline: int) -> None:
    """Die with the parent, also in the middle of a call that never returns.

    The parent holds the other end of a pipe and never writes. When it is gone, the kernel sends
    SIGIO (Linux), whose default ends the process without asking Python; elsewhere a thread sees the
    end of the pipe.
    """
    if hasattr(os, "O_ASYNC"):
        fcntl.fcntl(lifeline, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(lifeline, fcntl.F_SETFL, fcntl.fcntl(lifeline, fcntl.F_GETFL) | os.O_ASYNC)
        signal.signal(signal.SIGIO, signal.SIG_DFL)
    threading.Thread(target=_wait, args=(lifeline,), daemon=True).start()


def _wait(lifeline: int) -> None:
    os.read(lifeline, 1)
    os._exit(1)


if __name__ == "__main__":
    main(sys.argv[1:])
