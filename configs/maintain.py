"""The config of the `maintain` flow: what is freed, for how long what is kept, and where backups
go.
"""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from llmops.configs.named import named_below
from llmops.configs.section import FlowConfig, Schedule, Section
from llmops.tasks.chat.spec import Name
from llmops.tasks.maintenance.house import MaintainSpec
from llmops.tasks.maintenance.retention.policy import RetentionPolicy

Days = Annotated[float, Field(ge=1, le=36_500)] | None


class BackupSettings(Section):
    """`to`: a folder, or a URL that fsspec writes; `keep`: how many backups stay there."""

    to: str = Field(min_length=1)
    keep: int = Field(default=14, ge=1, le=10_000)


class MaintainConfig(FlowConfig):
    """`free`: what no kept version of any knowledge base needs goes, in the store and the lake;
    `paid`: also what would be paid for again: embeddings and parsed texts that none has, and
    replies of models older than `calls_days`. The other `…_days` say how long what is kept where
    nothing that stays needs it; `null`: for ever.
    """

    flow: Literal["maintain"]
    name: Name
    free: bool = True
    paid: bool = False
    outcomes_days: Days = 90
    runs_days: Days = 90
    decisions_days: Days = 365
    evaluations_days: Days = 30
    datasets_days: Days = 365
    trainings_days: Days = 180
    answers_days: Days = 90
    calls_days: Days = 365
    alerts_days: Days = 365
    logs_days: Days = 30
    backup: BackupSettings | None = None
    schedule: Schedule | None = None

    def spec(self) -> MaintainSpec:
        """What the flow needs of the config, and of those beside it: what they name stays."""
        days = {name: getattr(self, name) for name in type(self).model_fields if _of_days(name)}
        days["calls_days"] = self.calls_days if self.paid else None
        return MaintainSpec(
            name=self.name,
            free=self.free,
            paid=self.paid,
            policy=RetentionPolicy(**days, named=named_below(self.folder)),
            backup=_place(self.folder, self.backup.to) if self.backup else None,
            keep=self.backup.keep if self.backup else 1,
        )


def _of_days(name: str) -> bool:
    return name.endswith("_days")


def _place(folder: Path, place: str) -> str:
    return place if "://" in place else str(folder / Path(place).expanduser())
