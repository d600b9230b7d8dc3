"""The trainer `llamafactory`: LoRA by LLaMA-Factory, from the files of the exporter `sharegpt`."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from llmops.tasks.errors import Damaged
from llmops.tasks.plugins.trainers import TrainingData
from llmops.tasks.plugins.trainers._program import LOGGED, MODEL, ProgramTrainer

INFO = "dataset_info.json"


class LlamafactoryTrainer(ProgramTrainer):
    """The last answer of a conversation is learnt, with `history` also those before it."""

    install: ClassVar[str] = "pip install llamafactory"
    program: str = Field(default="llamafactory-cli", min_length=1)
    """The program's name, or its path, such as that in an environment of its own."""
    template: str = Field(min_length=1)
    """LLaMA-Factory's name of the model's chat template, such as llama3 or qwen3: a wrong one
    trains well and answers badly, so it is never guessed.
    """
    history: bool = False
    """Whether earlier answers of a conversation are learnt, too."""

    def arguments(self, config: Path) -> list[str]:
        return ["train", str(config)]

    def config(self, data: TrainingData, folder: Path) -> Mapping[str, object]:
        """By the names of its arguments; the data set stays where it was published."""
        files = self.files(data)
        entries = {split: entry_of(data, path) for split, path in files.items()}
        checked = "validation" in entries
        evaluation = {
            "eval_dataset": entries.get("validation"),
            "per_device_eval_batch_size": self.batch_size,
            "eval_strategy": "epoch",
        }
        preference = {"pref_beta": self.beta, "pref_loss": "sigmoid"}
        return {
            "model_name_or_path": self.model,
            "stage": self.method,
            "do_train": True,
            "finetuning_type": "lora",
            "lora_rank": self.lora_rank,
            "lora_alpha": self.lora_alpha,
            "lora_target": "all",
            **(preference if self.method == "dpo" else {"mask_history": not self.history}),
            "dataset_dir": str(files["train"].parent),
            "dataset": entries["train"],
            "template": self.template,
            "cutoff_len": self.longest(data),
            **(evaluation if checked else {}),
            "output_dir": str(folder / MODEL),
            "logging_steps": LOGGED,
            "save_strategy": "epoch",
            "per_device_train_batch_size": self.batch_size,
            "gradient_accumulation_steps": self.accumulate,
            "learning_rate": self.rate(),
            "num_train_epochs": float(self.epochs),
            "lr_scheduler_type": "cosine",
            "warmup_ratio": 0.1,
            "seed": self.seed,
            "report_to": "none",
        }


def entry_of(data: TrainingData, path: Path) -> str:
    """The name of a file in the data set's `dataset_info.json`. Raises Damaged."""
    info = data.beside.get(INFO)
    entries = json.loads(info.read_text(encoding="utf-8")) if info else {}
    for name, entry in entries.items():
        if entry.get("file_name") == path.name:
            return str(name)
    raise Damaged(f"{path.parent / INFO} does not name {path.name}", hint="run llmops finetune")
