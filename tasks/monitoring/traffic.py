"""What people asked and what they got, as a monitor reads it: from wherever it was recorded."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field

FAILED = "failed"
"""The status of an exchange that ended with an error."""


class FoundPassage(BaseModel):
    """A passage that a question found. `score`: as the search gave it; `cited`: the answer names
    it.
    """

    model_config = ConfigDict(frozen=True)
    chunk_id: str
    doc_id: str
    uri: str = ""
    title: str = ""
    text: str = ""
    score: float | None = None
    cited: bool = False


class Exchange(BaseModel):
    """A question and what came of it. `status`: `ok`, `refused`, `failed` or what else a trace
    ends with; `rating`: of its people, `down` where one of them said so; `scores`: metric -> value,
    of the score flow; `knowledge_base`, `version`: what was searched, where anything was; `opened`:
    how many of its passages people looked at.
    """

    model_config = ConfigDict(frozen=True)
    id: str
    at: datetime
    question: str = ""
    answer: str = ""
    status: str = "ok"
    conversation: str = ""
    person: str = ""
    latency_ms: float | None = None
    tokens: int = 0
    cost_usd: float = 0.0
    rating: Literal["up", "down"] | None = None
    passages: tuple[FoundPassage, ...] = ()
    scores: Mapping[str, float] = Field(default_factory=dict)
    knowledge_base: str = ""
    version: int | None = None
    opened: int = 0

    @property
    def unit(self) -> str:
        """What it belongs to: exchanges of one conversation, else of one person, are not
        independent of each other.
        """
        return self.conversation or self.person or self.id


class Traffic(Protocol):
    """Where exchanges are read from."""

    def exchanges(
        self, since: datetime, until: datetime, most_texts: int | None = None
    ) -> Iterator[list[Exchange]]:
        """Those that began at or after `since` and before `until`, the oldest first, a block at a
        time. Beyond `most_texts` they may come without their texts, conversations whole. Raises
        LlmopsError where they cannot be read.
        """
        ...

    def remarks(self) -> list[str]:
        """What is to be said of what was read until now: texts that are missing, and why."""
        ...

    @property
    def whole(self) -> bool:
        """Whether nothing is missing that another look would find."""
        ...
