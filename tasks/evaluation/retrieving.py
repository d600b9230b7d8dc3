"""Passages for prompts, from a pinned version of a knowledge base: each question is searched once,
whatever arms share it.
"""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from llmops.tasks.calls.concurrency import MicroBatcher
from llmops.tasks.evaluation.run import Retrieval
from llmops.tasks.knowledge import versions
from llmops.tasks.knowledge.reading import allowed, hits, searcher
from llmops.tasks.ledger import existing_ledger
from llmops.tasks.plugins.scorers import Passage
from llmops.tasks.retrieval.hybrid import Searcher

QUESTIONS = 64
SEARCHES = 4


class Wanted(NamedTuple):
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
        self._found: dict[Wanted, asyncio.Task[tuple[Passage, ...]]] = {}
        self._searches = MicroBatcher(self._search, QUESTIONS)

    async def passages(self, settings: Retrieval, question: str) -> tuple[Passage, ...]:
        """The k best passages, best first; none for an empty question.

        Raises UsageError when the version is gone, Unavailable when the store does not answer.
        """
        if not question.strip():
            return ()
        wanted = Wanted(settings, question)
        if wanted not in self._found:
            self._found[wanted] = asyncio.create_task(self._searches.do(wanted))
        return await asyncio.shield(self._found[wanted])

    async def close(self) -> None:
        """Waits for the searches under way."""
        await self._searches.close()
        await asyncio.gather(*self._found.values(), return_exceptions=True)

    def _search(self, wanted: Sequence[Wanted]) -> list[tuple[Passage, ...]]:
        found: dict[Wanted, tuple[Passage, ...]] = {}
        for settings in dict.fromkeys(one.settings for one in wanted):
            mine = [one for one in wanted if one.settings == settings]
            found |= zip(mine, self._ranked(settings, [one.question for one in mine]), strict=True)
        return [found[one] for one in wanted]

    def _ranked(self, settings: Retrieval, questions: Sequence[str]) -> list[tuple[Passage, ...]]:
        if settings not in self._searchers:
            self._searchers[settings] = self._open(settings)
        search = self._searchers[settings]
        vectors = (
            [None] * len(questions) if settings.mode == "text" else search.embedder.embed(questions)
        )

        def ranked(question: str, vector: Any) -> tuple[Passage, ...]:
            return tuple(
                map(_passage, hits(search.search(question, settings.k, settings.mode, vector)))
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


def _passage(hit: dict[str, object]) -> Passage:
    return Passage(
        **{name: str(hit[name]) for name in ("text", "uri", "title", "doc_id", "chunk_id")}
    )
