"""What a run of the finetune flow came to: the object that `llmops finetune --json` prints."""

from collections.abc import Mapping, Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from llmops.tasks.datasets.training.exporting import DatasetFile, TargetReport
from llmops.tasks.datasets.training.publishing import PublishedDataset, RowCounts

Status = Literal["planned", "published", "unchanged", "blocked"]


class FinetuneOutcome(BaseModel):
    """`status`: unchanged where a run gives what the newest version holds; blocked where nothing is
    left to train on. `folder`: of the version; `quarantine`: the file of rejected rows;
    `rejected`: by reason.
    """

    model_config = ConfigDict(frozen=True)
    flow: Literal["finetune"] = "finetune"
    name: str
    status: Status
    version: int | None
    rows: RowCounts
    files: tuple[DatasetFile, ...] = ()
    targets: tuple[TargetReport, ...] = ()
    folder: str | None = None
    content_sha256: str | None = None
    quarantine: str | None = None
    rejected: dict[str, int] = Field(default_factory=dict)
    sources: dict[str, int] = Field(default_factory=dict)
    cost_usd: float = 0.0
    seconds: float = 0.0
    steps: dict[str, float] = Field(default_factory=dict)
    training: dict[str, object] | None = None
    reason: str | None = None
    hint: str | None = None
    prefect_run_id: str | None = None
    mlflow_run_id: str | None = None
    links: dict[str, str] = Field(default_factory=dict)
    warnings: list[str] = Field(default_factory=list)

    @property
    def headline(self) -> str:
        rows = self.rows
        if self.status == "planned":
            parts = ", ".join(f"{name} {count}" for name, count in self.sources.items())
            return f"{self.name}: a plan; {rows.collected:,} rows to collect: {parts}"
        if self.status == "blocked":
            return f"{self.name}: {self.reason}"
        return (
            f"{self.name} v{self.version} {self.status}: {rows.left:,} of {rows.collected:,} rows, "
            f"{rows.train:,} to train on, in {len({each.format for each in self.files})} formats"
        )

    @property
    def failed(self) -> str | None:
        return "Blocked" if self.status == "blocked" else None

    @property
    def completed(self) -> str:
        return {"planned": "Planned", "unchanged": "Unchanged"}.get(self.status, "Published")

    @property
    def exit_code(self) -> int:
        return 3 if self.status == "blocked" else 0

    def warned(self, *warnings: str) -> "FinetuneOutcome":
        return self.model_copy(update={"warnings": [*self.warnings, *warnings]})

    def linked(self, links: dict[str, str]) -> "FinetuneOutcome":
        return self.model_copy(update={"links": links})

    def public(self) -> Mapping[str, object]:
        """The JSON object."""
        return {**self.model_dump(mode="json"), "headline": self.headline}


def warnings_of(
    published: PublishedDataset, reports: Sequence[TargetReport], remarks: Mapping[str, int]
) -> list[str]:
    """What a person has to know."""
    told = [f"{each.format}: {one}" for each in reports for one in each.warnings]
    told += [f"{each.format}: no row fits this format" for each in reports if not each.records]
    told += [f"{count:,} rows: {text}" for text, count in remarks.items()]
    rows = published.manifest.rows
    if not rows.validation or not rows.test:
        sides = [each for each in ("validation", "test") if not getattr(rows, each)]
        told.append(f"the side {' and '.join(sides)} is empty: too few groups, or a share of 0")
    return told
