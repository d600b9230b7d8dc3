"""A training with TRL, from exported files to a model folder; after a crash it goes on from its
last checkpoint.
"""

import hashlib
import json
import os
import shutil
import warnings
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, NamedTuple

from llmops.tasks.errors import ConfigError, LlmopsError, Mistake, UsageError
from llmops.tasks.plugins._model_folder import ends_of
from llmops.tasks.plugins.trainers import TrainedModel, TrainingData, TrainingRun
from llmops.tasks.plugins.trainers.trl.conversations import ChatTokens, unmarked
from llmops.tasks.plugins.trainers.trl.options import TrlOptions
from llmops.tasks.plugins.trainers.trl.saving import ADAPTER, MODEL, merge, save_adapter
from llmops.tasks.plugins.trainers.trl.tokens import (
    TokenCache,
    TokenCounts,
    must_learn,
    prove,
    write_json,
)

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedModel, PreTrainedTokenizerBase
    from trl import SFTTrainer

CHECKPOINTS, TOKENS, BEFORE, ROWS, DONE = (
    "checkpoints",
    "tokens",
    "before.json",
    "rows.json",
    "trained.json",
)
LONGEST = 1 << 20
"""A context that is said to be longer is none: some tokenizers say 10^30."""


class Loaded(NamedTuple):
    """`context`: the longest sequence that the model takes."""

    model: "PreTrainedModel"
    chat: ChatTokens
    context: int


def train(trainer: TrlOptions, data: TrainingData, run: TrainingRun) -> TrainedModel:
    """Raises UsageError where there is nothing to learn, or the model has no chat template."""
    done = run.folder / DONE
    if done.is_file() and (run.folder / (MODEL if trainer.merge else ADAPTER)).is_dir():
        return _made(trainer, run, json.loads(done.read_text(encoding="utf-8")))
    quiet(trainer.threads)
    loaded = load(trainer)
    sides, counts = _tokens(trainer, data, run, loaded)
    figures, told = dict[str, float](), list[str]()
    for split, each in counts.items():
        figures |= each.figures(split)
        told += each.warnings(split, _most(trainer, loaded))
    if "validation" not in sides:
        told.append("there are no held-out rows: nobody knows what was learnt by heart")
    write_json(run.folder / ROWS, {split: asdict(each) for split, each in counts.items()})
    learning = _learning(trainer, data.format, loaded, sides, run)
    for split in sides:
        found = learning.train_dataset if split == "train" else learning.eval_dataset
        prove(learning, found, counts[split], loaded.chat)
    figures |= _learn(trainer, learning, run, held_out="validation" in sides)
    save_adapter(learning, loaded.chat.tokenizer, run.folder)
    if trainer.merge:
        merge(learning, loaded.chat.tokenizer, run.folder)
    said = {"figures": figures, "warnings": told}
    write_json(done, said)
    for name in (CHECKPOINTS, TOKENS):  # both hold what people said
        shutil.rmtree(run.folder / name, ignore_errors=True)
    return _made(trainer, run, said)


def _made(trainer: TrlOptions, run: TrainingRun, said: Mapping[str, object]) -> TrainedModel:
    figures, told = said["figures"], said["warnings"]
    assert isinstance(figures, dict)
    assert isinstance(told, list)
    base = {"name": "transformers", "model": trainer.model}
    adapter, whole = str(run.folder / ADAPTER), str(run.folder / MODEL)
    llm = {**base, "model": whole} if trainer.merge else {**base, "adapter": adapter}
    return TrainedModel(
        files=(ROWS,),
        figures=figures,
        model=whole if trainer.merge else adapter,
        llm=llm,
        base=base,
        warnings=tuple(map(str, told)),
    )


def quiet(threads: int | None) -> None:
    """Nothing on standard output, no progress bars, no telemetry."""
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    import datasets
    import torch
    import transformers
    from huggingface_hub import constants

    constants.HF_HUB_DISABLE_TELEMETRY = True
    datasets.disable_progress_bars()
    transformers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()
    if threads is not None:
        torch.set_num_threads(threads)


def load(trainer: TrlOptions) -> Loaded:
    """Raises UsageError for a folder that holds no such model, or one without a chat template."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    kind = torch.bfloat16 if _bf16() else torch.float32
    try:
        tokenizer = AutoTokenizer.from_pretrained(trainer.model)
        model = AutoModelForCausalLM.from_pretrained(trainer.model, dtype=kind)
    except (OSError, ValueError, KeyError) as error:
        raise UsageError(
            f"the model {trainer.model} cannot be loaded: {error!s:.300}",
            hint="a folder with config.json, weights and tokenizer, or a name in the model hub",
        ) from error
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    positions = getattr(model.config.get_text_config(), "max_position_embeddings", LONGEST)
    context = min(positions or LONGEST, tokenizer.model_max_length, LONGEST)
    return Loaded(model, _chat(trainer, tokenizer, model), int(context))


def _chat(
    trainer: TrlOptions, tokenizer: "PreTrainedTokenizerBase", model: "PreTrainedModel"
) -> ChatTokens:
    from trl.chat_template_utils import has_generation_markers

    if trainer.chat_template is not None:
        given = Path(trainer.chat_template).read_text(encoding="utf-8")
        tokenizer.chat_template = given if not tokenizer.chat_template else tokenizer.chat_template
        marked = given if has_generation_markers(given) else None
    elif tokenizer.chat_template:
        marked = _known_template(tokenizer)
    else:
        raise UsageError(
            f"the model {trainer.model} has no chat template",
            hint="name a file in train.chat_template, or train an instruct version",
        )
    ends = ends_of(tokenizer, model)
    model.generation_config.eos_token_id = sorted(ends)  # for runtimes that look there alone
    template = unmarked(tokenizer.get_chat_template())
    tokenizer.chat_template = template
    return ChatTokens(tokenizer, template, marked, ends)


def _known_template(tokenizer: "PreTrainedTokenizerBase") -> str | None:
    """The model's own where it has marks, else TRL's of the same family; None for others."""
    from trl.chat_template_utils import get_training_chat_template, has_generation_markers

    own = str(tokenizer.get_chat_template())
    try:
        found = get_training_chat_template(tokenizer)
    except ValueError:  # TRL has no version of it with marks
        found = None
    if found is None and not has_generation_markers(own):
        return None
    return str(found or own)


def _bf16() -> bool:
    import torch

    return bool(torch.cuda.is_available() and torch.cuda.is_bf16_supported())


def _most(trainer: TrlOptions, loaded: Loaded) -> int:
    return min(trainer.max_tokens or loaded.context, loaded.context)


def _tokens(
    trainer: TrlOptions, data: TrainingData, run: TrainingRun, loaded: Loaded
) -> tuple[dict[str, "Dataset"], dict[str, TokenCounts]]:
    from llmops.tasks.plugins.trainers.trl.learning import COLLATORS

    cache = TokenCache(
        folder=run.folder / TOKENS,
        chat=loaded.chat,
        format_name=data.format,
        most=_most(trainer, loaded),
        parted=trainer.over_long == "split",
        collator=COLLATORS[data.format],
    )
    sides: dict[str, Dataset] = {}
    counts: dict[str, TokenCounts] = {}
    for split, path in data.files.items():
        with path.open("rb") as file:
            sha = hashlib.file_digest(file, "sha256").hexdigest()
        found, counted = cache.of(path, split, sha)
        if split == "train":
            must_learn(counted, cache, path)
        counts[split] = counted
        if counted.kept:
            sides[split] = found
    return sides, counts


def _learning(
    trainer: TrlOptions,
    format_name: str,
    loaded: Loaded,
    sides: Mapping[str, "Dataset"],
    run: TrainingRun,
) -> "SFTTrainer":
    from llmops.tasks.plugins.trainers.trl.learning import learning

    try:
        with warnings.catch_warnings():
            # TRL's own defaults are of names that transformers no longer likes
            warnings.simplefilter("ignore", FutureWarning)
            return learning(
                trainer,
                format_name,
                (loaded.model, loaded.chat.tokenizer),
                sides,
                run,
                bf16=_bf16(),
            )
    except (TypeError, ValueError) as error:
        where = "train.parameters" if trainer.parameters else "train"
        raise ConfigError([Mistake(f"TRL refuses it: {error!s:.300}", where)]) from error


def _learn(
    trainer: TrlOptions, learning: "SFTTrainer", run: TrainingRun, *, held_out: bool
) -> dict[str, float]:
    """Train, from the last whole checkpoint on. Returns losses, held-out ones before and after."""
    from transformers import set_seed

    figures = dict[str, float]()
    before = run.folder / BEFORE
    if held_out and not before.is_file():
        said = _held_out(learning)
        write_json(before, said)
    if held_out:
        said = json.loads(before.read_text(encoding="utf-8"))
        figures |= {f"validation_{name}_before": value for name, value in said.items()}
    set_seed(trainer.seed)
    last = last_checkpoint(run.folder / CHECKPOINTS)
    result = learning.train(resume_from_checkpoint=str(last) if last else None)
    if not result.global_step:
        raise LlmopsError("the training took no step")
    told = [each["loss"] for each in learning.state.log_history if "loss" in each]
    # TRL's own mean is of the steps since it was taken up
    figures |= {"train_loss": float(fmean(told)), "steps": float(result.global_step)}
    if held_out:
        after = _held_out(learning)
        figures |= {f"validation_{name}": value for name, value in after.items()}
    return figures


def _held_out(learning: "SFTTrainer") -> dict[str, float]:
    """Loss of the held-out rows, and how often the better answer is found likelier."""
    said = learning.evaluate()
    wanted = {"eval_loss": "loss", "eval_rewards/accuracies": "accuracy"}
    return {name: float(said[key]) for key, name in wanted.items() if key in said}


def last_checkpoint(folder: Path) -> Path | None:
    """The newest that was written whole; others go, of a run that was killed while it wrote."""
    found = sorted(
        folder.glob("checkpoint-*"),
        key=lambda each: int(each.name.rpartition("-")[2]),
        reverse=True,
    )
    for each in found:
        try:
            json.loads((each / "trainer_state.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):  # it is written last
            shutil.rmtree(each)
            continue
        return each
    return None
