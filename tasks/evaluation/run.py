"""What an evaluation is about: as its config asks for it, and as it is settled before anything is
paid. Both travel between tasks as they are.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from llmops.tasks.calls.budget import Budget, Spent
from llmops.tasks.calls.prices import Price
from llmops.tasks.plugins import Spec, canonical
from llmops.tasks.prompts import Resolved
from llmops.tasks.schemas import OneOrMore


class RetrievalSpec(BaseModel):
    """Passages for `{{passages}}`: the best k chunks of the live version, or of `version`; `where`
    and `labels` as in a search. `rerank`: what orders the best of them anew.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    knowledge_base: str = Field(pattern=r"^[a-z][a-z0-9-]{0,62}$")
    k: int = Field(default=5, ge=1, le=100)
    mode: Literal["hybrid", "vector", "text"] = "hybrid"
    where: str = ""
    labels: tuple[str, ...] = ()
    version: int | None = Field(default=None, ge=1)
    rerank: Spec | None = None


class ArmSpec(BaseModel):
    """What a config asks of an arm. `prompt`: a file, or `prompts:/name@alias`, `prompts:/name/3`
    in MLflow's registry.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    prompt: str = Field(min_length=1)
    llm: Spec
    retrieve: RetrievalSpec | None = None


class EvaluationSpec(BaseModel):
    """What a config asks of the whole evaluation. `prices`: file of the prices of models;
    `at_stake`: the prompt whose alias may move.
    """

    model_config = ConfigDict(frozen=True)
    name: str
    folder: Path
    cases: OneOrMore
    arms: dict[str, ArmSpec]
    baseline: str
    scorers: tuple[Spec, ...]
    prices: Path
    repeats: int = 1
    concurrency: int = 8
    budget_usd: float | None = None
    budget_calls: int | None = None
    at_stake: str | None = None


class Retrieval(BaseModel):
    """Where `{{passages}}` come from: a published version, pinned for the whole evaluation.
    `rerank_price`: of what the reranker asks, None where it asks nobody or nobody knows.
    """

    model_config = ConfigDict(frozen=True)
    knowledge_base: str
    version: int
    k: int
    mode: Literal["hybrid", "vector", "text"]
    where: str = ""
    labels: tuple[str, ...] = ()
    rerank: Spec | None = None
    rerank_price: Price | None = None


class Arm(BaseModel):
    """One way to answer. `price` None: the model's price is not known, and its calls count as free
    of cost. `trained`: the version of a trained model that the config meant, as in models:/NAME/3.
    """

    model_config = ConfigDict(frozen=True)
    name: str
    prompt: Resolved
    llm: Spec
    retrieve: Retrieval | None = None
    price: Price | None = None
    trained: str | None = None


class EvaluationRun(BaseModel):
    """`folder`: where the parts of this run are written. `prices`: of judges, by the name of the
    scorer. No budget: None.
    """

    model_config = ConfigDict(frozen=True)
    home: Path
    name: str
    id: str
    folder: Path
    baseline: str
    arms: tuple[Arm, ...]
    scorers: tuple[Spec, ...]
    prices: dict[str, Price | None] = Field(default_factory=dict)
    repeats: int = 1
    concurrency: int = 8
    budget_usd: float | None = None
    budget_calls: int | None = None

    def budget(self, spent: Spent) -> Budget:
        """What is left of it after what was spent."""
        return Budget(self.budget_usd, self.budget_calls, spent)

    def arm(self, name: str) -> Arm:
        return next(arm for arm in self.arms if arm.name == name)

    @property
    def candidates(self) -> tuple[str, ...]:
        """The arms that want the baseline's place, in the order of the config."""
        return tuple(arm.name for arm in self.arms if arm.name != self.baseline)


def question(inputs: Mapping[str, Any]) -> str:
    """What a case asks, for reports, judges and retrieval: `question`, else the only text among the
    inputs, else all as JSON.
    """
    texts = [value for value in inputs.values() if isinstance(value, str)]
    asked = inputs.get("question", texts[0] if len(texts) == 1 else canonical(inputs))
    return asked if isinstance(asked, str) else canonical(asked)
