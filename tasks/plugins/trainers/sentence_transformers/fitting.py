"""Fitting by sentence-transformers: multiple negatives ranking, with checkpoints that a run that
was killed goes on from.
"""

import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from llmops.tasks.errors import LlmopsError, Unavailable, UsageError
from llmops.tasks.plugins.trainers import Step, TrainedModel, TrainingData, TrainingRun
from llmops.tasks.plugins.trainers.sentence_transformers.rows import (
    COLUMNS,
    TRIPLETS,
    FittingRows,
    TooLong,
    rows_of,
)

if TYPE_CHECKING:
    from datasets import Dataset
    from sentence_transformers import (
        SentenceTransformer,
        SentenceTransformerTrainer,
        SentenceTransformerTrainingArguments,
    )
    from transformers import TrainerCallback, TrainerState

MODEL, CHECKPOINTS, FIGURES, STATE = "model", "checkpoints", "figures.json", "trainer_state.json"
FRAME = 2
"""Special tokens around a text."""
LOGGED = 5
"""Steps between two reports."""
BATCH = 1024
"""Texts whose lengths are counted at a time."""


class FitOptions(NamedTuple):
    """How a model is fitted, from what: the options of the trainer, with `base` as the library
    loads it.
    """

    base: str
    epochs: int
    batch_size: int
    learning_rate: float
    warmup: float
    scale: float
    seed: int
    max_tokens: int | None
    too_long: TooLong
    save_every: int
    threads: int | None


def fit(options: FitOptions, data: TrainingData, run: TrainingRun) -> TrainedModel:
    """Train, or take up what was begun in the run's folder. Equal data, options and threads give
    equal files, however often the run was killed. Raises UsageError where nothing is left to train
    on, Unavailable where the base cannot be loaded.
    """
    output = run.folder / MODEL
    if not (output / FIGURES).is_file():
        with _quiet(options.threads):
            _fit_into(output, options, data, run)
    figures = json.loads((output / FIGURES).read_text(encoding="utf-8"))
    files = sorted(path for path in output.rglob("*") if path.is_file())
    first = [path for path in files if path.name == "model.safetensors"]
    names = tuple(str(path.relative_to(run.folder)) for path in dict.fromkeys([*first, *files]))
    long = tuple(_long(options.too_long, figures))
    return TrainedModel(names, figures, str(output), warnings=long)


def _long(too_long: TooLong, figures: Mapping[str, float]) -> Iterator[str]:
    """What became of rows that are too long, of each split."""
    for split in ("train", "validation"):
        if count := int(figures[f"too_long_{split}"]):
            rows = f"{count} {split} row{'s'[: count > 1]}"
            has, was = ("have", "were") if count > 1 else ("has", "was")
            done = "cut" if too_long == "cut" else "left out"
            most = int(figures["max_tokens"])
            yield f"{rows} {has} a text of more than {most} tokens and {was} {done}"


def _fit_into(output: Path, options: FitOptions, data: TrainingData, run: TrainingRun) -> None:
    from transformers import set_seed

    set_seed(options.seed)  # a base may lack parts, which are then made at random
    model = _loaded(options.base, options.max_tokens)
    rows = {split: _rows(options, model, data, split) for split in ("train", "validation")}
    if rows["train"].total < 2:
        raise UsageError(
            f"{data.name} has fewer than 2 rows that fit; at least 2 are needed",
            hint="too_long: cut takes longer ones as the embedder would; or collect more rows",
        )
    figures = _trained(options, model, rows, run)
    figures |= {f"rows_{split}": float(each.total) for split, each in rows.items()}
    figures["max_tokens"] = float(model.max_seq_length - FRAME)
    figures |= {f"too_long_{split}": float(each.long) for split, each in rows.items()}
    unfinished = run.folder / f"{MODEL}.partial"
    shutil.rmtree(unfinished, ignore_errors=True)
    shutil.rmtree(output, ignore_errors=True)
    model.save_pretrained(str(unfinished), create_model_card=False)
    text = json.dumps(figures, indent=1, sort_keys=True)
    (unfinished / FIGURES).write_text(text + "\n", encoding="utf-8")
    unfinished.rename(output)
    shutil.rmtree(run.folder / CHECKPOINTS, ignore_errors=True)


def _loaded(base: str, most: int | None) -> "SentenceTransformer":
    from sentence_transformers import SentenceTransformer

    try:
        model = SentenceTransformer(base, device=_device())
    except Exception as error:  # whatever the hub, the readers of files and torch raise
        raise Unavailable(
            f"the base {base} cannot be loaded: {type(error).__name__}: {str(error)[:300]}",
            hint="train.base is minilm, a folder that sentence-transformers reads, or a name in "
            "the model hub, which is then asked",
        ) from error
    known = model.max_seq_length or model.tokenizer.model_max_length
    model.max_seq_length = min(known, most + FRAME) if most is not None else known
    return model


def _device() -> str:
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def _rows(
    options: FitOptions, model: "SentenceTransformer", data: TrainingData, split: str
) -> FittingRows:
    def count(texts: Sequence[str]) -> list[int]:
        lengths: list[int] = []
        for first in range(0, len(texts), BATCH):
            part = list(texts[first : first + BATCH])
            encoded = model.tokenizer(part, truncation=False, padding=False)["input_ids"]
            lengths += (len(each) - FRAME for each in encoded)
        return lengths

    return rows_of(data, split, count, model.max_seq_length - FRAME, options.too_long)


def _trained(
    options: FitOptions,
    model: "SentenceTransformer",
    rows: Mapping[str, FittingRows],
    run: TrainingRun,
) -> dict[str, float]:
    """Fits the model in place. Returns its last losses and the number of its steps."""
    from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss
    from transformers import PrinterCallback

    checkpoints = run.folder / CHECKPOINTS
    fitting = _trainer_kind()(
        model=model,
        args=_arguments(options, checkpoints, checked=rows["validation"].total > 1),
        train_dataset=_datasets(rows["train"]),
        eval_dataset=_datasets(rows["validation"]) if rows["validation"].total > 1 else None,
        loss=MultipleNegativesRankingLoss(model, scale=options.scale),
        callbacks=[_reporter(run.step)],
    )
    fitting.remove_callback(PrinterCallback)  # it writes to standard output
    last = last_checkpoint(checkpoints)
    fitting.train(resume_from_checkpoint=str(last) if last else None)
    told: dict[str, float] = {"steps": float(fitting.state.global_step)}
    for line in fitting.state.log_history:
        told |= {name: float(line[name]) for name in ("loss", "eval_loss") if name in line}
    return told


def _arguments(
    options: FitOptions, checkpoints: Path, *, checked: bool
) -> "SentenceTransformerTrainingArguments":
    from sentence_transformers import SentenceTransformerTrainingArguments
    from sentence_transformers.base.sampler import BatchSamplers

    return SentenceTransformerTrainingArguments(
        output_dir=str(checkpoints),
        num_train_epochs=options.epochs,
        per_device_train_batch_size=options.batch_size,
        per_device_eval_batch_size=options.batch_size,
        learning_rate=options.learning_rate,
        warmup_steps=options.warmup,  # below 1 it is a share of all steps
        batch_sampler=BatchSamplers.NO_DUPLICATES,  # two rows of one passage contradict each other
        seed=options.seed,
        data_seed=options.seed,
        use_cpu=_device() == "cpu",
        bf16=False,
        fp16=False,
        eval_strategy="epoch" if checked else "no",
        save_strategy="steps",
        save_steps=options.save_every,
        save_total_limit=2,
        logging_steps=LOGGED,
        logging_first_step=True,
        disable_tqdm=True,
        report_to="none",
        dataloader_num_workers=0,
        dataloader_pin_memory=False,
    )


def _datasets(rows: FittingRows) -> "Dataset | dict[str, Dataset]":
    """One table, or one of each kind: columns may not be missing."""
    from datasets import Dataset

    tables = {
        kind: Dataset.from_dict(
            {
                name: [texts[place] for texts in kept]
                for place, name in enumerate(COLUMNS if kind == TRIPLETS else COLUMNS[:2])
            }
        )
        for kind, kept in sorted(rows.kept.items())
    }
    return tables if len(tables) > 1 else next(iter(tables.values()))


def _trainer_kind() -> "type[SentenceTransformerTrainer]":
    from sentence_transformers import SentenceTransformerTrainer

    class QuietTrainer(SentenceTransformerTrainer):  # type: ignore[misc]
        """Without model cards, which would quote rows."""

        def add_model_card_callback(self, default_args_dict: object) -> None:
            del default_args_dict

        def _save(self, output_dir: str | None = None, state_dict: object = None) -> None:
            del state_dict
            folder = output_dir or str(self.args.output_dir)
            self.model.save_pretrained(folder, create_model_card=False)

    return QuietTrainer


def _reporter(step: Step) -> "TrainerCallback":
    from transformers import TrainerCallback

    class StepReporter(TrainerCallback):  # type: ignore[misc]
        """Tells the run how it goes."""

        def on_log(
            self,
            args: object,
            state: "TrainerState",
            control: object,
            logs: Mapping[str, object],
            **more: object,
        ) -> None:
            del args, control, more
            numbers = {
                name: float(value)
                for name, value in logs.items()
                if isinstance(value, int | float) and name in ("loss", "learning_rate", "eval_loss")
            }
            if numbers.get("loss", 0.0) != numbers.get("loss", 0.0):
                raise LlmopsError(
                    f"the loss is no number after {state.global_step} steps",
                    hint="a smaller train.learning_rate helps",
                )
            if numbers:
                step(int(state.global_step), numbers)

    return StepReporter()


def last_checkpoint(folder: Path) -> Path | None:
    """The newest one that was written to its end: its state comes last. Others are removed."""
    whole: dict[int, Path] = {}
    for path in folder.glob("checkpoint-*") if folder.is_dir() else ():
        try:
            whole[int(json.loads((path / STATE).read_text(encoding="utf-8"))["global_step"])] = path
        except (OSError, ValueError, KeyError, TypeError):
            shutil.rmtree(path)
    return whole[max(whole)] if whole else None


@contextmanager
def _quiet(threads: int | None) -> Iterator[None]:
    """With so many threads, and without the libraries' bars and advice."""
    import torch
    from transformers.utils import logging

    before, level = torch.get_num_threads(), logging.get_verbosity()
    bars: Callable[[], None] = logging.enable_progress_bar
    try:
        logging.set_verbosity_error()
        logging.disable_progress_bar()
        torch.set_num_threads(threads or before)
        yield
    finally:
        torch.set_num_threads(before)
        logging.set_verbosity(level)
        bars()
