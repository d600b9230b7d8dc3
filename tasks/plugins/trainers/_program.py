"""Trainers that are programs of their own: a configuration and a command are written, and run where
the program is installed.
"""

import ast
import fcntl
import os
import shlex
import shutil
import subprocess
import sys
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from llmops.tasks.errors import Blocked, LlmopsError, UsageError
from llmops.tasks.plugins import canonical, digest
from llmops.tasks.plugins.trainers import (
    DatasetTrainer,
    Kind,
    TrainedModel,
    TrainingData,
    TrainingRun,
)
from llmops.tasks.yaml_files import write_yaml

CONFIG, COMMAND, LOG, MODEL = "train.yaml", "train.sh", "train.log", "model"
GUARD = str(Path(__file__).with_name("_guard.py"))
LOCK = ".program"
PAIRS = "pairs"
LOGGED = 5
"""Steps between two lines of a log."""
FRAME = 256
"""Tokens that a chat template may add to a record, and an estimate may be short of."""
GRACE = 30.0
"""Seconds for which a program is waited for that was told to end."""
RATES = {"sft": 1e-4, "dpo": 5e-6}


class ProgramTrainer(DatasetTrainer):
    """Fine-tuning with LoRA by another program."""

    kind: ClassVar[Kind] = "llm"
    formats: ClassVar[tuple[str, ...]] = ("sharegpt",)
    askable: ClassVar[bool] = False
    install: ClassVar[str]
    model: str = Field(min_length=1)
    """The model to start from: a name in the model hub, or a folder."""
    method: Literal["sft", "dpo"] = "sft"
    """What is learnt: answers (sft), or which of two answers is better (dpo)."""
    epochs: int = Field(default=3, ge=1)
    """How often each row is seen."""
    learning_rate: float | None = Field(default=None, gt=0)
    """How far the weights move in a step, at most; without it 1e-4, and 5e-6 with dpo."""
    batch_size: int = Field(default=1, ge=1)
    """Rows in one step."""
    accumulate: int = Field(default=8, ge=1)
    """Steps whose gradients are added before the weights move."""
    lora_rank: int = Field(default=16, ge=1)
    """Rank of the low-rank matrices that are trained."""
    lora_alpha: int = Field(default=32, ge=1)
    """How much these matrices count: it is divided by the rank."""
    beta: float = Field(default=0.1, gt=0)
    """How close the model stays to where it began; used by dpo alone."""
    seed: int = Field(default=7, ge=0)
    """The seed of everything random."""
    max_tokens: int | None = Field(default=None, ge=16)
    """The longest record, in tokens; without it, that of the data set: nothing is ever cut."""
    program: str
    """The program's name, or its path, such as that in an environment of its own."""
    run: bool = True
    """Whether the program is run; if not, its configuration and command are only written."""
    parameters: dict[str, object] = Field(default_factory=dict)
    """More keys of the program's configuration, which go before all others."""

    def identity(self) -> str:
        """What is trained; not where the program is, or whether it is run."""
        said = self.model_dump(mode="json", exclude={"program", "run", "version"})
        return digest(self.spelling(), canonical(said))

    @abstractmethod
    def config(self, data: TrainingData, folder: Path) -> Mapping[str, object]:
        """The program's configuration; `folder`: where it may write files beside."""

    @abstractmethod
    def arguments(self, config: Path) -> list[str]:
        """What the program is called with."""

    def files(self, data: TrainingData) -> dict[str, Path]:
        """The files of each split that the method learns from. Raises UsageError where there are
        none.
        """
        if self.method == "sft":
            return dict(data.files)
        named = {split: data.beside.get(f"{split}-{PAIRS}.jsonl") for split in data.files}
        found = {split: path for split, path in named.items() if path is not None}
        if "train" not in found:
            raise UsageError(
                f"{data.name} has no pairs of a better and a worse answer: dpo learns from them",
                hint="method: sft learns from answers; collectors such as reviews bring pairs",
            )
        return found

    def longest(self, data: TrainingData) -> int:
        """What nothing is longer than, in the model's tokens. Raises UsageError where `max_tokens`
        would cut.
        """
        wanted = data.longest + FRAME
        if self.max_tokens is not None and self.max_tokens < data.longest:
            raise UsageError(
                f"the longest record of {data.name} has {data.longest:,} tokens, and max_tokens is "
                f"{self.max_tokens:,}: it would be cut",
                hint="give the exporter sharegpt the same max_tokens, which leaves longer ones "
                "out, or raise it",
            )
        return self.max_tokens or wanted

    def rate(self) -> float:
        return self.learning_rate or RATES[self.method]

    def train(self, data: TrainingData, run: TrainingRun) -> TrainedModel:
        """Writes configuration and command, and runs it where it is installed; a run that was
        interrupted goes on from its last checkpoint. Raises LlmopsError where the program fails.
        """
        config = {**self.config(data, run.folder), **self.parameters}
        path = run.folder / CONFIG
        path.write_text(write_yaml(config), encoding="utf-8", newline="\n")
        command = [self.program, *self.arguments(path)]
        script = f"#!/bin/sh\nexec {shlex.join(command)}\n"
        (run.folder / COMMAND).write_text(script, encoding="utf-8", newline="\n")
        if why := self._stays():
            remark = f"{why}; to train, run sh {run.folder / COMMAND} where it is"
            return TrainedModel((CONFIG, COMMAND), remark=remark)
        figures = self._run(command, run)
        return TrainedModel((CONFIG, COMMAND, LOG), figures, str(run.folder / MODEL))

    def _stays(self) -> str:
        """Why the program is not run; empty where it is."""
        if not self.run:
            return "configuration and command are written, as run: false wants it"
        if shutil.which(self.program) is None:
            return f"{self.program} is not installed here ({self.install})"
        return ""

    def _run(self, command: list[str], run: TrainingRun) -> dict[str, float]:
        last = dict[str, float]()
        with _alone(run.folder) as lock, (run.folder / LOG).open("a", encoding="utf-8") as log:
            process = subprocess.Popen(
                [sys.executable, "-I", GUARD, str(GRACE), str(lock), *command],
                cwd=run.folder,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                start_new_session=True,
                pass_fds=(lock,),
            )
            with process:  # its end closes the pipe that the guard watches
                try:
                    for number, metrics in enumerate(_told(process, log.write)):
                        run.step(number * LOGGED, metrics)
                        last |= metrics
                    code = process.wait()
                except BaseException:
                    _ended(process)
                    raise
        if code:
            tail = (run.folder / LOG).read_text(encoding="utf-8").strip().splitlines()[-1:]
            raise LlmopsError(
                f"{self.program} failed with exit code {code}: {' '.join(tail)[:300]}",
                hint=f"see {run.folder / LOG}; the next run goes on from the last checkpoint",
            )
        return last


@contextmanager
def _alone(folder: Path) -> Iterator[int]:
    """A lock that the program inherits. Raises Blocked where that of an earlier run still works: a
    run that is killed cannot wait for its program to end.
    """
    lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Blocked(
                "the program of an earlier run still works on this training",
                hint=f"it ends within {GRACE:.0f} seconds of the run that started it, or of what "
                f"it started: wait, or look for it in {folder / LOG}",
                where=str(folder),
            ) from error
        output = folder / MODEL
        if output.is_dir() and not any(output.glob("checkpoint-*")):
            shutil.rmtree(output)  # of a run that was killed before its first checkpoint
        yield lock
    finally:
        os.close(lock)


def _told(
    process: "subprocess.Popen[str]", write: Callable[[str], object]
) -> Iterator[dict[str, float]]:
    """The metrics that a program prints, as transformers' Trainer does: a line {'loss': …}."""
    assert process.stdout is not None
    for line in process.stdout:
        write(line)
        start = line.find("{'")
        if start >= 0 and (metrics := metrics_in(line[start:])):
            yield metrics


def metrics_in(text: str) -> dict[str, float]:
    """The numbers of a printed dictionary; none where it is no dictionary with a loss."""
    try:
        value = ast.literal_eval(text.strip())
        numbers = {str(name): float(each) for name, each in value.items()}
    except (ValueError, SyntaxError, TypeError, AttributeError):
        return {}
    return numbers if any(name.endswith("loss") for name in numbers) else {}


def _ended(process: "subprocess.Popen[str]") -> None:
    """The guard ends the program and what it started, and then itself."""
    assert process.stdin is not None
    process.stdin.close()
    process.wait()
