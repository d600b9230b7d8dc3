"""Senders: an alert in, a message to people out."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from llmops.tasks.plugins import Plugin

NoticeKind = Literal["fired", "resolved", "reminder", "test"]


class Notice(BaseModel):
    """What people are told. `id`: the same for the same notice, however often it is sent; `key`: of
    the alert, the same for its recovery; `project`: whose alert it is.
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


class Sender(Plugin, ABC):
    """Sends notices. A notice may arrive twice where a sender breaks off: its id says so."""

    family: ClassVar[str] = "senders"

    @abstractmethod
    def send(self, notice: Notice) -> None:
        """Raises Unavailable where it may go well another time, ConfigError where it never will."""
