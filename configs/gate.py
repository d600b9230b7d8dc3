"""The section `gate:` of a training: on which held-out cases the trained language model has to be
better than the one that is live, by the rules of `llmops evaluate`.
"""

from pathlib import Path
from typing import Final

from pydantic import Field, ValidationError, model_validator

from llmops.configs.evaluate import EvaluateConfig, EvaluationBudget
from llmops.configs.section import Files, Section, Slots
from llmops.tasks.calls.prices import read_prices
from llmops.tasks.decisions.decision import first_of
from llmops.tasks.decisions.rules import Rule
from llmops.tasks.evaluation.cases import read_cases
from llmops.tasks.evaluation.run import ArmSpec, RetrievalSpec
from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.rerankers import Reranker
from llmops.tasks.plugins.scorers import Scorer
from llmops.tasks.prompts.reading import read_prompt
from llmops.tasks.schemas import OneOrMore

LIVE, CANDIDATE = "live", "candidate"
"""The arms of a gate."""
GATE_PLUGINS: Slots = {"gate.scorers.*": Scorer, "gate.retrieve.rerank": Reranker}
GATE_FILES: Files = {
    "gate.cases": read_cases,
    "gate.prompt": read_prompt,
    "gate.prices": read_prices,
}
UNKNOWN: Final = Spec(name="extractive")
"""What stands for both models before one is trained."""


class GateSection(Section):
    """Both models answer `cases` with `prompt`, which is the application's, and `retrieve` finds
    their passages. `llm`: options of both models, such as api_key or max_tokens. The other keys are
    those of the evaluate config.
    """

    cases: OneOrMore
    prompt: str = Field(min_length=1)
    retrieve: RetrievalSpec | None = None
    scorers: list[Spec] = Field(default=[Spec(name="token_f1")], min_length=1)
    decide: Rule = Rule(metric="token_f1")
    llm: dict[str, object] = Field(default_factory=dict)
    budget: EvaluationBudget = EvaluationBudget()
    repeats: int = Field(default=1, ge=1, le=100)
    concurrency: int = Field(default=8, ge=1, le=1000)
    prices: Path | None = None

    @model_validator(mode="after")
    def _decides(self) -> "GateSection":
        if wrong := {"name", "model"} & set(self.llm):
            raise ValueError(f"llm: {sorted(wrong)[0]} follows from the training; leave it out")
        if self.budget.usd is not None and not {"price_in", "price_out"} <= set(self.llm):
            raise ValueError(
                "budget.usd cannot be kept with a model whose price nobody knows: give price_in "
                "and price_out under llm, in US dollars per million tokens, or limit budget.calls"
            )
        try:
            self.evaluation("gate", Path(), self.cases, UNKNOWN, UNKNOWN)
        except ValidationError as error:
            raise ValueError(first_of(error).partition(": ")[2]) from error
        return self

    def evaluation(
        self, name: str, folder: Path, cases: OneOrMore, live: Spec, candidate: Spec
    ) -> EvaluateConfig:
        """The evaluation that decides. Options of `llm` go before those of the models."""
        arms = {LIVE: live, CANDIDATE: candidate}
        return EvaluateConfig(
            flow="evaluate",
            name=f"{name}-gate"[:63].rstrip("-"),
            folder=folder,
            cases=cases,
            arms={
                arm: ArmSpec(prompt=self.prompt, llm=self._model(llm), retrieve=self.retrieve)
                for arm, llm in arms.items()
            },
            scorers=self.scorers,
            decide=self.decide,
            budget=self.budget,
            repeats=self.repeats,
            concurrency=self.concurrency,
            prices=self.prices,
        )

    def _model(self, llm: Spec) -> Spec:
        if llm == UNKNOWN:
            return llm
        return Spec(name=llm.name, options={**llm.options, **self.llm})
