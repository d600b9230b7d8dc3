"""A line of JSON per notice, for those who collect logs."""

import os
import sys
from pathlib import Path
from typing import BinaryIO, Self

from llmops.tasks.errors import Unavailable
from llmops.tasks.plugins.senders import Notice, Sender
from llmops.tasks.plugins.senders._wording import payload


class LogSender(Sender):
    """Appends to the file `path`, relative to the config; without one it writes to standard
    error.
    """

    path: Path | None = None

    def at(self, folder: Path) -> Self:
        return self if self.path is None else self.model_copy(update={"path": folder / self.path})

    def send(self, notice: Notice) -> None:
        """Raises Unavailable where the file cannot be written."""
        line = payload(notice) + b"\n"
        if self.path is None:
            sys.stderr.write(line.decode())
            sys.stderr.flush()
            return
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("ab+") as file:
                whole = file.tell() == 0 or _last(file) == b"\n"  # else a disk was full
                # at once, so that lines of several processes do not mix
                file.write(line if whole else b"\n" + line)
        except OSError as error:
            raise Unavailable(
                f"{self.path} cannot be written: {error.strerror or type(error).__name__}"
            ) from error


def _last(file: BinaryIO) -> bytes:
    file.seek(-1, os.SEEK_END)
    return file.read(1)
