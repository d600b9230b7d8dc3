"""The config of the `maintain` flow: what is freed, for how long what is kept, and where backups
go.
"""

from pathlib import Path
from typing import Literal

from pydantic import Field

from llmops.configs.section import FlowConfig, Schedule, Section
from llmops.tasks.chat.spec import Name
from llmops.tasks.maintenance.house import MaintainSpec


class BackupSettings(Section):
    """`to`: a folder, or a URL that fsspec writes; `keep`: how many backups stay there."""

    to: str = Field(min_length=1)
    keep: int = Field(default=14, ge=1, le=10_000)


class MaintainConfig(FlowConfig):
    """`free`: what no kept version of any knowledge base needs goes, in the store and the lake;
    `paid`: also embeddings and parsed texts that none has, which would be paid for again;
    `outcomes_days`: what runs came to, and pages of Data Docs, unless a kept version is of them.
    """

    flow: Literal["maintain"]
    name: Name
    free: bool = True
    paid: bool = False
    outcomes_days: float | None = Field(default=90, ge=1, le=36_500)
    backup: BackupSettings | None = None
    schedule: Schedule | None = None

    def spec(self) -> MaintainSpec:
        """What the flow needs of the config."""
        return MaintainSpec(
            name=self.name,
            free=self.free,
            paid=self.paid,
            outcomes_days=self.outcomes_days,
            backup=_place(self.folder, self.backup.to) if self.backup else None,
            keep=self.backup.keep if self.backup else 1,
        )


def _place(folder: Path, place: str) -> str:
    return place if "://" in place else str(folder / Path(place).expanduser())
