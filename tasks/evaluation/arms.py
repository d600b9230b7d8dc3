"""What a config asks of an arm, before prompts and knowledge bases are looked up."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from llmops.tasks.plugins import Spec


class Retrieve(BaseModel):
    """Passages for `{{passages}}`: the best k chunks of the live version, or of `version`; `where`
    and `labels` as in a search.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    knowledge_base: str = Field(pattern=r"^[a-z][a-z0-9-]{0,62}$")
    k: int = Field(default=5, ge=1, le=100)
    mode: Literal["hybrid", "vector", "text"] = "hybrid"
    where: str = ""
    labels: tuple[str, ...] = ()
    version: int | None = Field(default=None, ge=1)


class Wish(BaseModel):
    """`prompt`: a file, or `prompts:/name@alias`, `prompts:/name/3` in MLflow's registry."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    prompt: str = Field(min_length=1)
    llm: Spec
    retrieve: Retrieve | None = None


class Wanted(BaseModel):
    """An evaluation as its config asks for it. `prices`: file of the prices of models; `at_stake`:
    the prompt whose alias may move.
    """

    model_config = ConfigDict(frozen=True)
    name: str
    folder: Path
    cases: Path
    arms: dict[str, Wish]
    baseline: str
    scorers: tuple[Spec, ...]
    prices: Path
    repeats: int = 1
    concurrency: int = 8
    budget_usd: float | None = None
    budget_calls: int | None = None
    at_stake: str | None = None
