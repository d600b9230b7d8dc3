"""What the training of a model came to, from a data set: the object that `llmops train --json`
prints.
"""

from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from llmops.tasks.training.embedder_gate import EmbedderGate

ModelStatus = Literal["planned", "trained", "prepared", "promoted", "rejected", "inconclusive"]


class TrainedOn(BaseModel):
    """A version of a data set. `rows`, `tokens`: by split, as its files hold them."""

    model_config = ConfigDict(frozen=True)
    name: str
    version: int
    sha256: str
    format: str
    rows: dict[str, int]
    tokens: dict[str, int]


class ModelOutcome(BaseModel):
    """`status`: prepared where only files were written, and `reason` says what is left to do.
    `model`: its name where it is served, or its path; `llm`, `embed`: how configs name it, `base`
    the one that it was made from; `registered`: its version, as in models:/NAME/3. `estimate_usd`:
    what was still to be paid before, None where nobody knows the price; `cost_usd`: what was paid
    in this run. `evaluation`: a config that compares the model with the one that it was made from.
    `gate`: what decided on an embedder; promoted, rejected and inconclusive are its words.
    """

    model_config = ConfigDict(frozen=True)
    flow: Literal["train"] = "train"
    name: str
    trainer: str
    kind: str
    status: ModelStatus
    reason: str
    dataset: TrainedOn
    model: str | None = None
    llm: dict[str, object] = Field(default_factory=dict)
    embed: dict[str, object] = Field(default_factory=dict)
    base: dict[str, object] = Field(default_factory=dict)
    registered: str | None = None
    estimate_tokens: int = 0
    estimate_usd: float | None = 0.0
    cost_usd: float = 0.0
    figures: dict[str, float] = Field(default_factory=dict)
    folder: str
    files: tuple[str, ...] = ()
    evaluation: str | None = None
    gate: EmbedderGate | None = None
    seconds: float = 0.0
    prefect_run_id: str | None = None
    mlflow_run_id: str | None = None
    links: dict[str, str] = Field(default_factory=dict)
    warnings: list[str] = Field(default_factory=list)

    @property
    def headline(self) -> str:
        return f"{self.name}: {self.status}: {self.reason}"

    @property
    def failed(self) -> str | None:
        return None

    @property
    def completed(self) -> str:
        return self.status.capitalize()

    @property
    def exit_code(self) -> int:
        """3 for rejected, 5 for inconclusive, else 0."""
        return {"rejected": 3, "inconclusive": 5}.get(self.status, 0)

    def warned(self, *warnings: str) -> "ModelOutcome":
        return self.model_copy(update={"warnings": [*self.warnings, *warnings]})

    def linked(self, links: dict[str, str]) -> "ModelOutcome":
        return self.model_copy(update={"links": links})

    def public(self) -> Mapping[str, object]:
        """The JSON object."""
        return {**self.model_dump(mode="json"), "headline": self.headline}
