"""The best passages of a search in another order: a model reads question and passage together,
which is dearer than comparing vectors, and so looks at a few candidates only.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from pydantic import Field

from llmops.tasks.plugins import Plugin, digest
from llmops.tasks.plugins.llms import Llm, Request

LIMITS = {"id", "candidates", "seconds", "batch"}
"""Options that no score depends on."""


class Reranker(Plugin, ABC):
    """`candidates`: how many of the best passages are looked at; what stands behind them is never
    found. `seconds`: how long somebody who searches waits for it; then the plain order stands.

    `id`: what a measurement calls it, where it stands there twice.

    Scores are comparable within one question. Its fingerprint covers what a score depends on: a
    score is remembered by it, question and passage, and never paid twice.
    """

    family: ClassVar[str] = "rerankers"
    listwise: ClassVar[bool] = False
    """Whether a passage's score depends on the others: such scores are remembered together."""
    id: str = Field(default="", max_length=40)
    candidates: int = Field(default=50, ge=2, le=1000)
    seconds: float = Field(default=5, gt=0, le=600)

    def fingerprint(self) -> str:
        """Name, revision and options, without limits."""
        return digest(f"{self.spelling()}/{self.revision}", self.model_dump_json(exclude=LIMITS))


class LocalReranker(Reranker, ABC):
    """One that runs in this process. `cheap`: nothing is gained by remembering its scores."""

    cheap: ClassVar[bool] = False

    @abstractmethod
    def scores(self, question: str, texts: Sequence[str]) -> list[float]:
        """One finite number per text, in order, higher for a better passage. Raises Unavailable
        when the model cannot be loaded.
        """


class AskingReranker(Reranker, ABC):
    """One that asks a service or a language model: within the limits, the patience and the budget
    of every paid call.
    """

    batch: int = Field(default=100, ge=1, le=1000)
    """Passages in a request."""

    @abstractmethod
    def service(self) -> Llm:
        """What is asked."""

    @abstractmethod
    def request(self, question: str, texts: Sequence[str]) -> Request:
        """How it is asked about at most `batch` passages; about all of them where it is
        `listwise`.
        """

    @abstractmethod
    def read(self, reply: str, count: int) -> list[float]:
        """The scores of so many passages, in the order of the request. Raises ValueError, which
        says what is wrong, for a reply that cannot be used.
        """
