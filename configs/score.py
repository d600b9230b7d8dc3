"""The config of the `score` flow: what people were really answered, a sample of it, scored as an
evaluation would.
"""

from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field, field_validator

from llmops.configs.evaluate import EvaluationBudget
from llmops.configs.section import Files, FlowConfig, Schedule, Slots
from llmops.tasks.calls.prices import SHIPPED, read_prices
from llmops.tasks.chat.spec import Name
from llmops.tasks.errors import ConfigError
from llmops.tasks.monitoring.live import LiveSpec
from llmops.tasks.plugins import Spec, find
from llmops.tasks.plugins.scorers import PairJudge, Scorer


def _compares_two(spec: Spec) -> bool:
    try:
        return issubclass(find(Scorer.family, spec.name), PairJudge)
    except ConfigError:
        return False  # told with its place, as every plugin of a config


class ScoreConfig(FlowConfig):
    """Traces of one application, of the last `days`: the share `sample` of them, at most `most` a
    run. The same trace is never scored twice by the same scorer.
    """

    plugins: ClassVar[Slots] = {"scorers.*": Scorer}
    files: ClassVar[Files] = {"prices": read_prices}
    flow: Literal["score"]
    app: Name
    scorers: list[Spec] = Field(min_length=1)
    sample: float = Field(default=0.1, gt=0, le=1)
    most: int = Field(default=200, ge=1, le=10_000)
    days: float = Field(default=7, gt=0, le=366)
    budget: EvaluationBudget = EvaluationBudget()
    concurrency: int = Field(default=8, ge=1, le=1_000)
    prices: Path | None = None
    schedule: Schedule | None = None

    @field_validator("scorers")
    @classmethod
    def _of_one_answer_each(cls, value: list[Spec]) -> list[Spec]:
        names = [spec.id for spec in value]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(
                f"two scorers are called {', '.join(twice)}: give each an id, as in "
                f"{{name: {twice[0]}, id: short, …}}"
            )
        if pairs := [spec.id for spec in value if _compares_two(spec)]:
            raise ValueError(
                f"{', '.join(pairs)} compares two answers, and a trace has one; take it out"
            )
        return value

    def live_spec(self) -> LiveSpec:
        """What the flow needs of the config."""
        return LiveSpec(
            app=self.app,
            scorers=tuple(self.scorers),
            sample=self.sample,
            most=self.most,
            days=self.days,
            budget_usd=self.budget.usd,
            budget_calls=self.budget.calls,
            concurrency=self.concurrency,
            prices=self.folder / self.prices if self.prices else SHIPPED,
        )
