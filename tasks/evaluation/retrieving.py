"""Passages for prompts, from a pinned version of a knowledge base: each question is searched once,
whatever arms share it. And metrics of such a retrieval.
"""

import asyncio
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from pathlib import Path
from typing import NamedTuple

from llmops.tasks.calls.concurrency import MicroBatcher
from llmops.tasks.evaluation.results import Result
from llmops.tasks.evaluation.run import Arm, Retrieval
from llmops.tasks.knowledge import versions
from llmops.tasks.knowledge.reading import allowed, hits, searcher
from llmops.tasks.ledger import existing_ledger
from llmops.tasks.plugins.scorers import Case, Passage, Score
from llmops.tasks.retrieval.golden import Question, Relevant
from llmops.tasks.retrieval.hybrid import Searcher
from llmops.tasks.retrieval.metrics import metric_name, score
from llmops.tasks.schemas import Vectors

MEASURED = ("recall", "ndcg", "mrr")
FAMILY = "retrieval"
QUESTIONS = 64
SEARCHES = 4


class Search(NamedTuple):
    """A search; equal ones are made once."""

    settings: Retrieval
    question: str


class Retriever:
    """Searches off the event loop, what is wanted at the same time in one go. Belongs to one event
    loop.
    """

    def __init__(self, home: Path) -> None:
        self._home = home
        self._searchers: dict[Retrieval, Searcher] = {}
        self._under_way: dict[Search, asyncio.Task[tuple[Passage, ...]]] = {}
        self._searches = MicroBatcher(self._search, QUESTIONS)

    async def passages(self, settings: Retrieval, question: str) -> tuple[Passage, ...]:
        """The k best passages, best first; none for an empty question.

        Raises UsageError when the version is gone, Unavailable when the store does not answer.
        """
        if not question.strip():
            return ()
        search = Search(settings, question)
        if search not in self._under_way:
            self._under_way[search] = asyncio.create_task(self._searches.do(search))
        return await asyncio.shield(self._under_way[search])

    async def close(self) -> None:
        """Waits for the searches under way."""
        await self._searches.close()
        await asyncio.gather(*self._under_way.values(), return_exceptions=True)

    def _search(self, searches: Sequence[Search]) -> list[tuple[Passage, ...]]:
        results: dict[Search, tuple[Passage, ...]] = {}
        for settings in dict.fromkeys(search.settings for search in searches):
            mine = [search for search in searches if search.settings == settings]
            ranked = self._ranked(settings, [search.question for search in mine])
            results |= zip(mine, ranked, strict=True)
        return [results[search] for search in searches]

    def _ranked(self, settings: Retrieval, questions: Sequence[str]) -> list[tuple[Passage, ...]]:
        if settings not in self._searchers:
            self._searchers[settings] = self._open(settings)
        searcher = self._searchers[settings]
        vectors: Iterable[Vectors | None] = (
            repeat(None) if settings.mode == "text" else searcher.embedder.embed(questions)
        )

        def ranked(question: str, vector: Vectors | None) -> tuple[Passage, ...]:
            best = hits(searcher.search(question, settings.k, settings.mode, vector))
            return tuple(
                Passage.model_validate({name: str(hit[name]) for name in Passage.model_fields})
                for hit in best
            )

        with ThreadPoolExecutor(SEARCHES) as pool:  # a search mostly waits for the store
            return list(pool.map(ranked, questions, vectors))

    def _open(self, settings: Retrieval) -> Searcher:
        version = versions.version(
            existing_ledger(self._home), settings.knowledge_base, settings.version
        )
        return searcher(
            self._home, version, where=allowed(version, settings.where, settings.labels)
        )


def retrieval_scores(case: Case, arm: Arm, result: Result, arms: Sequence[Arm]) -> dict[str, Score]:
    """`retrieval.recall@5`, `retrieval.ndcg@5` and `retrieval.mrr@5` of an arm that retrieves 5
    passages: distinct documents in the order of their best passages, against `expected.uris`. Empty
    for an arm that retrieves nothing and for a case that expects no document.

    Where arms retrieve different numbers, each is also measured at the smaller ones, so that all
    can be compared, and `retrieval.recall` is over all the passages that the prompt got.
    """
    wanted = _uris(case.expected.get("uris"))
    if arm.retrieve is None or not wanted:
        return {}
    question = Question(
        id=case.id, question=case.id, relevant=tuple(Relevant(uri=uri) for uri in wanted)
    )
    ranking = list(dict.fromkeys((passage.uri, "") for passage in result.passages if passage.uri))
    cuts = sorted({other.retrieve.k for other in arms if other.retrieve})
    values = {
        metric_name(name, k): score(question, ranking, k)[metric_name(name, k)]
        for k in cuts
        if k <= arm.retrieve.k
        for name in MEASURED
    }
    if len(cuts) > 1:
        values["recall"] = values[metric_name("recall", arm.retrieve.k)]
    retrieved = {uri for uri, _ in ranking}
    reason = (
        f"{sum(uri in retrieved for uri in wanted)} of {len(wanted)} "
        f"expected documents among {len(ranking)}"
    )
    return {f"{FAMILY}.{name}": Score(value=value, reason=reason) for name, value in values.items()}


def _uris(given: object) -> list[str]:
    """Distinct uris, in order; a single one may stand as a text."""
    many = [given] if isinstance(given, str) else given if isinstance(given, list) else []
    return list(dict.fromkeys(uri for uri in many if isinstance(uri, str) and uri.strip()))
