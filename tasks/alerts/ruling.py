"""A rule, as the config says it."""

from datetime import timedelta
from typing import Literal

from pydantic import BaseModel, ConfigDict

from llmops.tasks.alerts.condition import Severity
from llmops.tasks.alerts.measures import MeasureKind, measure_kind

Direction = Literal["rises", "falls"]
HOME = "home"


class ChangeRule(BaseModel):
    """A window is compared with the `than` windows before it. `false_alarms_per_year`: how many are
    expected at most where nothing changes.
    """

    model_config = ConfigDict(frozen=True)
    direction: Direction
    than: int = 4
    false_alarms_per_year: float = 0.1


class AlertRule(BaseModel):
    """`app` or `knowledge_base`: whose metric it is, neither for one of the home. `above`, `below`:
    the bound; `sure`: whether chance has to be excluded, 95 times in 100; `at_least`: exchanges of
    a window, with fewer nothing is said; `after`: how long it has to be so.
    """

    model_config = ConfigDict(frozen=True)
    name: str
    metric: str
    app: str = ""
    knowledge_base: str = ""
    window: timedelta = timedelta(hours=1)
    above: float | None = None
    below: float | None = None
    change: ChangeRule | None = None
    sure: bool = True
    at_least: int = 20
    severity: Severity = "warning"
    after: timedelta = timedelta(0)

    @property
    def subject(self) -> str:
        return self.app or self.knowledge_base or HOME

    @property
    def key(self) -> str:
        return f"{self.name}/{self.subject}"

    @property
    def kind(self) -> MeasureKind:
        """Raises ValueError for a metric that there is not."""
        kind = measure_kind(self.metric)
        if kind is None:
            raise ValueError(f"there is no metric {self.metric!r}")
        return kind


class TooLittle(Exception):
    """Nothing can be said yet: why."""


def lasting(span: timedelta) -> str:
    """A span of time as people write it."""
    seconds = round(span.total_seconds())
    for unit, name in ((86_400, "days"), (3_600, "h"), (60, "min")):
        if seconds >= unit and seconds % unit == 0:
            count = seconds // unit
            return f"1 {name.removesuffix('s')}" if count == 1 else f"{count} {name}"
    return f"{seconds} s"
