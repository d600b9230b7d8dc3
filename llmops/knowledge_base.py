"""A knowledge base from Python: `KnowledgeBase("handbook").search("how do I …")`."""

import asyncio
import json
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple, Self, TypeVar

import numpy as np

from llmops.configs.settings import settings
from llmops.results import Document, Explanation, Passage, Status
from llmops.tasks.errors import ConfigError, Damaged, Unavailable, UsageError
from llmops.tasks.filters import BUILT_IN, Kind
from llmops.tasks.knowledge import views
from llmops.tasks.knowledge.handle import Handle, Version, live_version, schema_of
from llmops.tasks.knowledge.reading import HIT_COLUMNS, allowed, passages, searcher
from llmops.tasks.knowledge.suppressed import erasures
from llmops.tasks.plugins import Spec
from llmops.tasks.retrieval.hybrid import Mode, Searcher, Vector
from llmops.tasks.schemas import Record

if TYPE_CHECKING:
    from llmops.tasks.plugins.rerankers import Reranker

LOG = logging.getLogger(__name__)
COLUMNS = (*HIT_COLUMNS, "source", "metadata", "labels")
Named = str | Mapping[str, object]
"""A plugin as configs name one: `overlap`, or `{"name": "overlap", "candidates": 20}`."""
T = TypeVar("T")


class _Live(NamedTuple):
    """What the ledger says is to be read. `erasures`: what was erased so far, which makes a version
    another one.
    """

    version: Version
    erasures: str


class _Reading(NamedTuple):
    """A version that is open."""

    state: _Live
    searcher: Searcher

    @property
    def version(self) -> Version:
        return self.state.version


class KnowledgeBase:
    """A knowledge base, read at its live version, or at `version` for good.

    `home`: where it lives (None: `LLMOPS_HOME`, else `.llmops/` in the current folder). Nothing is
    opened before it is asked, so it may be made before the first build. Each search reads one
    version from its start to its end, and the next one what was published meanwhile: by a build,
    a rollback or a new ranking. While the ledger does not answer, it goes on with the version that
    is open.

    For any number of threads. It may be pickled, and used in a running event loop (`asearch`).
    `close`, or `with`, lets go what it holds in memory.
    """

    def __init__(
        self, name: str, home: str | Path | None = None, version: int | None = None
    ) -> None:
        default = settings().absolute_home  # reads ./.env, which may hold secrets of the embedder
        place = default if home is None else Path(home).expanduser().absolute()
        if version is not None and (type(version) is not int or version < 1):
            raise UsageError(
                f"got version {version!r}; allowed: a whole number from 1, or None for the live one"
            )
        self._handle, self._pinned = Handle(home=place, name=name), version
        self._reading: _Reading | None = None
        self._opening, self._closed = Lock(), False

    @property
    def name(self) -> str:
        """What configs call it."""
        return self._handle.name

    @property
    def home(self) -> Path:
        """Where it lives, absolute."""
        return self._handle.home

    @property
    def pinned(self) -> int | None:
        """The version that it stays at; None: it follows the live one."""
        return self._pinned

    @property
    def version(self) -> int:
        """The version that a search reads now. Raises UsageError where there is none."""
        return self._wanted().version.version

    @property
    def fields(self) -> Mapping[str, Kind]:
        """What a condition may ask for, by name, with its kind: what every document has, and what
        the config of the version declares.
        """
        return {**BUILT_IN, **schema_of(self._wanted().version).fields}

    def search(
        self,
        query: str,
        k: int = 5,
        mode: Mode = "hybrid",
        where: str = "",
        labels: Collection[str] = (),
        rerank: Named | None = None,
        *,
        vector: Sequence[float] | None = None,
    ) -> list[Passage]:
        """The k best passages, best first, all of one version: of public documents, and of those
        that one of these access labels opens.

        `k`: from 1 to 1,000. `mode`: `hybrid`, `vector` or `text`. `where`: a condition such as
        `lang = "de" and year >= 2024`. `vector`: that of the question, of the embedder's length,
        where it is at hand. `rerank`: a reranker that puts the best passages into another order,
        as configs name one: `overlap`, or `{"name": "endpoint", "base_url": …}`. Where it takes too
        long or does not answer, the plain order stands, and the log says why.

        Raises UsageError for what cannot be asked and for a knowledge base that is not there,
        Unavailable where a store or an embedder does not answer, Damaged for a version that is
        kept no longer.
        """
        seen_with = held(labels)
        if not isinstance(query, str) or not isinstance(where, str):
            raise UsageError(f"got query={query!r} and where={where!r}; allowed: texts")
        reranker = None if rerank is None else _reranker(rerank)
        if not query.strip() and (vector is None or mode != "vector"):
            raise UsageError("the question is empty", hint='kb.search("how do I …")')

        def work(reading: _Reading) -> list[Passage]:
            seen = allowed(reading.version, where, seen_with)
            dimension = reading.searcher.embedder.dimension
            point = None if vector is None else _point(vector, dimension)
            search = replace(reading.searcher, where=seen)
            if reranker is None:
                rows = search.passages(query, k, mode, point, COLUMNS)
            else:
                rows = self._reranked(search, reranker, query, k, mode, point)
            return _passages(reading.version, rows)

        return self._read(work)

    def search_many(
        self,
        queries: Sequence[str],
        k: int = 5,
        mode: Mode = "hybrid",
        where: str = "",
        labels: Collection[str] = (),
    ) -> list[list[Passage]]:
        """What `search` gives for each of many questions, all of one version, in a fraction of the
        time: they are embedded in one call and looked for together. Raises as `search` does.
        """
        seen_with = held(labels)
        if isinstance(queries, str) or not all(isinstance(each, str) for each in (*queries, where)):
            raise UsageError(f"got queries={queries!r} and where={where!r}; allowed: texts")
        for number, query in enumerate(queries, 1):
            if not query.strip():
                raise UsageError(f"question {number} of {len(queries)} is empty")

        def work(reading: _Reading) -> list[list[Passage]]:
            search = replace(reading.searcher, where=allowed(reading.version, where, seen_with))
            lists = search.passages_many(queries, k, mode, None, COLUMNS)
            return [_passages(reading.version, rows) for rows in lists]

        return self._read(work)

    async def asearch(
        self,
        query: str,
        k: int = 5,
        mode: Mode = "hybrid",
        where: str = "",
        labels: Collection[str] = (),
        rerank: Named | None = None,
        *,
        vector: Sequence[float] | None = None,
    ) -> list[Passage]:
        """`search` in a thread, so that the event loop goes on."""
        return await asyncio.to_thread(
            self.search, query, k, mode, where, labels, rerank, vector=vector
        )

    def documents(
        self, where: str = "", labels: Collection[str] = (), *, restricted: bool = False
    ) -> list[Document]:
        """The documents of the version, by uri: those that a search with these labels may see;
        `restricted`: all, whoever may read them. Raises UsageError for a wrong condition.
        """
        seen_with = None if restricted else held(labels)
        listed = views.listing(self._handle, where, seen_with, self._wanted().version)
        return [Document.model_validate(each) for each in listed]

    def status(self) -> Status:
        """What is live, how fresh it is, and who is building; whichever version is read here.
        Raises UsageError before the first publish.
        """
        return Status.model_validate(views.status(self._handle))

    def explain(self, given: str) -> Explanation:
        """Where something comes from, or why it is not there: `given` is a chunk_id, a doc_id (8
        digits or more of either), a uri, or the path of a file.

        It is for operators: access labels do not matter here. Raises UsageError for what nobody
        knows anything of.
        """
        from llmops.tasks.maintenance.left_out import explained

        told = explained(self.home, given, self.name)
        if told["kind"] == "absent":
            return Explanation.model_validate({**told, "details": told})
        document = {name: told["document"][name] for name in ("uri", "source")}
        return Explanation.model_validate({**told, **document, "details": told})

    def close(self) -> None:
        """Let go what is held in memory. It cannot be asked any more then; twice is no error."""
        self._closed, self._reading = True, None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __reduce__(self) -> tuple[type[Self], tuple[str, Path, int | None]]:
        return type(self), (self.name, self.home, self._pinned)

    def __repr__(self) -> str:
        pinned = "" if self._pinned is None else f", version={self._pinned}"
        return f"KnowledgeBase({self.name!r}, home={str(self.home)!r}{pinned})"

    def _reranked(
        self,
        search: Searcher,
        reranker: "Reranker",
        query: str,
        k: int,
        mode: Mode,
        vector: Vector | None,
    ) -> list[Record]:
        from llmops.tasks.calls.costs import Payer
        from llmops.tasks.knowledge.reranked import RerankedSearch

        payer = Payer("search", self.name)
        reranked = RerankedSearch(self.home, self.name, search, reranker, payer)
        rows, said = reranked.passages(query, k, mode, COLUMNS, vector)
        if said:
            LOG.warning("the plain order of %s stands: %s", self.name, said)
        return rows

    def _read(self, work: Callable[[_Reading], T]) -> T:
        """What the work comes to with the version that is wanted; again where that one was freed
        meanwhile, since a newer one is live.
        """
        while True:
            reading = self._current()
            try:
                return work(reading)
            except Damaged:
                if self._current() is reading:
                    raise

    def _current(self) -> _Reading:
        """The version that is wanted, open. One thread opens it, the others wait for that."""
        if self._closed:
            raise UsageError(f"{self!r} is closed", hint="make another one")
        there = self._reading
        try:
            if there is not None and there.state == self._wanted():
                return there
            with self._opening:
                wanted, there = self._wanted(), self._reading
                if there is None or there.state != wanted:
                    there = self._reading = _opened(self.home, wanted)
                return there
        except Unavailable as error:
            if there is None:
                raise
            LOG.warning("%s goes on with version %d: %s", self.name, there.version.version, error)
            return there

    def _wanted(self) -> _Live:
        """As the ledger has it now. Raises UsageError where it is not there to be read."""
        kb = self._handle
        with kb.ledger.read() as connection:
            if self._pinned is None and (live := live_version(connection, kb.name)):
                return _Live(live, erasures(connection, kb.name))
        version = kb.published() if self._pinned is None else kb.version(self._pinned)
        if version.status != "published" and self._pinned is not None:
            raise UsageError(
                f"version {version.version} of {self.name!r} is {version.status}; "
                f"allowed: a published one that is kept",
                hint=f"`llmops kb log {self.name}` lists them",
            )
        with kb.ledger.read() as connection:
            return _Live(version, erasures(connection, kb.name))


def _opened(home: Path, state: _Live) -> _Reading:
    searches = searcher(home, state.version)
    searches.reader.hold(COLUMNS)  # it is opened anew where something is erased
    return _Reading(state, searches)


def _passages(version: Version, rows: Sequence[Record]) -> list[Passage]:
    whose = {"knowledge_base": version.kb, "version": version.version}
    return [
        Passage.model_validate(
            {**row, **hit, **whose, "metadata": json.loads(row["metadata"])},
        )
        for row, hit in zip(rows, passages(rows), strict=True)
    ]


def _reranker(given: Named) -> "Reranker":
    """The reranker that a config would name so. Raises ConfigError for a wrong one."""
    from llmops.configs.reading import plugin_mistakes
    from llmops.tasks.plugins.rerankers import Reranker

    if mistakes := plugin_mistakes(given, Reranker, "rerank"):
        raise ConfigError(mistakes)
    return Spec.model_validate(given).build(Reranker)


def held(labels: Collection[str]) -> frozenset[str]:
    """The access labels that whoever asks holds. Raises UsageError for what is no set of texts: a
    single text would be a set of its letters.
    """
    several = isinstance(labels, Collection) and not isinstance(labels, str | bytes | Mapping)
    if not several or not all(isinstance(each, str) for each in labels):
        raise UsageError(f"got labels={labels!r}; allowed: a set of texts", hint='labels={"staff"}')
    return frozenset(labels)


def _point(vector: Sequence[float], dimension: int) -> Vector:
    try:
        point = np.asarray(vector, np.float32)
    except (TypeError, ValueError, OverflowError) as error:
        raise UsageError(f"got a vector that holds no numbers: {error}") from error
    if point.shape != (dimension,) or not np.isfinite(point).all() or not point.any():
        raise UsageError(
            f"got a vector of shape {point.shape}; allowed: ({dimension},), finite and not zero",
            hint="embed the question with the knowledge base's own embedder, or leave it out",
        )
    return point / np.linalg.norm(point)
