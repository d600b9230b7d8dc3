"""What can be said of a training with TRL, and what is refused before it begins."""

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Literal, Self

from pydantic import Field, field_validator

from llmops.tasks.errors import ConfigError, Mistake
from llmops.tasks.plugins import canonical, digest
from llmops.tasks.plugins._model_folder import contents_of
from llmops.tasks.plugins.trainers import (
    DatasetTrainer,
    Kind,
    TrainingData,
)

INSTALL = "pip install 'llmops-pipelines[trl]'"
RATES = {"trl_sft": 2e-4, "trl_dpo": 1e-5, "trl_kto": 1e-5}
OURS = {
    "max_length": "max_tokens",
    "output_dir": "the folder of the training",
    "report_to": "MLflow, which is told in any case",
    "num_train_epochs": "epochs",
    "per_device_train_batch_size": "batch_size",
    "per_device_eval_batch_size": "batch_size",
    "gradient_accumulation_steps": "accumulate",
    "learning_rate": "learning_rate",
    "seed": "seed",
    "data_seed": "seed",
    "beta": "beta",
    "save_steps": "save_every",
    "save_strategy": "save_every",
    "packing": "nothing: rows are kept apart",
    "assistant_only_loss": "the format: answers alone are learnt",
    "completion_only_loss": "the format: answers alone are learnt",
}
"""Parameters of TRL that options of ours are there for, or that would break what is promised."""


class TrlOptions(DatasetTrainer):
    """See the trainer."""

    kind: ClassVar[Kind] = "llm"
    formats: ClassVar[tuple[str, ...]] = ("trl_sft", "trl_dpo", "trl_kto")
    requires: ClassVar[Mapping[str, str]] = {"trl": INSTALL}
    model: str = Field(min_length=1)
    """The model to start from: a folder with weights, tokenizer and chat template, or a name in
    the model hub.
    """
    epochs: int = Field(default=3, ge=1)
    """How often each row is seen."""
    learning_rate: float | None = Field(default=None, gt=0)
    """How far the weights move in a step, at most; without it 2e-4, of pairs and ratings 1e-5."""
    batch_size: int = Field(default=4, ge=1)
    """Rows in one step."""
    accumulate: int = Field(default=1, ge=1)
    """Steps whose gradients are added before the weights move."""
    lora_rank: int = Field(default=16, ge=1)
    """Rank of the low-rank matrices that are trained."""
    lora_alpha: int = Field(default=32, ge=1)
    """How much these matrices count: it is divided by the rank."""
    lora_dropout: float = Field(default=0.0, ge=0, lt=1)
    """Share of the matrices' inputs that is left out at random in each step."""
    modules_to_save: tuple[str, ...] = ()
    """Modules that are trained whole, beside LoRA, such as embed_tokens and lm_head."""
    beta: float = Field(default=0.1, gt=0)
    """How close the model stays to where it began; used by DPO and KTO."""
    max_tokens: int | None = Field(default=None, ge=16)
    """The longest row, in the model's tokens; without it, the context of the model."""
    over_long: Literal["drop", "split"] = "drop"
    """What becomes of a longer row: it is left out (drop), or parted between the turns of its
    conversation, each part with the system prompt (split).
    """
    chat_template: str | None = Field(default=None, min_length=1)
    """A file with a chat template, where the folder has none, or none that marks what the
    assistant says.
    """
    save_every: int = Field(default=50, ge=1)
    """Steps between two checkpoints."""
    merge: bool = True
    """Whether a folder of the whole model is written, which can be served; if not, the adapter
    alone.
    """
    seed: int = Field(default=7, ge=0)
    """The seed of everything random."""
    threads: int | None = Field(default=None, ge=1)
    """Threads of the processor that torch may use."""
    parameters: dict[str, object] = Field(default_factory=dict)
    """More keys of TRL's configuration."""

    @field_validator("parameters")
    @classmethod
    def _leave_ours_alone(cls, value: dict[str, object]) -> dict[str, object]:
        for name in sorted(set(value) & set(OURS)):
            raise ValueError(f"{name} does not belong here; it is given by {OURS[name]}")
        return value

    def at(self, folder: Path) -> Self:
        model = folder / self.model
        template = self.chat_template and str(folder / self.chat_template)
        known = str(model) if model.is_dir() else self.model
        return self.model_copy(update={"model": known, "chat_template": template})

    def identity(self) -> str:
        """What is trained, and on what: a model folder by what it holds, wherever it lies."""
        apart = {"version", "threads", "save_every", "merge", "model", "chat_template"}
        said = self.model_dump(mode="json", exclude=apart)
        template = Path(self.chat_template).read_text("utf-8") if self.chat_template else ""
        return digest(self.spelling(), canonical(said), contents_of(Path(self.model)), template)

    def check(self, data: TrainingData) -> None:
        found: list[Mistake] = []
        folder = Path(self.model)
        if not folder.is_dir() and (folder.is_absolute() or self.model.startswith((".", "~"))):
            hint = "a relative path starts at the config file's folder"
            found.append(Mistake(f"no such folder: {self.model}", "train.model", hint))
        elif folder.is_dir() and not (folder / "config.json").is_file():
            hint = "a folder as transformers saves it: config.json, weights, tokenizer"
            found.append(Mistake(f"{folder} has no config.json", "train.model", hint))
        if self.chat_template and not Path(self.chat_template).is_file():
            found.append(Mistake(f"no such file: {self.chat_template}", "train.chat_template"))
        if data.format == "trl_kto" and self.batch_size < 2:
            said = f"got {self.batch_size}; allowed: 2 or more, since KTO compares within a batch"
            found.append(Mistake(said, "train.batch_size"))
        if found:
            raise ConfigError(found)

    def rate(self, format_name: str) -> float:
        return self.learning_rate or RATES[format_name]
