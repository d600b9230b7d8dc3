"""Commands in a terminal of their own: a pseudo-terminal whose keys the test presses, and whose
screen it reads.
"""

import contextlib
import errno
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

CTRL_C = b"\x03"
STEERING = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]|\x1b[()][A-Z0-9]|\r")


def _as_of_a_shell() -> None:
    """The terminal is the process's own, and Ctrl-C is heard, also where pytest runs by nohup."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Terminal:
    """A command of the console, as the foreground process of a terminal."""

    def __init__(
        self,
        *words: str | Path,
        environment: Mapping[str, str],
        folder: Path,
        columns: int = 100,
        output: int | None = None,
    ) -> None:
        self.raw, self._ours = b"", -1
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        self.process = subprocess.Popen(
            [sys.executable, "-m", "llmops.flows.cli", *map(str, words)],
            stdin=theirs,
            stdout=theirs if output is None else output,
            stderr=theirs,
            cwd=folder,
            env={**environment, "TERM": "xterm-256color"},
            start_new_session=True,
            preexec_fn=_as_of_a_shell,
        )
        os.close(theirs)

    @property
    def text(self) -> str:
        """All that was on the screen, without what steers it."""
        return STEERING.sub(b"", self.raw).decode("utf-8", "replace")

    def press(self, key: bytes) -> None:
        os.write(self._ours, key)

    def read(self, seconds: float = 0.05) -> bool:
        """What comes within so long; False at the end of it all."""
        if not select.select([self._ours], [], [], seconds)[0]:
            return True
        try:
            piece = os.read(self._ours, 65536)
        except OSError as error:
            if error.errno != errno.EIO:  # the last process has closed it
                raise
            piece = b""
        self.raw += piece
        return bool(piece)

    def until(self, pattern: str, seconds: float = 90) -> float:
        """Read until a pattern has been on the screen; returns the seconds that took."""
        began = time.monotonic()
        while not re.search(pattern, self.text):
            assert self.read(), self.text
            assert time.monotonic() < began + seconds, self.text
        return time.monotonic() - began

    def ended(self, seconds: float = 90) -> int:
        """The exit code, once it has ended."""
        end = time.monotonic() + seconds
        while self.read() and self.process.poll() is None:
            assert time.monotonic() < end, self.text
        while self.read(0) and select.select([self._ours], [], [], 0)[0]:
            pass
        return self.process.wait(max(0.1, end - time.monotonic()))

    def close(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        os.close(self._ours)


@contextlib.contextmanager
def terminal(
    *words: str | Path,
    environment: Mapping[str, str],
    folder: Path,
    columns: int = 100,
    output: int | None = None,
) -> Iterator[Terminal]:
    """A command in a terminal, which is gone at the end of the block."""
    opened = Terminal(
        *words, environment=environment, folder=folder, columns=columns, output=output
    )
    try:
        yield opened
    finally:
        opened.close()
