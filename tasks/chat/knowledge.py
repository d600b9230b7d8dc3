"""The knowledge bases of an application, as they are live: a turn reads one version from its start
to its end, and the next one reads what was published meanwhile.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from llmops.tasks.chat.reranking import RerankStep
from llmops.tasks.errors import LlmopsError, UsageError
from llmops.tasks.filters import And, Where, visible
from llmops.tasks.knowledge.handle import Handle, Version
from llmops.tasks.knowledge.reading import HIT_COLUMNS, allowed, passages, searcher
from llmops.tasks.knowledge.reranked import SEEN
from llmops.tasks.knowledge.suppressed import erasures
from llmops.tasks.plugins import canonical
from llmops.tasks.retrieval.hybrid import Mode, Searcher, Vector
from llmops.tasks.schemas import Record, Vectors

POLL = 0.2
"""Seconds for which what the ledger said is live is believed."""
PATIENCE = 0.5
"""Seconds for which a question waits for the ledger, where a version is open."""
WIDTH = 8
WARM_UPS = 3
"""Searches after which a store has loaded what it holds in memory."""
"""Searches at once: they mostly wait for the store."""
CONDITIONS = 256
SEEN_COLUMNS = tuple({*HIT_COLUMNS, *SEEN})
T = TypeVar("T")


class Hit(BaseModel):
    """A passage as `llmops search` shows it; `score` as its mode gives it."""

    model_config = ConfigDict(frozen=True)
    rank: int
    score: float
    uri: str
    title: str
    chunk_id: str
    doc_id: str
    ordinal: int
    text: str
    start: int
    end: int
    page: int | None
    headings: tuple[str, ...]


class SearchResult(BaseModel):
    """The object of `llmops search`. `said`: why the plain order of a search that was to be
    reranked stands.
    """

    model_config = ConfigDict(frozen=True)
    knowledge_base: str
    version: int
    mode: Mode
    hits: tuple[Hit, ...]
    said: str = Field(default="", exclude_if=lambda value: not value)
    warnings: tuple[str, ...] = ()


class BaseState(NamedTuple):
    """A knowledge base as it is read now. `trouble`: why it is not, or not its newest version;
    `unpublished`: there is no version of it that could be read.
    """

    version: int | None
    trouble: str = ""
    unpublished: bool = False


@dataclass(eq=False)
class OpenVersion:
    """A version that is open. It stays as it is for whoever holds it; the last one who does lets it
    go. `erasures`: what was erased from the knowledge base so far, which makes a version
    another one.
    """

    version: Version
    searcher: Searcher
    pool: ThreadPoolExecutor
    erasures: str = ""

    def __post_init__(self) -> None:
        self._where = lru_cache(maxsize=CONDITIONS)(self._allowed)

    @property
    def name(self) -> str:
        return self.version.kb

    @property
    def number(self) -> int:
        return self.version.version

    @property
    def ranking(self) -> tuple[int, ...]:
        """The number of the trained ranking that is live, if there is one."""
        return () if self.version.ranking is None else (self.version.ranking,)

    @property
    def embedder_fingerprint(self) -> str:
        """Vectors of equal ones can be compared."""
        return canonical(self.version.config["embed"])

    async def search(
        self,
        query: str,
        k: int,
        mode: Mode = "hybrid",
        where: str | Where = "",
        labels: Collection[str] = (),
        vector: Vector | None = None,
        order: RerankStep | None = None,
    ) -> SearchResult:
        """What someone who holds these labels may see, narrowed by a condition ("": none). Raises
        UsageError for a wrong condition, mode or k, Unavailable where the store does not answer.
        `order` may raise BudgetReached.
        """
        depth, columns = (order.depth(k), SEEN_COLUMNS) if order else (k, HIT_COLUMNS)

        def work() -> tuple[Sequence[Record], tuple[str, ...]]:
            seen = replace(self.searcher, where=self._where(where, frozenset(labels)))
            found = seen.passages(query, depth, mode, vector, columns)
            return found, tuple(seen.remarks(query, mode))

        (rows, remarks), said = await in_pool(self.pool, work), ""
        if order:
            rows, said = await order.rows(self.name, query, rows)
        return SearchResult(
            knowledge_base=self.name,
            version=self.number,
            mode=mode,
            hits=tuple(Hit.model_validate(hit) for hit in passages(rows[:k])),
            said=said,
            warnings=remarks,
        )

    async def embed_many(self, texts: Sequence[str]) -> Vectors:
        """The vectors of questions, of length 1, a row each."""
        return await in_pool(self.pool, lambda: self.searcher.embedder.embed_query(texts))

    async def embed(self, text: str) -> Vector:
        """The vector of a question."""
        vector: Vector = (await self.embed_many([text]))[0]
        return vector

    def _allowed(self, where: str | Where, labels: frozenset[str]) -> Where:
        if isinstance(where, str):
            return allowed(self.version, where, labels)
        return And((visible(labels), where))


class QuestionVector:
    """The vector of a question, made when it is first asked for. `made`: if it was."""

    def __init__(self, make: Callable[[], Awaitable[Vector]]) -> None:
        self._make = make
        self.made: Vector | None = None

    async def __call__(self) -> Vector:
        if self.made is None:
            self.made = await self._make()
        return self.made


async def in_pool(pool: ThreadPoolExecutor, work: Callable[[], T]) -> T:
    """Off the event loop."""
    return await asyncio.get_running_loop().run_in_executor(pool, work)


@dataclass
class _Base:
    """What is known of one knowledge base. `refresh`: asks the ledger, for all who want to know."""

    handle: Handle
    open: OpenVersion | None = None
    checked: float = float("-inf")
    trouble: str = ""
    refresh: asyncio.Task[None] | None = field(default=None, repr=False)


class LiveKnowledge:
    """`async with LiveKnowledge(home, names) as knowledge`. Belongs to one event loop."""

    def __init__(self, home: Path, names: Collection[str]) -> None:
        self._bases = {name: _Base(Handle(home=home, name=name)) for name in names}
        self._pool = ThreadPoolExecutor(WIDTH, "search")

    async def __aenter__(self) -> "LiveKnowledge":
        return self

    async def __aexit__(self, *_: object) -> None:
        tasks = [base.refresh for base in self._bases.values() if base.refresh]
        await asyncio.gather(*tasks, return_exceptions=True)
        self._pool.shutdown(wait=True, cancel_futures=True)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._bases)

    async def pinned(self, name: str | None = None) -> OpenVersion:
        """The version that is live, at most POLL seconds old; None: of the first knowledge base.
        Where the ledger or the store does not answer, the one that is open goes on.

        Raises UsageError for a knowledge base that the application does not have, that was never
        published or is gone; Unavailable, Damaged where there is none to read.
        """
        base = self._base(name or next(iter(self._bases)))
        if time.monotonic() - base.checked >= POLL:
            if base.refresh is None or base.refresh.done():
                base.refresh = asyncio.create_task(self._refresh(base))
                base.refresh.add_done_callback(_noted)
            patience = None if base.open is None else PATIENCE
            done, _ = await asyncio.wait([base.refresh], timeout=patience)
            for refresh in done:
                refresh.result()
        if base.open is None:
            raise UsageError(f"the knowledge base {base.handle.name!r} cannot be read")
        return base.open

    async def ready(self) -> dict[str, BaseState]:
        """How each knowledge base is doing; one whose `version` is None cannot be read."""
        states = {}
        for name, base in self._bases.items():
            try:
                number: int | None = (await self.pinned(name)).number
                states[name] = BaseState(number, base.trouble)
            except LlmopsError as error:
                states[name] = BaseState(None, str(error), isinstance(error, UsageError))
        return states

    def _base(self, name: str) -> _Base:
        if name not in self._bases:
            raise UsageError(
                f"this application has no knowledge base {name!r}",
                where="knowledge_base",
                hint=f"it has {', '.join(self._bases)}",
            )
        return self._bases[name]

    async def _refresh(self, base: _Base) -> None:
        """Open what is live now, unless it is open. Whoever waits gets the error of a knowledge
        base that is not there, or cannot be read at all.
        """
        try:
            live, gone = await in_pool(self._pool, lambda: _live(base.handle))
        except UsageError as error:  # it was dropped, or there never was one
            base.open, base.trouble = None, str(error)
            raise
        except LlmopsError as error:
            self._goes_on(base, error)
            return
        now = base.open
        if now is None or (now.version, now.erasures) != (live, gone):
            try:
                searches = await in_pool(
                    self._pool, lambda: warmed(searcher(base.handle.home, live))
                )
            except LlmopsError as error:  # also one whose plugins are not installed here
                self._goes_on(base, error)
                return
            base.open = OpenVersion(live, searches, self._pool, gone)
        base.trouble, base.checked = "", time.monotonic()

    @staticmethod
    def _goes_on(base: _Base, error: LlmopsError) -> None:
        """With what is open. Raises the error where there is nothing."""
        base.trouble = str(error)
        if base.open is None:
            raise error
        base.checked = time.monotonic()


def warmed(searches: Searcher) -> Searcher:
    """The same, its model and what the store holds in memory loaded, before somebody waits for
    them. What fails is told to whoever asks.
    """
    with suppress(LlmopsError):
        searches.reader.hold(HIT_COLUMNS)  # this version is let go where something is erased
        for _ in range(WARM_UPS):
            searches.passages("what is there", 1, columns=HIT_COLUMNS)
    return searches


def _live(kb: Handle) -> tuple[Version, str]:
    """The live version, and what was erased so far."""
    with kb.ledger.read() as connection:
        gone = erasures(connection, kb.name)
    return kb.published(), gone


def _noted(refresh: "asyncio.Task[None]") -> None:
    if not refresh.cancelled():
        refresh.exception()  # taken note of, where nobody waits any more
