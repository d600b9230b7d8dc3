"""What an application may say of its traces: the section `traces` of its config."""

from pydantic import BaseModel, ConfigDict, Field, model_validator

MEGABYTE = 1_000_000


class TraceSettings(BaseModel):
    """`share`: of the requests that are kept; errors, refusals and what got a thumb down are kept
    anyway. `content: false` leaves questions, answers and passages out. `least_days` and
    `most_days`: how long a trace is protected from `llmops traces prune`, and when it goes.
    `otlp`: where a copy of every trace goes to, beside MLflow.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    content: bool = True
    share: float = Field(default=1.0, ge=0, le=1)
    least_days: int = Field(default=0, ge=0)
    most_days: int | None = Field(default=None, ge=1)
    spool_mb: float = Field(default=256.0, gt=0)
    memory: int = Field(default=1000, ge=1)
    otlp: str = Field(default="", pattern=r"^(https?://[^\s/]+.*)?$")
    headers: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _in_order(self) -> "TraceSettings":
        if self.most_days is not None and self.most_days < self.least_days:
            raise ValueError(
                f"most_days is {self.most_days}, less than least_days, {self.least_days}: "
                "give a larger most_days"
            )
        return self

    @property
    def spool_bytes(self) -> int:
        return int(self.spool_mb * MEGABYTE)
