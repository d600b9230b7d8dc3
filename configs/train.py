"""The config of the `train` flow, and what every config with a `train:` section shares with it."""

from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from llmops.configs.evaluate import EvaluateConfig
from llmops.configs.gate import GATE_FILES, GATE_PLUGINS, UNKNOWN, GateSection
from llmops.configs.reading import FLOWS, named_in, plugin_mistakes, read
from llmops.configs.section import Files, FlowConfig, Schedule, Section, Slots
from llmops.configs.settings import settings
from llmops.tasks.chat.spec import Name
from llmops.tasks.errors import ConfigError, Mistake
from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.trainers import DatasetTrainer, Trainer
from llmops.tasks.plugins.trainers.retrieval import RetrievalTrainer
from llmops.tasks.plugins.trainers.sentence_transformers import SentenceTransformersTrainer
from llmops.tasks.prompts import SCHEME
from llmops.tasks.retrieval.golden import read_golden
from llmops.tasks.schemas import OneOrMore, paths_of
from llmops.tasks.training.spec import TrainSpec
from llmops.tasks.training.sweep import Sweep

GATES = {
    "ranking": "its own gate decides on the search that is served; leave `gate` out",
    "embedder": "its own gate decides, by knowledge_base and questions; leave `gate` out",
}
"""What decides about what is no language model."""


class TrainBudget(Section):
    """What a service may take for one training. None: no limit."""

    usd: float | None = Field(default=None, ge=0)


class TrainConfig(FlowConfig):
    """What is trained from what: `train` names a trainer with its options. `sweep`, `gate`: stand
    among them, and are for models that are trained from a data set.
    """

    plugins: ClassVar[Slots] = {"train": Trainer, **GATE_PLUGINS}
    files: ClassVar[Files] = GATE_FILES
    elsewhere: ClassVar[tuple[str, ...]] = (SCHEME,)
    within: ClassVar[Mapping[str, Sequence[str]]] = {"train": ("gate", "sweep")}
    follows: ClassVar[bool] = False
    flow: Literal["train"]
    name: Name
    train: Spec
    sweep: Sweep | None = None
    gate: GateSection | None = None
    budget: TrainBudget = TrainBudget()
    schedule: Schedule | None = None

    def conflicts(self, where: str) -> list[Mistake]:
        found = train_mistakes(self.train, self.folder, where)
        return found + model_mistakes(self.train, self.sweep, self.gate, where)

    def gate_config(
        self, cases: OneOrMore, live: Spec = UNKNOWN, candidate: Spec = UNKNOWN
    ) -> EvaluateConfig:
        """The evaluation that decides; both models are asked with the key of the trainer, where
        the same service has them. Without models it can only be checked.
        """
        assert self.gate is not None
        key = {k: v for k, v in self.train.options.items() if k == "api_key"}
        arms = [
            Spec(name=llm.name, options={**llm.options, **key})
            if llm.name == self.train.name
            else llm
            for llm in (live, candidate)
        ]
        return self.gate.evaluation(self.name, self.folder, cases, *arms)

    def train_spec(self) -> TrainSpec:
        """What the flow needs of the config."""
        return TrainSpec(
            name=self.name,
            trainer=self.train,
            folder=self.folder,
            sweep=self.sweep,
            budget_usd=self.budget.usd,
            month_usd=settings().monthly_budget_usd,
        )


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


def model_mistakes(
    train: Spec, sweep: Sweep | None, gate: GateSection | None, where: str
) -> list[Mistake]:
    """A sweep or a gate that does not go with the trainer."""
    trainer, found = train.build(Trainer), list[Mistake]()
    if gate is not None and isinstance(trainer, DatasetTrainer) and not trainer.askable:
        said = (
            f"no plugin here serves what the trainer {train.name} makes, so the gate cannot ask it"
        )
        hint = "serve it, and compare it by llmops evaluate; leave `gate` out"
        found.append(Mistake(said, f"{where}: train.gate", hint))
    if gate is not None and trainer.kind != "llm":
        said = f"the gate asks language models; the trainer {train.name} makes a {trainer.kind}"
        hint = GATES[trainer.kind]
        found.append(Mistake(said, f"{where}: train.gate", hint))
    if sweep is None:
        return found
    place = f"{where}: train.sweep"
    if not isinstance(trainer, DatasetTrainer):
        said = f"the trainer {train.name} finds its parameters by cross-validation"
        return [*found, Mistake(said, place, "a sweep is for trainers that learn from a data set")]
    for point in sweep.points(train):
        wrong = plugin_mistakes(point.spec.short(), Trainer, f"{place}: {point.title}")
        if wrong:
            return [*found, *wrong]
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
        sweep=config.sweep,
        gate=config.gate,
        folder=config.folder,
        budget=TrainBudget(usd=usd),
    )
