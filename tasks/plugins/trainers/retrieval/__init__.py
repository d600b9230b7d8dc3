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
    """Learns from questions with known documents, and from answers that people found good."""

    kind: ClassVar[Kind] = "ranking"
    knowledge_base: str = Field(pattern=r"^[a-z][a-z0-9-]{0,62}$")
    """The knowledge base whose ranking is trained."""
    questions: OneOrMore | None = None
    """Golden sets whose questions and documents are learnt from."""
    feedback: str | None = Field(default=None, min_length=1)
    """The application whose answers that people found good are learnt from."""
    trust: Literal["nobody", "reviewers", "everybody"] = "reviewers"
    """Whose word on an answer counts without a review."""
    clicks: bool = False
    """Whether sources that people opened are learnt from, too: they train and decide nothing."""
    test: OneOrMore | None = None
    """A golden set that neither trains nor decides; its figures are in the report."""
    adapter: bool = True
    """Whether an adapter of the vectors is learnt beside the weight of both searches."""
    temperature: float = Field(default=0.02, gt=0, le=1)
    """Of the softmax over passages: with a smaller one, the nearest passages alone count."""
    ridge: float = Field(default=0.15, gt=0)
    """How strongly the adapter is held to what the questions tell without any judgement."""
    steps: int = Field(default=30, ge=1, le=1_000)
    """The most iterations in which the adapter is fitted."""
    folds: int = Field(default=5, ge=2, le=20)
    """Parts of the cross-validation that the gate decides by."""

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
