"""Alerts as lines of a file."""

from pathlib import Path
from typing import Self

from llmops.tasks.errors import Unavailable
from llmops.tasks.plugins.senders import Notice, Sender


class ExampleSender(Sender):
    """Appends a line to the file `path`: when, what, and how bad. What cannot be sent is tried
    again later: say so with Unavailable.
    """

    path: Path

    def at(self, folder: Path) -> Self:
        return self.model_copy(update={"path": folder / self.path})

    def send(self, notice: Notice) -> None:
        line = f"{notice.at:%Y-%m-%d %H:%M} {notice.severity} {notice.kind}: {notice.message}\n"
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(line)
        except OSError as error:
            raise Unavailable(f"{self.path} cannot be written: {error.strerror}") from error
