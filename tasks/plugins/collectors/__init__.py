"""Where training rows come from. A collector cuts its source into parts, cheaply, and makes the
rows of one part at a time.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import ClassVar, Literal, NamedTuple, Protocol

from pydantic import BaseModel, ConfigDict, Field

from llmops.tasks.plugins import Plugin
from llmops.tasks.plugins.llms import Llm, Reply, Request
from llmops.tasks.plugins.scorers import Case
from llmops.tasks.rows import Row, RowMessage

Trust = Literal["nobody", "reviewers", "everybody"]


class RecordedAnswer(BaseModel):
    """An answer of a served application. `asked`: the messages that the model was given, with the
    system prompt and the passages that were really sent; `liked`: the share of those who rated it
    that found it good, None where nobody did; `scores`: live scores by metric.
    """

    model_config = ConfigDict(frozen=True)
    trace_id: str
    at: datetime
    group: str
    status: str
    asked: tuple[RowMessage, ...]
    answer: str
    tools: tuple[dict[str, object], ...] = ()
    passages: tuple[dict[str, str], ...] = ()
    liked: float | None = None
    scores: dict[str, float] = Field(default_factory=dict)
    lineage: dict[str, object] = Field(default_factory=dict)


class GoldenAnswer(NamedTuple):
    """A golden question that says its answer."""

    id: str
    question: str
    answer: str
    uris: tuple[str, ...]


class ChunkOfDocument(NamedTuple):
    """A chunk of the live version of a knowledge base."""

    chunk_id: str
    text: str
    headings: tuple[str, ...]
    uri: str
    title: str
    licence: str
    version: int


class Skipped(NamedTuple):
    """What a source has and is no row: it goes to quarantine."""

    place: str
    reason: str


class CollectorContext(Protocol):
    """What a collector may ask of the home that it works in."""

    def answered(self, app: str, days: float) -> list[str]:
        """The ids of the traces of the last days whose answers went to whoever asked, oldest
        first.
        """

    def recorded(self, trace_ids: Sequence[str]) -> Iterator[RecordedAnswer]:
        """Those that are still there. Raises Unavailable where MLflow does not answer."""

    def reviewed(self, app: str, queue: str, trust: Trust) -> Iterator[Row]:
        """What people's word on answers comes to, and their votes between two answers."""

    def cases(self, path: Path) -> Sequence[Case]: ...

    def golden(self, path: Path) -> Sequence[GoldenAnswer]: ...

    def documents(self, knowledge_base: str) -> list[str]:
        """The ids of its live documents, in order."""

    def chunks(self, knowledge_base: str, doc_ids: Sequence[str]) -> Iterator[ChunkOfDocument]: ...

    def ask(self, llm: Llm, request: Request, owner: str) -> Reply:
        """Pays once, within the budget of the run. Raises DocumentError for a useless reply,
        BudgetExceeded where the run's money is gone.
        """


class Collector(Plugin, ABC):
    """`id`: the collector's name in lineage and counts, where one is used twice. `licence`: of what
    it collects, where the source does not say it itself.
    """

    family: ClassVar[str] = "collectors"
    id: str | None = Field(default=None, pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")
    licence: str = ""

    def at(self, folder: Path) -> "Collector":
        """The same collector with its relative paths made absolute against the config's folder."""
        del folder
        return self

    def check(self) -> None:
        """Raise UsageError where what it names has never existed; called before a run."""

    @property
    def free(self) -> bool:
        """Whether its rows can be made without paying anybody: a plan counts those."""
        return True

    def parts(self, context: CollectorContext) -> list[str]:
        """What `rows` takes, in order: a word or two for each part that one task does."""
        del context
        return [""]

    @abstractmethod
    def rows(self, context: CollectorContext, part: str) -> Iterator[Row | Skipped]:
        """The rows of one part, in an order that is the same each time. Whoever calls adds
        `lineage.collector` and `lineage.licence`.
        """
