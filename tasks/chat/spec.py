"""What an application is made of: the sections of its config that the chat works by."""

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from llmops.tasks.plugins import Spec

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,62}$")]


class AppSection(BaseModel):
    """Frozen, and strict about its keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class SearchSettings(AppSection):
    """Passages for an answer: the best k chunks of the live version. `labels`: the access labels
    that everybody who asks holds; a key adds its own. `min_score`: passages below it do not count
    as support. `rerank`: what orders the best of them anew, and gives them the scores.
    """

    k: int = Field(default=5, ge=1, le=100)
    mode: Literal["hybrid", "vector", "text"] = "hybrid"
    where: str = ""
    labels: tuple[str, ...] = ()
    min_score: float = Field(default=0.0, ge=0, le=1)
    rerank: Spec | None = None


class CondenseSettings(AppSection):
    """How a question that leans on what was said before becomes one that stands alone. Without
    `llm` the application's own model is asked, without `prompt` the one that is shipped.
    `turns`: how many of the latest messages are shown; 0 turns it off.
    """

    prompt: str | None = None
    llm: Spec | None = None
    turns: int = Field(default=6, ge=0, le=50)


class TopicRule(AppSection):
    """Questions that match a pattern (a regular expression, case ignored) are refused with
    `reply`.
    """

    pattern: str = Field(min_length=1)
    reply: str = Field(default="I cannot help with that topic.", min_length=1)

    @field_validator("pattern")
    @classmethod
    def _compiles(cls, value: str) -> str:
        try:
            re.compile(value)
        except re.error as error:
            raise ValueError(f"this is no regular expression: {error}") from error
        return value


class GuardSettings(AppSection):
    """What is checked before and after a model is asked.

    `max_question`: characters of a question. `injection`: what happens to questions that give
    orders to the model, and to passages that do: `refuse` refuses the question and leaves such
    passages out, `flag` only says so in the trace. `pii_in`, `pii_out`: personal data in the
    question and in the answer is masked. `topics`: what is not talked about. `support`: refuse
    where no passage supports an answer. `refusal`: the words for that.
    """

    max_question: int = Field(default=4_000, ge=1, le=100_000)
    injection: Literal["refuse", "flag", "off"] = "flag"
    pii_in: Literal["mask", "off"] = "off"
    pii_out: Literal["mask", "off"] = "off"
    topics: tuple[TopicRule, ...] = ()
    support: bool = True
    refusal: str = Field(default="I did not find that in the documents.", min_length=1)


class CacheSettings(AppSection):
    """Answers that are given again. `exact`: to the same question; `semantic`: to one that is
    alike, from `threshold` on (cosine similarity); it can take a question for another that differs
    in a word that matters. Off unless asked for; only for the first question of a conversation.
    """

    mode: Literal["off", "exact", "semantic"] = "off"
    threshold: float = Field(default=0.95, gt=0, le=1)
    hours: float = Field(default=24, gt=0)
    entries: int = Field(default=10_000, ge=1)


class CuratedSettings(AppSection):
    """Answers that a person has written. `threshold`: how like a question has to be to theirs, as
    cosine similarity; 1 is the same words.
    """

    enabled: bool = True
    threshold: float = Field(default=0.93, gt=0, le=1)


class CompareSettings(AppSection):
    """Models that may be tried beside the application's own on the page's tab *Compare*. Nobody who
    only asks is answered by them.
    """

    llms: tuple[Spec, ...] = Field(default=(), max_length=20)


class AppSpec(BaseModel):
    """All that the chat of one application needs; `prompt` is a file or a reference to the
    registry. `llms`: asked in this order until one answers.
    """

    model_config = ConfigDict(frozen=True)
    app: str
    home: Path
    folder: Path
    knowledge_bases: tuple[str, ...]
    prompt: str
    llms: tuple[Spec, ...]
    retrieve: SearchSettings = SearchSettings()
    condense: CondenseSettings = CondenseSettings()
    guards: GuardSettings = GuardSettings()
    cache: CacheSettings = CacheSettings()
    curated: CuratedSettings = CuratedSettings()
    compare: CompareSettings = CompareSettings()
    prices: Path
    concurrency: int = 32
    fingerprint: str = ""
