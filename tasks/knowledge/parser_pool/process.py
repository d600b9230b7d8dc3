"""The parent's side of one worker: start, ask within limits, end.

By hand: the pools of pebble, loky and billiard unpickle what a worker sends, and a hostile file may
have taken it over. This one reads frames of JSON.
"""

import contextlib
import os
import re
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from typing import Any

import psutil

from llmops.tasks.knowledge.parser_pool.frames import WORKING, Incoming, packed

LOOK_EVERY = 0.05
PIECE = 1 << 18
START_SECONDS = 60.0
OUT_OF_MEMORY = re.compile(
    r"MemoryError|memory allocation of|bad_alloc|[Cc]annot allocate memory|[Oo]ut of memory"
)


class TimedOut(Exception):
    """The worker did not answer in time; it has been killed."""


class OutOfMemory(Exception):
    """The worker wanted more memory than it may have; it is gone."""


class Died(Exception):
    """The worker ended by itself. `args[0]` is what it last said, or which signal ended it."""


class Worker:
    """A process of its own group, started on construction. Only one thread may use it at a time."""

    def __init__(self, memory_mb: int) -> None:
        self._memory = memory_mb * 2**20
        self._noise = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `kill`
        end, self._lifeline = os.pipe()
        command = [
            sys.executable,
            "-P",
            "-m",
            "llmops.tasks.knowledge.parser_pool.worker",
            str(memory_mb),
            str(end),
        ]
        environment = os.environ | {
            "PYTHONPATH": os.pathsep.join(path or "." for path in sys.path),
            "PYTHONUTF8": "1",
            "MALLOC_ARENA_MAX": "1",  # one thread works at a time: others would only hold memory
        }
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._noise,
            env=environment,
            pass_fds=(end,),
            start_new_session=True,
            bufsize=0,
        )
        os.close(end)
        for stream in (self._stdin, self._stdout):
            os.set_blocking(stream, False)
        try:
            self._exchange([], START_SECONDS)
        except BaseException:
            self.kill()
            raise

    def ask(
        self, head: dict[str, Any], body: bytes, seconds: float, pages: int = 0
    ) -> tuple[dict[str, Any], bytes]:
        """Send a request and wait for the answer: so many seconds, and as many again for each of at
        most `pages` pages that the worker says are done. Raises TimedOut, OutOfMemory, Died; then
        the worker is of no use.
        """
        self._noise.seek(0)
        self._noise.truncate()
        return self._exchange(packed(head, body), seconds, pages)

    def kill(self) -> None:
        """End the process and all it started, at once. Twice does no harm."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._noise):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()
        if self._lifeline >= 0:
            os.close(self._lifeline)
            self._lifeline = -1

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def _stdin(self) -> int:
        assert self._process.stdin is not None
        return self._process.stdin.fileno()

    @property
    def _stdout(self) -> int:
        assert self._process.stdout is not None
        return self._process.stdout.fileno()

    def _exchange(
        self, pieces: list[bytes], seconds: float, pages: int = 0
    ) -> tuple[dict[str, Any], bytes]:
        end, incoming = time.monotonic() + seconds, Incoming()
        outgoing = [memoryview(piece) for piece in pieces if piece]
        with selectors.DefaultSelector() as selector:
            selector.register(self._stdout, selectors.EVENT_READ)
            if outgoing:
                selector.register(self._stdin, selectors.EVENT_WRITE)
            while True:
                ready = {key.fd for key, _ in selector.select(LOOK_EVERY)}
                if self._stdin in ready and not self._send(outgoing):
                    selector.unregister(self._stdin)
                for piece in self._arrived() if self._stdout in ready else ():
                    frame = incoming.add(piece)
                    while frame is not None and frame[0] == WORKING:
                        end, pages = (time.monotonic() + seconds if pages > 0 else end), pages - 1
                        frame = incoming.add(b"")
                    if frame is not None:
                        return frame
                self._watch(end)

    def _send(self, outgoing: list[memoryview]) -> bool:
        """Write what fits; False when there is no more to write."""
        try:
            sent = os.write(self._stdin, outgoing[0][:PIECE])
        except BlockingIOError:
            return True
        except BrokenPipeError:
            outgoing.clear()  # it died: reading says why
            return False
        outgoing[0] = outgoing[0][sent:]
        if not outgoing[0]:
            del outgoing[0]
        return bool(outgoing)

    def _arrived(self) -> Iterator[bytes]:
        """What can be read now. Raises OutOfMemory or Died at the end of the stream."""
        try:
            piece = os.read(self._stdout, PIECE)
        except BlockingIOError:
            return
        if not piece:
            raise self._ended()
        yield piece

    def _watch(self, end: float) -> None:
        """Raise when a limit is passed; the second line after the limits that the worker sets
        itself.
        """
        try:
            if psutil.Process(self._process.pid).memory_info().rss > self._memory:
                raise OutOfMemory
        except psutil.Error:
            return  # it just ended: reading says why
        if time.monotonic() > end:
            raise TimedOut

    def _ended(self) -> OutOfMemory | Died:
        try:
            code = self._process.wait(5)
        except subprocess.TimeoutExpired:
            return Died("it closed its output")
        self._noise.seek(0, os.SEEK_END)
        self._noise.seek(max(0, self._noise.tell() - 8192))
        said = self._noise.read().decode("utf-8", "replace")
        if OUT_OF_MEMORY.search(said) or code == -signal.SIGKILL:
            return OutOfMemory()
        last = next((line.strip() for line in reversed(said.splitlines()) if line.strip()), "")
        name = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        return Died(f"{last[:300]} ({name})" if last else name)
