"""Which curated answer a question gets: of the same words, or of those that are alike enough the
most alike.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Sequence
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Final, NamedTuple

import numpy as np

from llmops.tasks.chat.curated import CuratedAnswer, count_hit, listed
from llmops.tasks.chat.knowledge import OpenVersion
from llmops.tasks.chat.questions import best, numbers, plain
from llmops.tasks.chat.spec import CuratedSettings
from llmops.tasks.errors import LlmopsError
from llmops.tasks.retrieval.hybrid import Vector

log = logging.getLogger(__name__)
RELOAD: Final = 1.0
"""Seconds for which the list of curated answers is believed."""
AT_ONCE: Final = 256
"""Questions that are embedded in the way of a request; more of them in the background."""


class Match(NamedTuple):
    """`score`: 1 for the same words, else the cosine similarity."""

    answer: CuratedAnswer
    score: float


class CuratedMatcher:
    """Belongs to one event loop. Where the ledger does not answer, the answers known last are
    given.
    """

    def __init__(self, home: Path, app: str, settings: CuratedSettings) -> None:
        self._home, self._app, self._settings = home, app, settings
        self._answers: Sequence[CuratedAnswer] = ()
        self._loaded = float("-inf")
        self._vectors: dict[tuple[str, str], Vector] = {}
        self._embedding: asyncio.Task[None] | None = None
        self._counting = set[asyncio.Task[None]]()

    async def start(self) -> None:
        """Read the answers for the first time."""
        await self._current()

    async def match(
        self,
        question: str,
        labels: Collection[str],
        opened: OpenVersion,
        vector: Callable[[], Awaitable[Vector]],
    ) -> Match | None:
        """The answer to give, None for none. Questions are compared by the embedder of the
        knowledge base; `vector` is asked for only where there is something to compare.
        """
        if not self._settings.enabled:
            return None
        answers = [each for each in await self._current() if each.open_to(labels)]
        words = plain(question)
        if same := [each for each in answers if plain(each.question) == words]:
            return self._counted(Match(same[-1], 1.0))
        held = numbers(question)
        alike = [
            each for each in answers if self._threshold(each) < 1 and numbers(each.question) == held
        ]
        if not alike:
            return None
        await self._embed(alike, opened)
        known = opened.embedder_fingerprint
        compared = [each for each in alike if (known, each.question) in self._vectors]
        if not compared:
            return None
        matrix = np.stack([self._vectors[known, each.question] for each in compared])
        match = best(await vector(), matrix, [self._threshold(each) for each in compared])
        return self._counted(Match(compared[match[0]], match[1])) if match else None

    async def close(self) -> None:
        """Waits for what is being written."""
        tasks = [*self._counting, *([self._embedding] if self._embedding else [])]
        await asyncio.gather(*tasks, return_exceptions=True)

    def _threshold(self, answer: CuratedAnswer) -> float:
        return self._settings.threshold if answer.threshold is None else answer.threshold

    async def _current(self) -> Sequence[CuratedAnswer]:
        if monotonic() - self._loaded > RELOAD:
            self._loaded = monotonic()  # others need not ask, too
            try:
                self._answers = await asyncio.to_thread(listed, self._home, self._app)
            except LlmopsError as error:
                log.warning("curated answers of %s cannot be read: %s", self._app, error)
        return self._answers

    async def _embed(self, answers: Sequence[CuratedAnswer], opened: OpenVersion) -> None:
        known = opened.embedder_fingerprint
        missing = [one.question for one in answers if (known, one.question) not in self._vectors]
        if not missing:
            return
        if len(missing) <= AT_ONCE:
            await self._embed_all(missing, opened)
        elif self._embedding is None or self._embedding.done():
            self._embedding = asyncio.create_task(self._embed_all(missing, opened))

    async def _embed_all(self, questions: Sequence[str], opened: OpenVersion) -> None:
        current = {answer.question for answer in self._answers}
        self._vectors = {key: row for key, row in self._vectors.items() if key[1] in current}
        vectors = await opened.embed_many(questions)
        known = opened.embedder_fingerprint
        self._vectors |= {(known, text): row for text, row in zip(questions, vectors, strict=True)}

    def _counted(self, match: Match) -> Match:
        task = asyncio.create_task(self._count(match.answer.id))
        self._counting.add(task)
        task.add_done_callback(self._counting.discard)
        return match

    async def _count(self, name: str) -> None:
        try:
            await asyncio.to_thread(partial(count_hit, self._home, name))
        except LlmopsError as error:
            log.warning("a hit of the curated answer %s is not counted: %s", name, error)
