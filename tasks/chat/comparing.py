"""Several prompts or models on one question: one search, and each side writes from its passages."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import NamedTuple

from llmops.tasks.calls.budget import Budget
from llmops.tasks.chat.engine import ChatEngine, Grounds
from llmops.tasks.chat.models import Calling, UsageCount
from llmops.tasks.chat.recording import Recorder
from llmops.tasks.chat.turn import Answered, Citation, Turn
from llmops.tasks.errors import UsageError, did_you_mean
from llmops.tasks.plugins.llms import Message
from llmops.tasks.prompts import Resolved

FEWEST, MOST = 2, 4
STEP = "side"
"""The steps of a trace in which the sides write: side.1, side.2, …"""


class ComparedSide(NamedTuple):
    """What an answer is made with. `model`: one of the engine's `choices`."""

    prompt: Resolved
    model: str


class Shown(NamedTuple):
    """What all sides are given. `question`: as it is searched for and answered, personal data
    masked where the application does that; `asked`: the messages of each side; `erasures`: what was
    erased from the knowledge base so far.
    """

    question: str
    passages: tuple[Citation, ...]
    knowledge_base: str
    version: int
    erasures: str
    asked: tuple[tuple[Message, ...], ...]


class SidePart(NamedTuple):
    """A piece of the answer of a side, and last the answer, or why there is none."""

    side: int
    part: str | Answered | Exception


class AnswerComparison:
    """What a person tries: answers that were curated or remembered are not used, as they would
    hide the prompt, and no side has a fallback.
    """

    def __init__(self, engine: ChatEngine) -> None:
        self._engine = engine

    async def stream(
        self,
        turn: Turn,
        sides: Sequence[ComparedSide],
        recorder: Recorder,
        budget: Budget | None = None,
    ) -> AsyncGenerator[Shown | SidePart, None]:
        """What the sides are given, and then their answers as they are written, side by side. One
        that fails ends alone. Closing the generator ends every paid call.

        Raises UsageError for other than two to four sides and for a model that there is not; what
        `ChatEngine.searched` raises.
        """
        self._check(sides)
        calling = Calling(recorder, UsageCount(), budget, pieces=True)
        grounds, refusal = await self._engine.searched(turn, calling)
        yield self._shown(grounds, sides)
        if refusal is not None:
            for number, side in enumerate(sides):
                refused = self._engine.refused(_of(grounds, side), refusal, calling)
                yield SidePart(number, refusal.reply)
                yield SidePart(number, refused)
            return
        async with aclosing(self._together(grounds, sides, calling)) as parts:
            async for part in parts:
                yield part

    def _check(self, sides: Sequence[ComparedSide]) -> None:
        if not FEWEST <= len(sides) <= MOST:
            raise UsageError(f"got {len(sides)} sides", hint=f"allowed: {FEWEST} to {MOST}")
        known = self._engine.choices
        for side in sides:
            if side.model not in known:
                hint = did_you_mean(side.model, known) or f"there are {', '.join(known)}"
                raise UsageError(f"there is no model {side.model[:80]!r}", hint=hint)

    def _shown(self, grounds: Grounds, sides: Sequence[ComparedSide]) -> Shown:
        asked = []
        for side in sides:
            (model,) = self._engine.choices[side.model].models
            asked.append(self._engine.request(_of(grounds, side), model).messages)
        return Shown(
            question=grounds.turn.question,
            passages=self._engine.passages(grounds),
            knowledge_base=grounds.opened.name,
            version=grounds.opened.number,
            erasures=grounds.opened.erasures,
            asked=tuple(asked),
        )

    async def _together(
        self, grounds: Grounds, sides: Sequence[ComparedSide], calling: Calling
    ) -> AsyncGenerator[SidePart, None]:
        parts: asyncio.Queue[SidePart] = asyncio.Queue()
        writing = [
            asyncio.create_task(self._write(number, side, grounds, calling, parts.put_nowait))
            for number, side in enumerate(sides)
        ]
        under_way = len(sides)
        try:
            while under_way:
                part = await parts.get()
                under_way -= not isinstance(part.part, str)
                yield part
        finally:
            for task in writing:
                task.cancel()
            await asyncio.gather(*writing, return_exceptions=True)

    async def _write(
        self,
        number: int,
        side: ComparedSide,
        grounds: Grounds,
        calling: Calling,
        put: Callable[[SidePart], None],
    ) -> None:
        mine = calling._replace(used=UsageCount())
        step, models = f"{STEP}.{number + 1}", self._engine.choices[side.model]
        try:
            pieces = self._engine.written(_of(grounds, side), mine, models, step)
            async with aclosing(pieces):
                async for piece in pieces:
                    put(SidePart(number, piece))
        except Exception as error:  # noqa: BLE001 - whatever it is, the other sides go on
            put(SidePart(number, error))


def _of(grounds: Grounds, side: ComparedSide) -> Grounds:
    return grounds._replace(prompt=side.prompt)
