"""When something that is wrong counts as an alert, and who is told of it: what a config says, as
plain values.
"""

from collections.abc import Mapping
from datetime import timedelta

from pydantic import BaseModel, ConfigDict, Field

from llmops.tasks.alerts.condition import Severity
from llmops.tasks.alerts.quiet import QuietHours

SEVERITIES: tuple[Severity, ...] = ("info", "warning", "critical")
NOTHING = timedelta(0)


def rank(severity: str) -> int:
    """How bad, from 0 on."""
    return next(n for n, each in enumerate(SEVERITIES) if each == severity)


class Recipient(BaseModel):
    """A sender, by its name, and from which severity on it is used. `always`: also in quiet hours
    and for what is muted, for machines that keep count.
    """

    model_config = ConfigDict(frozen=True)
    sender: str
    least: Severity = "info"
    always: bool = False


class AlertPolicy(BaseModel):
    """`owner`: whose looks these are: an alert is over when its owner no longer sees it. `every`:
    the usual time between two looks. `after`: by rule, how long something has to be seen before it
    counts. `clears_after`: how long it has to be gone, at least two looks. `remind_after`: how
    often a critical alert is told again. `flap_window`: what comes back within it is the same
    alert, and over only when it stayed away for as long.
    """

    model_config = ConfigDict(frozen=True)
    owner: str = "alerts"
    project: str = ""
    every: timedelta = timedelta(minutes=1)
    after: Mapping[str, timedelta] = Field(default_factory=dict)
    clears_after: timedelta = NOTHING
    remind_after: timedelta = timedelta(hours=24)
    flap_window: timedelta = timedelta(minutes=30)
    recipients: tuple[Recipient, ...] = ()
    quiet: QuietHours | None = None
