"""The trainer `axolotl`: LoRA by Axolotl, from the files of the exporter `sharegpt`."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from llmops.tasks.errors import UsageError
from llmops.tasks.plugins.trainers import TrainingData
from llmops.tasks.plugins.trainers._program import LOGGED, MODEL, PAIRS, ProgramTrainer

ROLES = {
    "system": ["system"],
    "user": ["human"],
    "assistant": ["gpt", "function_call"],
    "tool": ["observation"],
}


class AxolotlTrainer(ProgramTrainer):
    """Records that are longer than the configuration says stop the run: Axolotl would drop them.
    Every answer of a conversation is learnt: Axolotl has no way to learn the last one alone.
    """

    install: ClassVar[str] = "pip install axolotl"
    program: str = Field(default="axolotl", min_length=1)
    """The program's name, or its path, such as that in an environment of its own."""
    chat_template: str = Field(default="tokenizer_default", min_length=1)
    """Axolotl's name of the chat template; tokenizer_default is the model's own."""

    def arguments(self, config: Path) -> list[str]:
        return ["train", str(config)]

    def config(self, data: TrainingData, folder: Path) -> Mapping[str, object]:
        """By the names of its schema. The method dpo knows no column for the system prompt, so that
        pairs are written again, with it as a message.
        """
        files = self.files(data)
        if self.method == "dpo":
            files = {split: _with_system(path, folder, split) for split, path in files.items()}
        train = [self._dataset(files["train"])]
        held: dict[str, object] = {"val_set_size": 0.0}
        if "validation" in files:
            held = {"test_datasets": [{**self._dataset(files["validation"]), "split": "train"}]}
        preference = {"rl": "dpo", "rl_beta": self.beta}
        return {
            "base_model": self.model,
            "adapter": "lora",
            "lora_r": self.lora_rank,
            "lora_alpha": self.lora_alpha,
            "lora_target_linear": True,
            **(preference if self.method == "dpo" else {}),
            "chat_template": self.chat_template,
            "datasets": train,
            **held,
            "dataset_prepared_path": str(folder / "prepared"),
            "sequence_len": self.longest(data),
            "excess_length_strategy": "raise",
            "train_on_inputs": False,
            "output_dir": str(folder / MODEL),
            "micro_batch_size": self.batch_size,
            "gradient_accumulation_steps": self.accumulate,
            "num_epochs": self.epochs,
            "learning_rate": self.rate(),
            "optimizer": "adamw_torch",
            "lr_scheduler": "cosine",
            "warmup_ratio": 0.1,
            "bf16": "auto",
            "logging_steps": LOGGED,
            "saves_per_epoch": 1,
            "auto_resume_from_checkpoints": True,
            "seed": self.seed,
        }

    def _dataset(self, path: Path) -> dict[str, object]:
        """A file as the chat template reads it."""
        common: dict[str, object] = {
            "path": str(path),
            "ds_type": "json",
            "field_messages": "conversations",
            "message_property_mappings": {"role": "from", "content": "value"},
            "roles": ROLES,
        }
        if self.method == "dpo":
            fields = {"field_chosen": "chosen", "field_rejected": "rejected"}
            return {**common, "type": "chat_template.default", "split": "train", **fields}
        learnt = {"roles_to_train": ["assistant"], "train_on_eos": "turn"}
        return {**common, "type": "chat_template", **learnt}


def _with_system(path: Path, folder: Path, split: str) -> Path:
    """The pairs, with the system prompt as the first message. Raises UsageError where they call
    tools, which the method does not know.
    """
    made = folder / f"{split}-{PAIRS}.jsonl"
    with path.open(encoding="utf-8") as lines, made.open("w", encoding="utf-8", newline="\n") as to:
        for number, line in enumerate(lines, 1):
            record = json.loads(line)
            if record.pop("tools", None):
                raise UsageError(
                    f"{path}:{number}: a pair with tools, which Axolotl's dpo does not know",
                    hint="collect pairs without tools for it, or train by llamafactory",
                )
            if system := record.pop("system", None):
                first = {"from": "system", "value": system}
                record["conversations"] = [first, *record["conversations"]]
            to.write(json.dumps(record, ensure_ascii=False) + "\n")
    return made
