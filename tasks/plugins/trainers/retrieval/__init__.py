"""The trainer `retrieval`: how a knowledge base ranks, learnt from judged questions, in seconds."""

from typing import ClassVar, Literal

from pydantic import Field, model_validator

from llmops.tasks.errors import UsageError
from llmops.tasks.plugins.trainers import (
    Kind,
    TrainedModel,
    Trainer,
    TrainingData,
    TrainingRun,
)
from llmops.tasks.plugins.trainers.retrieval.adapter import fit_adapter, to_bytes
from llmops.tasks.schemas import OneOrMore

FILE = "adapter.safetensors"


class RetrievalTrainer(Trainer):
    """Learns from `questions` (golden sets) and from the answers of the application `feedback` that
    people found good, `trust`: whose word counts without a review; `clicks`: also from sources of
    its answers that people opened, which train and decide nothing. `test`: a golden set that
    neither trains nor decides; its figures are in the report. `adapter`: false for the weight
    alone. `folds`: of the cross-validation that the gate decides by.

    `temperature` and `ridge` are those of `fit_adapter`, `steps` its most iterations.
    """

    kind: ClassVar[Kind] = "ranking"
    knowledge_base: str = Field(pattern=r"^[a-z][a-z0-9-]{0,62}$")
    """Whose ranking is trained."""
    questions: OneOrMore | None = None
    feedback: str | None = Field(default=None, min_length=1)
    trust: Literal["nobody", "reviewers", "everybody"] = "reviewers"
    clicks: bool = False
    test: OneOrMore | None = None
    adapter: bool = True
    temperature: float = Field(default=0.02, gt=0, le=1)
    ridge: float = Field(default=0.15, gt=0)
    steps: int = Field(default=30, ge=1, le=1_000)
    folds: int = Field(default=5, ge=2, le=20)

    @model_validator(mode="after")
    def _learns_from_something(self) -> "RetrievalTrainer":
        if self.questions is None and self.feedback is None:
            raise ValueError(
                "there is nothing to learn from: name golden sets in questions, or an application "
                "in feedback"
            )
        if self.clicks and self.feedback is None:
            raise ValueError("clicks are those of an application: name it in feedback")
        return self

    def train(self, data: TrainingData, run: TrainingRun) -> TrainedModel:
        """The adapter of the pairs, as a safetensors file with the tensor `adapter` of shape
        (dimension, dimension).
        """
        if data.pairs is None or not len(data.pairs.relevant):
            raise UsageError(
                "the trainer retrieval got no judged question",
                hint="its options questions and feedback say where they come from",
            )
        fitted = fit_adapter(data.pairs, self.temperature, self.ridge, self.steps, run.step)
        (run.folder / FILE).write_bytes(to_bytes(fitted.matrix))
        return TrainedModel((FILE,), {"loss": fitted.loss, "loss_before": fitted.loss_before})
