"""Senders: an alert in, a message to people out."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from llmops.tasks.errors import Unavailable
from llmops.tasks.plugins import Plugin

Severity = Literal["info", "warning", "critical"]
NoticeKind = Literal["fired", "resolved", "reminder", "history", "test"]


class Notice(BaseModel):
    """What people are told. `id`: the same for the same notice, however often it is sent; `key`: of
    the alert, the same for its recovery; `project`: whose alert it is; `returns`: how often it came
    back soon after it was over; `thread`: the id of what this sender said first of the alert;
    `lines`: of `history`, what came and went in quiet hours, a line each; `note`: what is to be
    said beside, such as that another sender does not work.
    """

    model_config = ConfigDict(frozen=True)
    id: str
    kind: NoticeKind
    key: str
    rule: str
    subject: str
    severity: Severity
    message: str
    hint: str = ""
    value: float | None = None
    began_at: datetime
    at: datetime
    project: str = ""
    links: Mapping[str, str] = Field(default_factory=dict)
    returns: int = 0
    thread: str = ""
    lines: tuple[str, ...] = ()
    note: str = ""


class Later(Unavailable):
    """The other side asks to be left alone for `after` seconds."""

    def __init__(self, message: str, *, after: float, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.after = after


class Sender(Plugin, ABC):
    """Sends notices. A notice may arrive twice where a sender breaks off: its id says so. `id`:
    what tells it from others of its name; `severity`: the least that it is used for.
    """

    family: ClassVar[str] = "senders"
    id: str | None = None
    severity: Severity = "info"

    def at(self, folder: Path) -> Self:
        """The same, with paths that are relative to a folder, that of the config."""
        del folder
        return self

    @abstractmethod
    def send(self, notice: Notice) -> None:
        """Raises Unavailable where it may go well another time, ConfigError where it never will."""
