"""Senders: an alert in, a message to people out."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from llmops.tasks.errors import Unavailable
from llmops.tasks.plugins import Plugin

NoticeKind = Literal["fired", "resolved", "reminder", "history", "test"]


class Notice(BaseModel):
    """What people are told. `id`: the same for the same notice, however often it is sent; `key`: of
    the alert, the same for its recovery; `project`: whose alert it is; `returns`: how often it came
    back soon after it was over; `lines`: of `history`, what came and went in quiet hours, a line
    each; `note`: what is to be said beside, such as that another sender does not work.
    """

    model_config = ConfigDict(frozen=True)
    id: str
    kind: NoticeKind
    key: str
    rule: str
    subject: str
    severity: Literal["info", "warning", "critical"]
    message: str
    hint: str = ""
    value: float | None = None
    began_at: datetime
    at: datetime
    project: str = ""
    links: Mapping[str, str] = Field(default_factory=dict)
    returns: int = 0
    lines: tuple[str, ...] = ()
    note: str = ""


class Later(Unavailable):
    """The other side asks to be left alone for `after` seconds."""

    def __init__(self, message: str, *, after: float, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.after = after


class Sender(Plugin, ABC):
    """Sends notices. A notice may arrive twice where a sender breaks off: its id says so."""

    family: ClassVar[str] = "senders"

    @abstractmethod
    def send(self, notice: Notice) -> None:
        """Raises Unavailable where it may go well another time, ConfigError where it never will."""
