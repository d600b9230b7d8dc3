"""What LLaMA-Factory and Axolotl want of a configuration, from their documentation."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

LLAMAFACTORY = {
    *("model_name_or_path", "stage", "do_train", "finetuning_type", "lora_rank", "lora_alpha"),
    *("lora_target", "pref_beta", "pref_loss", "mask_history", "dataset_dir", "dataset"),
    *("eval_dataset", "template", "cutoff_len", "output_dir", "logging_steps", "save_strategy"),
    *("eval_strategy", "per_device_train_batch_size", "per_device_eval_batch_size"),
    *("gradient_accumulation_steps", "learning_rate", "num_train_epochs", "lr_scheduler_type"),
    *("warmup_ratio", "seed", "report_to", "bf16"),
}
AXOLOTL = {
    *("base_model", "adapter", "lora_r", "lora_alpha", "lora_target_linear", "rl", "rl_beta"),
    *("chat_template", "datasets", "test_datasets", "val_set_size", "dataset_prepared_path"),
    *("sequence_len", "excess_length_strategy", "train_on_inputs", "output_dir"),
    *("micro_batch_size", "gradient_accumulation_steps", "num_epochs", "learning_rate"),
    *("optimizer", "lr_scheduler", "warmup_ratio", "bf16", "logging_steps", "saves_per_epoch"),
    *("auto_resume_from_checkpoints", "seed"),
}


def llamafactory(config: Mapping[str, Any]) -> list[str]:
    """Arguments are of its dataclasses; a data set is an entry of `dataset_info.json` in
    `dataset_dir` whose `ranking` fits the stage; columns are in the file.
    """
    wrong = [f"unknown argument {each}" for each in set(config) - LLAMAFACTORY]
    info = json.loads((Path(config["dataset_dir"]) / "dataset_info.json").read_text())
    for key in {"dataset", "eval_dataset"} & set(config):
        entry = info.get(config[key])
        if entry is None:
            wrong.append(f"{key} is not in dataset_info.json")
            continue
        if entry.get("ranking", False) != (config["stage"] == "dpo"):
            wrong.append(f"{key} is no data set of the stage {config['stage']}")
        file = Path(config["dataset_dir"]) / entry["file_name"]
        if entry["columns"]["messages"] not in json.loads(file.read_text().splitlines()[0]):
            wrong.append(f"{key} has no column of messages")
    if config["stage"] not in ("sft", "dpo") or not config["do_train"]:
        wrong.append("it does not train")
    return wrong


def axolotl(config: Mapping[str, Any]) -> list[str]:
    """Options are of its schema; a file is read as its type says, and every role is mapped."""
    wrong = [f"unknown option {each}" for each in set(config) - AXOLOTL]
    if ("test_datasets" in config) == ("val_set_size" in config):
        wrong.append("either test_datasets or val_set_size")
    kind = "chat_template.default" if config.get("rl") == "dpo" else "chat_template"
    for dataset in [*config["datasets"], *config.get("test_datasets", [])]:
        if dataset["type"] != kind:
            wrong.append(f"type {dataset['type']}")
        names = dataset["message_property_mappings"]
        known = {source for sources in dataset["roles"].values() for source in sources}
        for line in Path(dataset["path"]).read_text().splitlines():
            record = json.loads(line)
            turns = list(record[dataset["field_messages"]])
            if config.get("rl") == "dpo":
                turns += [record[dataset["field_chosen"]], record[dataset["field_rejected"]]]
                wrong += ["the system prompt is dropped"] * ("system" in record)
            if {turn[names["role"]] for turn in turns} - known:
                wrong.append("a role is not mapped")
            if not all(isinstance(turn[names["content"]], str) for turn in turns):
                wrong.append("content is no text")
    return wrong
