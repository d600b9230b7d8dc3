"""Answers that are given again: to the same question, or to one that is alike. Never across keys,
labels, versions of the knowledge base, prompts or models.
"""

import asyncio
import logging
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Final, Literal, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError
from sqlalchemy import Connection, delete, select, update

from llmops.tasks.chat.questions import best, numbers, plain
from llmops.tasks.chat.spec import CacheSettings
from llmops.tasks.chat.turn import Answered, Usage
from llmops.tasks.errors import LlmopsError
from llmops.tasks.knowledge.suppressed import erasures
from llmops.tasks.ledger import Ledger, now, open_ledger, upsert
from llmops.tasks.ledger.application import answers, traces
from llmops.tasks.plugins import canonical
from llmops.tasks.retrieval.hybrid import Vector
from llmops.tasks.schemas import sha256
from llmops.tasks.traces.masking import SECRET, masked_text

log = logging.getLogger(__name__)
RELOAD: Final = 10.0
"""Seconds after which answers that other processes keep are seen."""
SCOPES: Final = 32
"""Of so many scopes the vectors are held in memory."""
PRUNE_EVERY, PRUNE_ON = 50, 1
PAST: Final = 16
HALF: Final = 32
NEVER: Final = 2.0
T = TypeVar("T")


class AnswerScope(NamedTuple):
    """All that an answer depends on beside the question. `ground`: what is the same for all who
    ask, and changes with a version, a prompt or a model; `asker`: key, labels, parameters.
    """

    ground: str
    asker: str

    @property
    def text(self) -> str:
        return self.ground + self.asker


def scope_of(ground: object, asker: object) -> AnswerScope:
    """By hashes of two values of plain JSON."""
    return AnswerScope(*(sha256(canonical(each))[:HALF] for each in (ground, asker)))


class NewAnswer(NamedTuple):
    """An answer to keep. `trace_id`, `person`: by which it is deleted with them; `erasures`: what
    was erased from its knowledge base when it was made.
    """

    question: str
    answer: Answered
    trace_id: str
    person: str
    vector: Vector | None = None
    erasures: str = ""


@dataclass
class _Vectors:
    """The questions of a scope: a row for each key."""

    keys: list[str] = field(default_factory=list)
    numbers: list[tuple[str, ...]] = field(default_factory=list)
    rows: list[NDArray[np.float32]] = field(default_factory=list)
    loaded: float = 0.0
    stacked: NDArray[np.float32] | None = None

    def add(self, key: str, question: str, vector: Vector) -> None:
        self.keys.append(key)
        self.numbers.append(numbers(question))
        self.rows.append(vector)
        self.stacked = None

    @property
    def matrix(self) -> NDArray[np.float32]:
        if self.stacked is None:
            self.stacked = np.stack(self.rows)
        return self.stacked

    def thresholds(self, question: str, settings: CacheSettings) -> list[float]:
        """How like each of them has to be; out of reach where the numbers are others."""
        mine = numbers(question)
        return [settings.threshold if one == mine else NEVER for one in self.numbers]


class AnswerCache:
    """The remembered answers of one application. Belongs to one event loop. Where the ledger does
    not answer, nothing is remembered."""

    def __init__(self, home: Path, app: str, settings: CacheSettings) -> None:
        self._home, self._app, self.settings = home, app, settings
        self._scopes: OrderedDict[str, _Vectors] = OrderedDict()
        self._grounds: dict[str, str] = {}
        self._past: deque[str] = deque(maxlen=PAST)
        self._kept = 0

    @property
    def on(self) -> bool:
        return self.settings.mode != "off"

    async def known(
        self, scope: AnswerScope, question: str, vector: Callable[[], Awaitable[Vector]]
    ) -> Answered | None:
        """The answer to this question, or to one that is alike enough; None: it has to be made.
        `vector` is asked for only where that is needed.
        """
        exact = await self._row(self._key(scope, question), "exact")
        if exact or self.settings.mode != "semantic":
            return exact
        questions = await self._questions(scope)
        if not questions.keys:
            return None
        match = best(
            await vector(), questions.matrix, questions.thresholds(question, self.settings)
        )
        return await self._row(questions.keys[match[0]], "semantic") if match else None

    async def keep(self, scope: AnswerScope, new: NewAnswer) -> None:
        """Remember an answer; refusals, answers that were cut, and answers to questions that hold
        a secret are not.
        """
        if new.answer.finish != "stop" or new.answer.cached != "no" or _secret(new.question):
            return
        key = self._key(scope, new.question)
        row = {
            "key": key,
            "app": self._app,
            "scope": scope.text,
            "question": new.question,
            "vector": None if new.vector is None else new.vector.astype("<f4").tobytes(),
            "answer": new.answer.model_copy(update={"usage": Usage()}).model_dump_json(),
            "trace_id": new.trace_id,
            "person": new.person,
            "created_at": now(),
            "hits": 0,
        }
        self._kept += 1
        prunes = self._kept % PRUNE_EVERY == PRUNE_ON
        written = await self._careful(partial(self._write, row, prunes, new))
        if written and new.vector is not None and (held := self._scopes.get(scope.text)):
            held.add(key, new.question, new.vector)

    async def moved(self, knowledge_base: str, ground: str) -> None:
        """What answers of a knowledge base rest on now. Those that rest on what was before are
        forgotten.
        """
        before = self._grounds.get(knowledge_base)
        if ground == before or ground in self._past:  # a turn that began before
            return
        self._grounds[knowledge_base] = ground
        if before is None:
            return
        self._past.append(before)
        for text in [text for text in self._scopes if text.startswith(before)]:
            del self._scopes[text]
        await self._careful(partial(self._forget, before))

    def _key(self, scope: AnswerScope, question: str) -> str:
        return sha256(canonical([self._app, scope.text, plain(question)]))

    async def _questions(self, scope: AnswerScope) -> _Vectors:
        held = self._scopes.get(scope.text)
        if held is None or monotonic() - held.loaded > RELOAD:
            held = await self._careful(partial(self._load, scope.text)) or _Vectors()
            self._scopes[scope.text] = held
            while len(self._scopes) > SCOPES:
                self._scopes.popitem(last=False)
        self._scopes.move_to_end(scope.text)
        return held

    async def _row(self, key: str, how: Literal["exact", "semantic"]) -> Answered | None:
        text = await self._careful(partial(self._read, key))
        if not text:
            return None
        try:
            return Answered.model_validate_json(text).model_copy(update={"cached": how})
        except ValidationError:  # of another release
            return None

    async def _careful(self, work: Callable[[Ledger], T]) -> T | None:
        """In a thread; None where the ledger does not answer."""

        def careful() -> T | None:
            try:
                return work(open_ledger(self._home))
            except LlmopsError as error:
                log.warning("the answer cache of %s cannot be used: %s", self._app, error)
                return None

        return await asyncio.to_thread(careful)

    def _read(self, key: str, ledger: Ledger) -> str:
        """The answer, and one hit more; "" where there is none that is young enough."""
        mine = answers.c.key == key
        fresh = answers.c.created_at > now() - timedelta(hours=self.settings.hours)
        with ledger.read() as connection:
            text = connection.scalar(select(answers.c.answer).where(mine, fresh))
        if text:
            with ledger.write() as connection:
                connection.execute(update(answers).where(mine).values(hits=answers.c.hits + 1))
        return text or ""

    def _load(self, scope: str, ledger: Ledger) -> _Vectors:
        query = (
            select(answers.c.key, answers.c.question, answers.c.vector)
            .where(answers.c.app == self._app, answers.c.scope == scope)
            .where(answers.c.vector.is_not(None))
            .order_by(answers.c.created_at.desc())
            .limit(self.settings.entries)
        )
        with ledger.read() as connection:
            rows = connection.execute(query).all()
        vectors = [np.frombuffer(row.vector, "<f4").astype(np.float32) for row in rows]
        held = [numbers(row.question) for row in rows]
        return _Vectors([row.key for row in rows], held, vectors, monotonic())

    def _write(
        self, row: Mapping[str, object], prunes: bool, new: NewAnswer, ledger: Ledger
    ) -> bool:
        """Not for a trace that was deleted meanwhile, and not where a document was erased."""
        gone = (traces.c.id == row["trace_id"]) & traces.c.deleted_at.is_not(None)
        with ledger.write() as connection:
            if connection.scalar(select(traces.c.id).where(gone)):
                return False
            if erasures(connection, new.answer.knowledge_base) != new.erasures:
                return False
            upsert(connection, answers, [row])
            if prunes:
                self._prune(connection)
        return True

    def _prune(self, connection: Connection) -> None:
        """What is too old, and the oldest of what is too much."""
        mine = answers.c.app == self._app
        old = answers.c.created_at <= now() - timedelta(hours=self.settings.hours)
        connection.execute(delete(answers).where(mine, old))
        newest = select(answers.c.key).where(mine).order_by(answers.c.created_at.desc())
        kept = newest.limit(self.settings.entries).scalar_subquery()
        connection.execute(delete(answers).where(mine, answers.c.key.not_in(kept)))

    def _forget(self, ground: str, ledger: Ledger) -> bool:
        old = answers.c.scope.startswith(ground, autoescape=True)
        with ledger.write() as connection:
            connection.execute(delete(answers).where(answers.c.app == self._app, old))
        return True


def _secret(question: str) -> bool:
    return SECRET in masked_text(question) and SECRET not in question
