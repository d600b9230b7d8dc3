"""What the training of a model came to, from a data set: the object that `llmops train --json`
prints.
"""

from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from llmops.tasks.training.embedder_gate import EmbedderGate
from llmops.tasks.training.sweep import SweepTable

ModelStatus = Literal[
    "planned", "trained", "prepared", "promoted", "rejected", "inconclusive", "failed", "stayed"
]
CODES = {"rejected": 3, "inconclusive": 5, "failed": 4, "stayed": 1}


class TrainedOn(BaseModel):
    """A version of a data set. `rows`, `tokens`: by split, as its files hold them."""

    model_config = ConfigDict(frozen=True)
    name: str
    version: int
    sha256: str
    format: str
    rows: dict[str, int]
    tokens: dict[str, int]


class CaseLost(BaseModel):
    """A case that the trained model answers worse, by the metric that decides."""

    model_config = ConfigDict(frozen=True)
    case: str
    live: str
    candidate: str
    difference: str


class ModelGate(BaseModel):
    """What the gate said of a trained model. `live`, `candidate`: the versions that were compared;
    `values`: of the metric that decides, by arm; `excluded`: cases whose texts the model has seen;
    `better`, `worse`, `same`: cases; `record`: the decision's file; `moved`: whether the alias went
    to the candidate just now.
    """

    model_config = ConfigDict(frozen=True)
    verdict: str
    reason: str
    hint: str | None = None
    live: str
    candidate: str
    metric: str
    higher_is_better: bool = True
    values: dict[str, float] = Field(default_factory=dict)
    difference: float | None = None
    interval: tuple[float, float] | None = None
    cases: int = 0
    excluded: tuple[str, ...] = ()
    better: int = 0
    worse: int = 0
    same: int = 0
    lost: tuple[CaseLost, ...] = ()
    tags: dict[str, float] = Field(default_factory=dict)
    cost_usd: float = 0.0
    decision: str
    decision_sha256: str
    record: str | None = None
    mlflow_run_id: str | None = None
    moved: bool = False


class ModelOutcome(BaseModel):
    """`status`: prepared where only files were written, and `reason` says what is left to do;
    promoted, rejected or inconclusive where a gate decided, failed where too many of its answers
    failed, stayed where the alias should have moved and did not.
    `model`: its name where it is served, or its path; `llm`, `embed`: how configs name it, `base`
    the one that it was made from; `registered`: its version, as in models:/NAME/3. `estimate_usd`:
    what was still to be paid before, None where nobody knows the price; `cost_usd`: what was paid
    in this run, without the gate; `trainings`: of a sweep, how many. `evaluation`: a config that
    compares the model with the one that it was made from. `embedder_gate`: what decided on an
    embedder.
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
    gate: ModelGate | None = None
    embedder_gate: EmbedderGate | None = None
    trainings: int = 1
    sweep: SweepTable | None = None
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
        return {"failed": "TooManyErrors", "stayed": "NotPromoted"}.get(self.status)

    @property
    def completed(self) -> str:
        return self.status.capitalize()

    @property
    def exit_code(self) -> int:
        return CODES.get(self.status, 0)

    def warned(self, *warnings: str) -> "ModelOutcome":
        return self.model_copy(update={"warnings": [*self.warnings, *warnings]})

    def linked(self, links: dict[str, str]) -> "ModelOutcome":
        return self.model_copy(update={"links": links})

    def public(self) -> Mapping[str, object]:
        """The JSON object."""
        return {**self.model_dump(mode="json"), "headline": self.headline}
