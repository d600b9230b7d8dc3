"""What one evaluation is about, settled before anything is paid: it travels between tasks as it
is.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from llmops.tasks.calls.budget import Budget, Spent
from llmops.tasks.calls.prices import Price
from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.scorers import Passage, Score
from llmops.tasks.prompts import Resolved


class Retrieval(BaseModel):
    """Where `{{passages}}` come from: a published version, pinned for the whole evaluation."""

    model_config = ConfigDict(frozen=True)
    knowledge_base: str
    version: int
    k: int
    mode: Literal["hybrid", "vector", "text"]
    where: str = ""
    labels: tuple[str, ...] = ()


class Arm(BaseModel):
    """One way to answer. `price` None: the model's price is not known, and its calls count as free
    of cost.
    """

    model_config = ConfigDict(frozen=True)
    name: str
    prompt: Resolved
    llm: Spec
    retrieve: Retrieval | None = None
    price: Price | None = None


class Trial(BaseModel):
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


class Result(BaseModel):
    """One arm on one case, once. `status` errored: there is no answer, and `error` says why.
    `finish` length: the answer was cut. `asked_at`: when it was asked, in seconds since the epoch,
    also where it was remembered since then; 0: not known.

    `scores`: by metric, with the metrics of retrieval as `retrieval.recall@5`; pairwise metrics
    stand with the candidate alone.
    """

    model_config = ConfigDict(frozen=True)
    case_id: str
    arm: str
    repeat: int = 0
    status: Literal["answered", "errored"] = "answered"
    error: str = ""
    answer: str = ""
    parsed: Any = None
    passages: tuple[Passage, ...] = ()
    latency_ms: float = 0.0
    asked_at: float = 0.0
    tokens_in: int = 0
    tokens_out: int = 0
    cost_usd: float = 0.0
    cached: bool = False
    attempts: int = 1
    finish: str = "stop"
    scores: dict[str, Score] = Field(default_factory=dict)


class Part(BaseModel):
    """A finished part of a run: `file` holds its results (see results.py), `cases` how many cases
    it covers.

    `stopped`: why no further part may be begun (the budget is used up); what was paid is kept.
    """

    model_config = ConfigDict(frozen=True)
    number: int
    file: Path
    cases: int
    spent: Spent
    stopped: str | None = None


def question(inputs: Mapping[str, Any]) -> str:
    """What a case asks, for reports, judges and retrieval: `question`, else the only text among the
    inputs, else all as JSON.
    """
    from llmops.tasks.plugins import canonical

    texts = [value for value in inputs.values() if isinstance(value, str)]
    found = inputs.get("question", texts[0] if len(texts) == 1 else canonical(inputs))
    return found if isinstance(found, str) else canonical(found)
