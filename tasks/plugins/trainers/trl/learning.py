"""TRL's trainers, with rows that are in tokens already."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from peft import LoraConfig
from transformers import PrinterCallback, TrainerCallback, set_seed
from trl import DPOConfig, DPOTrainer, KTOConfig, KTOTrainer, SFTConfig, SFTTrainer
from trl.trainer.dpo_trainer import DataCollatorForPreference
from trl.trainer.kto_trainer import DataCollatorForUnpairedPreference
from trl.trainer.sft_trainer import DataCollatorForLanguageModeling

from llmops.tasks.plugins.trainers import Step, TrainingRun
from llmops.tasks.plugins.trainers.trl.options import TrlOptions

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedModel, PreTrainedTokenizerBase, TrainerControl, TrainerState

COLLATORS: dict[str, type] = {
    "trl_sft": DataCollatorForLanguageModeling,
    "trl_dpo": DataCollatorForPreference,
    "trl_kto": DataCollatorForUnpairedPreference,
}


class TokenPairs(DPOTrainer):  # type: ignore[misc]  # TRL is not there where types are checked
    """TRL's own preparation would make tokens anew, from rows that Arrow has changed: it gives
    every object the keys of all others, which a chat template then writes out.
    """

    def _prepare_dataset(self, dataset: "Dataset", *_: object) -> "Dataset":
        return dataset


class TokenRatings(KTOTrainer):  # type: ignore[misc]
    """The same, with what KTO compares with: the answer of another row of the batch."""

    def _prepare_dataset(
        self, dataset: "Dataset", tokenizer: object, args: "KTOConfig", *_: object
    ) -> "Dataset":
        del tokenizer
        return dataset.map(_turned, batched=True, batch_size=args.per_device_train_batch_size)


TRAINERS = {
    "trl_sft": (SFTTrainer, SFTConfig),
    "trl_dpo": (TokenPairs, DPOConfig),
    "trl_kto": (TokenRatings, KTOConfig),
}


class Telling(TrainerCallback):  # type: ignore[misc]
    """Says how it goes while it goes."""

    def __init__(self, step: Step) -> None:
        self._step = step

    def on_log(
        self,
        args: object,
        state: "TrainerState",
        control: "TrainerControl",
        logs: Mapping[str, object] | None = None,
        **_: object,
    ) -> None:
        del args, control
        numbers = {n: float(v) for n, v in (logs or {}).items() if isinstance(v, int | float)}
        numbers = {name: value for name, value in numbers.items() if not name.startswith("total_")}
        if numbers:
            self._step(int(state.global_step), numbers)


def learning(
    trainer: TrlOptions,
    format_name: str,
    model: tuple["PreTrainedModel", "PreTrainedTokenizerBase"],
    sides: Mapping[str, "Dataset"],
    run: TrainingRun,
    *,
    bf16: bool,
) -> "SFTTrainer":
    """Raises TypeError or ValueError for parameters that TRL does not take."""
    set_seed(trainer.seed)  # LoRA's first weights are drawn as the trainer is made
    make, configure = TRAINERS[format_name]
    train = sides["train"]
    if format_name == "trl_kto":
        # pairs lie side by side in the file, and KTO wants answers to other questions in a batch
        train = train.shuffle(seed=trainer.seed)
    found = make(
        model=model[0],
        processing_class=model[1],
        args=configure(**arguments(trainer, format_name, run, bf16=bf16)),
        train_dataset=train,
        eval_dataset=sides.get("validation"),
        peft_config=LoraConfig(
            task_type="CAUSAL_LM",
            r=trainer.lora_rank,
            lora_alpha=trainer.lora_alpha,
            lora_dropout=trainer.lora_dropout,
            target_modules="all-linear",
            modules_to_save=list(trainer.modules_to_save) or None,
            ensure_weight_tying=bool(
                trainer.modules_to_save and model[0].config.tie_word_embeddings
            ),
        ),
        callbacks=[Telling(run.step)],
    )
    found.remove_callback(PrinterCallback)  # it prints to standard output
    return found


def arguments(
    trainer: TrlOptions, format_name: str, run: TrainingRun, *, bf16: bool
) -> dict[str, object]:
    """By the names of TRL's configuration. No row is ever cut: they were counted before."""
    gpu = torch.cuda.is_available()
    return {
        "output_dir": str(run.folder / "checkpoints"),
        "max_length": None,
        "num_train_epochs": float(trainer.epochs),
        "per_device_train_batch_size": trainer.batch_size,
        "per_device_eval_batch_size": trainer.batch_size,
        "gradient_accumulation_steps": trainer.accumulate,
        "learning_rate": trainer.rate(format_name),
        "lr_scheduler_type": "cosine",
        "warmup_steps": 0.1,
        "logging_steps": 1,
        "save_strategy": "steps",
        "save_steps": trainer.save_every,
        "save_total_limit": 2,
        "eval_strategy": "no",
        "seed": trainer.seed,
        "data_seed": trainer.seed,
        "report_to": "none",
        "disable_tqdm": True,
        "use_cpu": not gpu,
        "bf16": bf16,
        "gradient_checkpointing": False,
        "dataloader_pin_memory": gpu,
        **({} if format_name == "trl_sft" else {"beta": trainer.beta}),
        **trainer.parameters,
    }


def _turned(rows: dict[str, list[list[int]]]) -> dict[str, list[list[int]]]:
    answers = rows["completion_ids"]
    return {"KL_completion_ids": [answers[-1], *answers[:-1]]}
