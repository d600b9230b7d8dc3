"""What the parts say: a line on standard error with the part before it, and a file of each part in
`HOME/logs`, which never grows beyond two of LOG_BYTES.

Nobody waits for a terminal that is held: beyond WAITING lines those on standard error are left out
and counted, and the files have them all. A full disk costs lines, never the part.
"""

import contextlib
import queue
import sys
import threading
from collections import deque
from collections.abc import Iterable
from pathlib import Path
from typing import IO, TextIO

LOG_BYTES = 5_000_000
WAITING = 5_000
LAST = 40


class Logs:
    """The files of the parts, and one stream for all."""

    def __init__(self, folder: Path, out: TextIO | None = None, *, shown: bool = True) -> None:
        self.folder, self._out, self._shown = folder, out or sys.stderr, shown
        self._waiting: queue.Queue[str] = queue.Queue(WAITING)
        self._left_out = 0
        self._last: dict[str, deque[str]] = {}
        self._full: set[str] = set()
        threading.Thread(target=self._write, name="log", daemon=True).start()

    def follow(self, part: str, stream: IO[bytes]) -> threading.Thread:
        """Copy what a part says until it says no more."""
        reader = threading.Thread(target=self._copy, args=(part, stream), daemon=True)
        reader.start()
        return reader

    def tell(self, part: str, text: str) -> None:
        """A line of ours; shown also where those of the parts are not."""
        self._keep(part, [text])
        self._show(f"{part:8} | {text}\n", ours=True)

    def last(self, part: str, lines: int = 5, *, only_errors: bool = False) -> list[str]:
        """The last lines of a part that say what went wrong; its last ones where none does."""
        said = [line for line in self._last.get(part, ()) if line.strip()]
        wrong = [line for line in said if _is_error(line)]
        return list(dict.fromkeys(wrong if wrong or only_errors else said))[-lines:]

    def flush(self, seconds: float = 1.0) -> None:
        """Wait until what was said is shown, but not for a terminal that is held."""
        waiting = threading.Thread(target=self._waiting.join, daemon=True)
        waiting.start()
        waiting.join(seconds)

    def _copy(self, part: str, stream: IO[bytes]) -> None:
        with stream, contextlib.suppress(ValueError, OSError):
            for raw in stream:
                line = raw.decode("utf-8", "replace").rstrip("\r\n")
                self._keep(part, [line])
                self._show(f"{part:8} | {line}\n", ours=False)

    def _keep(self, part: str, lines: Iterable[str]) -> None:
        kept = self._last.setdefault(part, deque(maxlen=LAST))
        kept.extend(lines)
        file = self.folder / f"{part.replace(' ', '-')}.log"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with file.open("ab") as log:
                log.write("".join(f"{line}\n" for line in lines).encode())
                long = log.tell() > LOG_BYTES
            if long:
                file.replace(file.with_suffix(".log.1"))
            self._full.discard(part)
        except OSError as error:
            if part not in self._full:
                self._full.add(part)
                reason = error.strerror or error
                self._show(f"up       | {file} cannot be written: {reason}\n", ours=True)

    def _show(self, text: str, *, ours: bool) -> None:
        if not (ours or self._shown):
            return
        try:
            self._waiting.put_nowait(text)
        except queue.Full:
            self._left_out += 1

    def _write(self) -> None:
        while True:
            text = self._waiting.get()
            left_out, self._left_out = self._left_out, 0
            with contextlib.suppress(OSError, ValueError):  # standard error is gone
                if left_out:
                    self._out.write(f"up       | {left_out} lines left out: see {self.folder}\n")
                self._out.write(text)
                self._out.flush()
            self._waiting.task_done()


def _is_error(line: str) -> bool:
    return any(word in line for word in ("ERROR", "CRITICAL", "Error:", "Exception:", "error:"))
