"""The config of the `train` flow, and what every config with a `train:` section shares with it."""

from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from llmops.configs.reading import FLOWS, named_in, read
from llmops.configs.section import FlowConfig, Schedule, Section, Slots
from llmops.configs.settings import settings
from llmops.tasks.chat.spec import Name
from llmops.tasks.errors import ConfigError, Mistake
from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.trainers import DatasetTrainer, Trainer
from llmops.tasks.plugins.trainers.retrieval import RetrievalTrainer
from llmops.tasks.plugins.trainers.sentence_transformers import SentenceTransformersTrainer
from llmops.tasks.retrieval.golden import read_golden
from llmops.tasks.schemas import OneOrMore, paths_of
from llmops.tasks.training.spec import TrainSpec


class TrainBudget(Section):
    """What a service may take for one training. None: no limit."""

    usd: float | None = Field(default=None, ge=0)


class TrainConfig(FlowConfig):
    """What is trained from what: `train` names a trainer with its options."""

    plugins: ClassVar[Slots] = {"train": Trainer}
    follows: ClassVar[bool] = False
    flow: Literal["train"]
    name: Name
    train: Spec
    budget: TrainBudget = TrainBudget()
    schedule: Schedule | None = None

    def conflicts(self, where: str) -> list[Mistake]:
        return train_mistakes(self.train, self.folder, where)

    def train_spec(self) -> TrainSpec:
        """What the flow needs of the config."""
        return train_spec(self.name, self.train, self.folder, self.budget.usd)


def train_spec(name: str, train: Spec, folder: Path, usd: float | None = None) -> TrainSpec:
    """The section `train:` of any config, for `tasks.train`."""
    month = settings().monthly_budget_usd
    return TrainSpec(name=name, trainer=train, folder=folder, budget_usd=usd, month_usd=month)


def export_mistakes(train: Spec, exports: Iterable[str], where: str) -> list[Mistake]:
    """A trainer whose format the same config does not export."""
    trainer = train.build(Trainer)
    if not isinstance(trainer, DatasetTrainer) or trainer.dataset is not None:
        return []
    wanted = (trainer.format,) if trainer.format else trainer.formats
    if set(wanted) & set(exports):
        return []
    said = f"the trainer {train.name} reads {' or '.join(wanted)}, which export does not name"
    hint = f"add {wanted[0]} to export, or name another data set in train.dataset"
    return [Mistake(said, f"{where}: train", hint)]


def train_mistakes(train: Spec, folder: Path, where: str) -> list[Mistake]:
    """What is wrong with the files that a section `train:` names; for `conflicts` of its config."""
    trainer = train.build(Trainer)
    if not isinstance(trainer, RetrievalTrainer | SentenceTransformersTrainer):
        return []
    named = {"questions": trainer.questions, "test": trainer.test}
    if isinstance(trainer, SentenceTransformersTrainer) and trainer.second:
        named["second.questions"] = trainer.second.questions
    found: list[Mistake] = []
    for key, files in named.items():
        found += _wrong_files(folder, files, f"{where}: train.{key}")
    return found


def _wrong_files(folder: Path, files: OneOrMore | None, where: str) -> list[Mistake]:
    paths = () if files is None else paths_of(folder, files)
    absent = [Mistake(f"no such file: {path}", where) for path in paths if not path.is_file()]
    if absent or not paths:
        return absent
    try:
        read_golden(*paths)
    except ConfigError as error:
        return error.found
    return []


def read_training(path: Path, overrides: Iterable[str] = ()) -> TrainConfig:
    """The training that a config describes: one of `flow: train`, or any other flow's with a
    section `train:`. Raises ConfigError.
    """
    flow, _ = named_in(path)
    if flow in ("", "train") or flow not in FLOWS:
        return read(path, TrainConfig, overrides)
    model = getattr(import_module(f"llmops.configs.{flow}"), FLOWS[flow].model)
    if "train" not in model.model_fields:
        return read(path, TrainConfig, overrides)
    config = read(path, model, overrides)
    if config.train is None:
        mistake = Mistake(
            "the config trains nothing",
            where=f"{path}: train",
            hint="write train: {name: retrieval, knowledge_base: …, questions: …}",
        )
        raise ConfigError([mistake])
    usd = config.budget.usd if "budget" in model.model_fields else None
    return TrainConfig(
        flow="train",
        name=config.name,
        train=config.train,
        folder=config.folder,
        budget=TrainBudget(usd=usd),
    )
