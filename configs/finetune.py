"""The config of the `finetune` flow: from what people said to data sets that trainers can trust."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from llmops.configs.gate import GATE_FILES, GATE_PLUGINS, GateSection
from llmops.configs.section import Files, FlowConfig, Schedule, Section, Slots
from llmops.configs.train import export_mistakes, model_mistakes, train_mistakes
from llmops.tasks.calls.prices import SHIPPED, read_prices
from llmops.tasks.chat.spec import Name
from llmops.tasks.datasets.training.checks import RowRules
from llmops.tasks.datasets.training.held_out import held_out
from llmops.tasks.datasets.training.lengths import CAUTIOUS, counter_of
from llmops.tasks.datasets.training.spec import (
    DecontaminationRules,
    DedupRules,
    FileFormat,
    FinetuneSpec,
    SplitRules,
    recipe,
)
from llmops.tasks.errors import ConfigError, Mistake
from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.collectors import Collector
from llmops.tasks.plugins.exporters import Exporter
from llmops.tasks.plugins.scrubbers import Scrubber
from llmops.tasks.plugins.trainers import Trainer
from llmops.tasks.prompts import SCHEME
from llmops.tasks.training.sweep import Sweep
from llmops.tasks.validation import Expectation, read_suite

MADE_OF = (
    *("collect", "check", "scrub", "dedup", "decontaminate", "split", "export"),
    *("write", "tokenizer", "expectations"),
)
"""The keys that decide what comes out of equal rows."""


class FinetuneBudget(Section):
    """What the models of `collect` may cost in one run; `usd` also holds for the training after it.
    What was paid for is never paid again.
    """

    usd: float | None = Field(default=None, ge=0)
    calls: int | None = Field(default=None, ge=0)


def row_expectations(path: Path) -> tuple[Expectation, ...]:
    """The expectations on rows in a suite. Raises ConfigError where it has none, or none by row."""
    suite = read_suite(path)
    if not suite.rows:
        raise ConfigError(
            [Mistake("there are no expectations of rows", str(path), "write them under `rows:`")]
        )
    if whole := suite.whole("rows"):
        names = ", ".join(sorted({each.type for each in whole}))
        hint = "rows are judged by themselves; equal ones are looked for by `dedup`"
        raise ConfigError([Mistake(f"{names} looks at all rows at once", str(path), hint)])
    return suite.rows


def _held_out(*paths: Path) -> None:
    held_out(paths)


class FinetuneConfig(FlowConfig):
    """A data set by the name `name`. `check`: what a row must keep to; `expectations`: of Great
    Expectations, under `rows`; `scrub: null` replaces nothing; `write`: JSON lines, Parquet or
    both; `tokenizer`: a model's `tokenizer.json`, by which lengths are counted.
    """

    plugins: ClassVar[Slots] = {
        "collect.*": Collector,
        "scrub": Scrubber,
        "export.*": Exporter,
        "train": Trainer,
        **GATE_PLUGINS,
    }
    files: ClassVar[Files] = {
        "prices": read_prices,
        "expectations": row_expectations,
        "decontaminate.against": _held_out,
        **GATE_FILES,
    }
    elsewhere: ClassVar[tuple[str, ...]] = (SCHEME,)
    within: ClassVar[Mapping[str, Sequence[str]]] = {"train": ("gate", "sweep")}
    unrecorded: ClassVar[tuple[str, ...]] = (
        *("schedule", "budget", "prices"),
        *("train", "sweep", "gate"),
    )
    outside: ClassVar[tuple[str, ...]] = ("collect.*",)
    flow: Literal["finetune"]
    name: Name
    collect: list[Spec] = Field(min_length=1)
    check: RowRules = RowRules()
    expectations: Path | None = None
    scrub: Spec | None = Spec(name="patterns")
    dedup: DedupRules | None = DedupRules()
    decontaminate: DecontaminationRules = DecontaminationRules()
    split: SplitRules = SplitRules()
    export: list[Spec] = Field(default=[Spec(name="trl_sft")], min_length=1)
    write: list[FileFormat] = Field(default=["jsonl"], min_length=1)
    tokenizer: str = CAUTIOUS
    budget: FinetuneBudget = FinetuneBudget()
    prices: Path | None = None
    train: Spec | None = None
    sweep: Sweep | None = None
    gate: GateSection | None = None
    schedule: Schedule | None = None

    @field_validator("collect", "export")
    @classmethod
    def _told_apart(cls, value: list[Spec]) -> list[Spec]:
        names = [spec.id for spec in value]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(
                f"two are called {', '.join(twice)}: give each an id, as in "
                f"{{name: {twice[0]}, id: short, …}}"
            )
        return value

    @field_validator("tokenizer", mode="after")
    @classmethod
    def _cautious_or_a_file(cls, value: str) -> str:
        if value != CAUTIOUS and not value.endswith(".json"):
            raise ValueError(f"allowed: {CAUTIOUS}, or the path of a model's tokenizer.json")
        return value

    @model_validator(mode="after")
    def _something_is_trained_on(self) -> "FinetuneConfig":
        if self.split.validation + self.split.test >= 1:
            raise ValueError("split: validation and test leave nothing to train on")
        return self

    def conflicts(self, where: str) -> list[Mistake]:
        """A tokenizer that is none; a file that is collected from and held out."""
        found: list[Mistake] = []
        try:
            counter_of(self._tokenizer())
        except ConfigError as error:
            found += [Mistake(m.message, f"{where}: tokenizer", m.hint) for m in error.found]
        against = {self.folder / each for each in self.decontaminate.against}
        for number, spec in enumerate(self.collect):
            path = getattr(spec.build(Collector).at(self.folder), "path", None)
            if path in against:
                hint = "what is trained on cannot be held out: take it out of one of the two"
                message = f"{path} stands under decontaminate.against, too: nothing would be left"
                found.append(Mistake(message, f"{where}: collect[{number}]", hint))
        if self.train is None and (self.gate or self.sweep):
            key = "gate" if self.gate else "sweep"
            said = f"{key} belongs to a training, and the config trains nothing"
            found.append(Mistake(said, f"{where}: {key}", "write it into train: {name: …}"))
        if self.train is not None:
            found += train_mistakes(self.train, self.folder, where)
            found += model_mistakes(self.train, self.sweep, self.gate, where)
            found += export_mistakes(self.train, [spec.name for spec in self.export], where)
        return found

    def finetune_spec(self, home: Path, run_id: str) -> FinetuneSpec:
        """What the flow needs of the config."""
        recorded = self.recorded()["config"]
        return FinetuneSpec(
            name=self.name,
            home=home,
            folder=self.folder,
            run_id=run_id,
            config_sha256=recipe({key: recorded.get(key) for key in MADE_OF}),
            collect=tuple(self.collect),
            scrub=self.scrub,
            dedup=self.dedup,
            decontaminate=self.decontaminate,
            split=self.split,
            export=tuple(self.export),
            files=tuple(self.write),
            rules=self.check.model_dump(mode="json"),
            expectations=row_expectations(self.folder / self.expectations)
            if self.expectations
            else (),
            tokenizer=self._tokenizer(),
            prices=self.folder / self.prices if self.prices else SHIPPED,
            budget_usd=self.budget.usd,
            budget_calls=self.budget.calls,
        )

    def _tokenizer(self) -> str:
        return self.tokenizer if self.tokenizer == CAUTIOUS else str(self.folder / self.tokenizer)
