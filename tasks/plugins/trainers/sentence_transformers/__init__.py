"""The trainer `sentence_transformers`: an embedder of one's own, from questions and the passages
that answer them.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from llmops.tasks.plugins import canonical, digest
from llmops.tasks.plugins.embedders.onnx import OnnxEmbedder
from llmops.tasks.plugins.trainers import (
    DatasetTrainer,
    Kind,
    TrainedModel,
    TrainingData,
    TrainingRun,
)
from llmops.tasks.plugins.trainers.sentence_transformers.base import (
    MINILM,
    base_folder,
    base_sha256,
)
from llmops.tasks.plugins.trainers.sentence_transformers.rows import files_of, texts_of
from llmops.tasks.schemas import OneOrMore

EXTRA = "pip install 'llmops-pipelines[sentence-transformers]'"
GATE = {"knowledge_base", "questions", "test", "second"}
KnowledgeBaseName = Field(default=None, pattern=r"^[a-z][a-z0-9-]{0,62}$")


class SecondSet(BaseModel):
    """Judged questions of another subject, on which the model may not be worse by more than
    `margin` (nDCG@10): training on one subject forgets others.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    knowledge_base: str = Field(pattern=r"^[a-z][a-z0-9-]{0,62}$")
    questions: OneOrMore
    margin: float = Field(default=0.02, ge=0, le=1)


class SentenceTransformersTrainer(DatasetTrainer):
    """Questions and passages are embedded by one model. The gate decides between the trained
    embedder and the one that is live.
    """

    requires: ClassVar[Mapping[str, str]] = dict.fromkeys(
        ("sentence_transformers", "datasets", "accelerate"), EXTRA
    )
    kind: ClassVar[Kind] = "embedder"
    formats: ClassVar[tuple[str, ...]] = ("triplets",)
    parts: ClassVar[tuple[str, ...]] = ("", "pairs")
    base: str = Field(default="minilm", min_length=1)
    """The embedder to start from: minilm for the default one's weights, a folder, or a name in
    the model hub.
    """
    epochs: int = Field(default=2, ge=1)
    """How often each row is seen."""
    batch_size: int = Field(default=32, ge=2)
    """Rows in one step."""
    learning_rate: float = Field(default=2e-5, gt=0)
    """How far the weights move in a step, at most."""
    warmup: float = Field(default=0.1, ge=0, le=1)
    """Share of the steps in which the learning rate rises."""
    scale: float = Field(default=20.0, gt=0)
    """How sharply passages of a batch are told apart: 1 / temperature of their softmax."""
    seed: int = Field(default=7, ge=0)
    """The seed of everything random."""
    max_tokens: int | None = Field(default=None, ge=8)
    """The longest text, in tokens; without it, that of `base`."""
    too_long: Literal["drop", "cut", "refuse"] = "drop"
    """What becomes of a row with a longer text: it is left out (drop), cut as the embedder
    would cut it (cut), or stops the run (refuse); it is always counted.
    """
    save_every: int = Field(default=50, ge=1)
    """Steps between two checkpoints."""
    threads: int | None = Field(default=None, ge=1)
    """Threads of the processor; another number may change the last digits."""
    knowledge_base: str | None = KnowledgeBaseName
    """The knowledge base on which the gate compares the trained embedder with the live one."""
    questions: OneOrMore | None = None
    """Golden sets of the knowledge base, by which the gate decides."""
    test: OneOrMore | None = None
    """A golden set that does not decide; its figures are in the report."""
    second: SecondSet | None = None
    """A knowledge base of another subject, with questions, on which the model may not lose."""

    @model_validator(mode="after")
    def _gate_is_whole(self) -> "SentenceTransformersTrainer":
        if (self.knowledge_base is None) != (self.questions is None):
            raise ValueError(
                "the gate needs both knowledge_base and questions: the judged questions decide "
                "whether the trained embedder replaces the one of the knowledge base"
            )
        if self.knowledge_base is None and (self.test is not None or self.second is not None):
            raise ValueError(
                "test and second belong to the gate: name knowledge_base and questions as well"
            )
        return self

    def identity(self) -> str:
        """What is trained, the base's weights among it; not how it is decided on, or saved."""
        left_out = {"version", "save_every", "threads", *GATE}
        said = self.model_dump(mode="json", exclude=left_out)
        return digest(f"{self.spelling()}/{self.revision}", canonical(said), base_sha256(self.base))

    def check(self, data: TrainingData) -> None:
        """Raises UsageError where a file is none of the exporter's, or the base is a folder whose
        model could not be served afterwards.
        """
        for path in files_of(data, "train"):
            next(texts_of(path), None)
        if self.base == MINILM or Path(self.base).is_dir():
            OnnxEmbedder(model=self.base).fingerprint()

    def train(self, data: TrainingData, run: TrainingRun) -> TrainedModel:
        """The folder `model/`, which sentence-transformers and the embedder `onnx` load. A run
        that was killed goes on from its last checkpoint, to the same model.
        """
        from llmops.tasks.plugins.trainers.sentence_transformers.fitting import FitOptions, fit

        given = self.model_dump(include={*FitOptions._fields})
        made = fit(FitOptions(**given | {"base": base_folder(self.base)}), data, run)
        return replace(made, embed=self.served(made.model), base=self.served_base())

    def served(self, folder: str) -> dict[str, object]:
        """How configs name a model in a folder. Of the default embedder it keeps the language."""
        language = {"language": ["en"]} if self.base == MINILM else {}
        return {"name": "onnx", "model": folder, **language}

    def served_base(self) -> dict[str, object]:
        """The same of the base; nothing for a name in the hub, which the embedder does not ask."""
        known = self.base == MINILM or Path(self.base).is_dir()
        return self.served(self.base) if known else {}
