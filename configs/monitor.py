"""The config of the `monitor` flow: what is looked at, how far back, and how rarely it may be
wrong.
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field, field_validator

from llmops.configs.section import Files, FlowConfig, Schedule, Slots
from llmops.tasks.chat.spec import Name
from llmops.tasks.monitoring.collecting import MonitorSpec
from llmops.tasks.monitoring.file_traffic import checked_exchanges
from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.embedders import Embedder

YEAR = 365.25
AHEAD = timedelta(days=1)
"""That a date may lie ahead: tomorrow's beginning is the end of today."""


class MonitorConfig(FlowConfig):
    """The last `days` of an application against `reference` windows of that length before them.
    `traffic`: a file of exchanges, for one that is not ours; `until`: where the window ends, to
    look at an earlier one; `false_alarms_per_year`: of all drift together.
    """

    plugins: ClassVar[Slots] = {"embed": Embedder}
    files: ClassVar[Files] = {"traffic": checked_exchanges}
    flow: Literal["monitor"]
    app: Name
    knowledge_bases: list[Name] | None = None
    days: float = Field(default=7, ge=1, le=366)
    reference: int = Field(default=8, ge=1, le=52)
    embed: Spec = Spec(name="minilm")
    false_alarms_per_year: float = Field(default=0.1, gt=0, le=12)
    traffic: Path | None = None
    until: Annotated[datetime | None, Field(description="a date is its beginning, in UTC")] = None
    schedule: Schedule | None = None

    @field_validator("until")
    @classmethod
    def _of_the_past(cls, value: datetime | None) -> datetime | None:
        if value is None:
            return None
        value = value.replace(tzinfo=UTC) if value.tzinfo is None else value
        if value > datetime.now(UTC) + AHEAD:
            raise ValueError("nothing has been asked yet of a window that ends in the future")
        return value

    def looks_per_year(self) -> float:
        """By the schedule; without one, a look for each window."""
        return self.schedule.times_a_year() if self.schedule else YEAR / self.days

    def monitor_spec(self, looks_per_year: float | None = None) -> MonitorSpec:
        """What the flow needs of the config. `looks_per_year`: where another schedule runs it."""
        bases = self.knowledge_bases
        return MonitorSpec(
            app=self.app,
            knowledge_bases=None if bases is None else tuple(bases),
            days=self.days,
            reference=self.reference,
            embed=self.embed,
            false_alarms_per_year=self.false_alarms_per_year,
            looks_per_year=looks_per_year or self.looks_per_year(),
            traffic=self.folder / self.traffic if self.traffic else None,
            until=self.until,
        )
