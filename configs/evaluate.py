"""The config of the `evaluate` flow: arms on cases, scorers, and the rule by which one arm takes
the other's place.
"""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from llmops.configs.section import Files, FlowConfig, Schedule, Section, Slots
from llmops.tasks.calls.prices import SHIPPED, read_prices
from llmops.tasks.decisions.rules import Rule
from llmops.tasks.evaluation.cases import read_cases
from llmops.tasks.evaluation.run import ArmSpec, EvaluationSpec, RetrievalSpec
from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.llms import Llm
from llmops.tasks.plugins.rerankers import Reranker
from llmops.tasks.plugins.scorers import Scorer
from llmops.tasks.prompts import SCHEME
from llmops.tasks.prompts.reading import read_prompt
from llmops.tasks.schemas import OneOrMore

MOST_ARMS = 50
MEASURED = ("latency", "cost", "retrieval")
"""Metrics that need no scorer."""
PLACE = (
    "model",
    "base_url",
    "api_key",
    "price_in",
    "price_out",
    "requests_per_minute",
    "tokens_per_minute",
    "timeout",
    "retries",
)
ArmName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][^\x00-\x1f\x7f]{0,119}$")]


class Grid(Section):
    """Every combination of these is an arm beside those that `arms` names; what is left out is as
    in the baseline.
    """

    prompt: list[str] = Field(default_factory=list)
    llm: list[Spec] = Field(default_factory=list)
    retrieve: list[RetrievalSpec | None] = Field(default_factory=list)

    def combinations(self, like: ArmSpec) -> Iterator[tuple[str, ArmSpec]]:
        """(name, arm) in the order of the file, the last key varying fastest; only what varies is
        in a name.
        """
        prompts, llms, searches = (
            self.prompt or [like.prompt],
            self.llm or [like.llm],
            self.retrieve or [like.retrieve],
        )
        varied = [len(prompts) > 1, len(llms) > 1, len(searches) > 1]
        for prompt, llm, retrieve in itertools.product(prompts, llms, searches):
            arm = ArmSpec(prompt=prompt, llm=llm, retrieve=retrieve)
            parts = [text for text, shown in zip(_names(arm), varied, strict=True) if shown]
            yield " · ".join(parts or _names(arm)[:1])[:120], arm


class Promote(Section):
    """Which alias of which prompt in the registry moves to the winner."""

    prompt: str = Field(pattern=r"^[A-Za-z0-9_.-]{1,200}$")
    alias: str = Field(default="champion", pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,60}$")


class EvaluationBudget(Section):
    """Of one run, task and judge calls together; calls that are remembered cost nothing. None: no
    limit.
    """

    usd: float | None = Field(default=None, gt=0)
    calls: int | None = Field(default=None, gt=0)


class EvaluateConfig(FlowConfig):
    """The config of the `evaluate` flow. The baseline is the arm of that name, else the first
    one. Prompts in the registry and knowledge bases are looked up later: see
    tasks/evaluation/prepare.py.
    """

    plugins: ClassVar[Slots] = {
        "scorers.*": Scorer,
        "arms.*.llm": Llm,
        "grid.llm.*": Llm,
        "arms.*.retrieve.rerank": Reranker,
        "grid.retrieve.*.rerank": Reranker,
    }
    files: ClassVar[Files] = {
        "cases": read_cases,
        "prices": read_prices,
        "arms.*.prompt": read_prompt,
        "grid.prompt.*": read_prompt,
    }
    elsewhere: ClassVar[tuple[str, ...]] = (SCHEME,)
    follows: ClassVar[bool] = False
    unrecorded: ClassVar[tuple[str, ...]] = ("traces",)
    flow: Literal["evaluate"]
    name: str = Field(pattern=r"^[a-z][a-z0-9-]{0,62}$")
    cases: OneOrMore
    arms: dict[ArmName, ArmSpec] = Field(min_length=1)
    grid: Grid | None = None
    scorers: list[Spec] = Field(min_length=1)
    decide: Rule
    promote: Promote | None = None
    budget: EvaluationBudget = EvaluationBudget()
    repeats: int = Field(default=1, ge=1, le=100)
    concurrency: int = Field(default=8, ge=1, le=1000)
    prices: Path | None = None
    traces: int = Field(
        default=2000,
        ge=0,
        le=100_000,
        description="traces in MLflow at most, one for each case and arm; 0: none",
    )
    schedule: Schedule | None = None

    @model_validator(mode="after")
    def _metrics_are_known(self) -> "EvaluateConfig":
        names = [spec.id for spec in self.scorers]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(
                f"two scorers are called {', '.join(twice)}: give each an id, as in "
                f"{{name: {twice[0]}, id: short, …}}"
            )
        for metric in (self.decide.metric, *self.decide.not_worse):
            if metric.partition(".")[0] not in (*names, *MEASURED):
                allowed = ", ".join(dict.fromkeys((*names, *MEASURED)))
                raise ValueError(
                    f"decide names the metric {metric!r}, which no scorer gives; allowed: {allowed}"
                )
        return self

    @model_validator(mode="after")
    def _arms_to_compare(self) -> "EvaluateConfig":
        count = len(self.arm_specs())
        if not 2 <= count <= MOST_ARMS:
            raise ValueError(
                f"2 to {MOST_ARMS} arms are wanted, such as baseline and candidate, got {count}"
            )
        return self

    @property
    def baseline(self) -> str:
        """The arm whose place the others want."""
        return "baseline" if "baseline" in self.arms else next(iter(self.arms))

    def arm_specs(self) -> dict[str, ArmSpec]:
        """Every arm by its name, those of the grid last; a combination that an arm already is, is
        not asked twice.
        """
        found = dict(self.arms)
        for name, arm in self.grid.combinations(self.arms[self.baseline]) if self.grid else ():
            if arm not in found.values():
                found[name if name not in found else f"{name} ({len(found)})"] = arm
        return found

    def evaluation_spec(self) -> EvaluationSpec:
        """What the flow needs of the config."""
        return EvaluationSpec(
            name=self.name,
            folder=self.folder,
            cases=self.cases,
            arms=self.arm_specs(),
            baseline=self.baseline,
            scorers=tuple(self.scorers),
            prices=self.folder / self.prices if self.prices else SHIPPED,
            repeats=self.repeats,
            concurrency=self.concurrency,
            budget_usd=self.budget.usd,
            budget_calls=self.budget.calls,
            at_stake=self.promote.prompt if self.promote else None,
        )


def _names(arm: ArmSpec) -> list[str]:
    """What tells an arm from others: prompt, model, retrieval."""
    prompt = (
        arm.prompt.removeprefix(SCHEME).rpartition("/")[2]
        if not arm.prompt.startswith(SCHEME)
        else arm.prompt.removeprefix(SCHEME)
    )
    options = [f"{name}={value}" for name, value in arm.llm.options.items() if name not in PLACE]
    model = " ".join([str(arm.llm.options.get("model", arm.llm.name)), *options])
    search = _search(arm.retrieve) if arm.retrieve else "no retrieval"
    return [prompt.removesuffix(".yaml"), model, search]


def _search(retrieve: RetrievalSpec) -> str:
    plain = f"{retrieve.knowledge_base} {retrieve.mode} k={retrieve.k}"
    if retrieve.rerank is None:
        return plain
    options = [f"{key}={each}" for key, each in retrieve.rerank.options.items() if key not in PLACE]
    return " ".join([plain, retrieve.rerank.name, *options])
