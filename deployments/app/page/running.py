"""Answers that are being written. They go on when nobody looks: a page that comes back finds them,
and only *Stop* ends the paid call.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Self

from starlette.requests import HTTPConnection

from llmops.configs.serve import LimitSettings
from llmops.deployments.app.asking import Ask
from llmops.deployments.app.problems import HttpProblem
from llmops.deployments.app.visit import AppVisit, noted
from llmops.tasks.chat.turn import Answered

HELD_SECONDS = 60.0
"""How long an answer that is there is held, until its trace can be read."""
PAUSE = 0.08
"""Seconds between two looks at a text that grows."""


class RunningAnswer:
    """`answered`: once it is there; `problem`: why it never will be; `stopped`: by whoever asked,
    or as the application ended.
    """

    def __init__(self, ask: Ask, visit: AppVisit) -> None:
        self.ask, self.visit = ask, visit
        self.answered: Answered | None = None
        self.problem: HttpProblem | None = None
        self.stopped = self.over = False
        self._pieces: list[str] = []
        self._changed = asyncio.Event()

    @property
    def trace_id(self) -> str:
        return self.ask.recorder.id

    @property
    def text(self) -> str:
        return self.answered.text if self.answered else "".join(self._pieces)

    def is_of(self, person: str, key_id: str) -> bool:
        return (self.ask.turn.person, self.ask.turn.key_id) == (person, key_id)

    async def watched(self) -> AsyncIterator[str]:
        """The text as it grows, at most every `PAUSE` seconds, until it is over."""
        shown: str | None = None
        while not self.over:
            changed = self._changed
            if self.text != shown:
                shown = self.text
                yield shown
                await asyncio.sleep(PAUSE)
            if changed is self._changed and not self.over:
                await changed.wait()

    async def write(self, seconds: float) -> None:
        """All of it. Nothing that goes wrong is raised: it is told to whoever looks."""
        try:
            async with asyncio.timeout(seconds), aclosing(self.ask.stream()) as pieces:
                async for piece in pieces:
                    if isinstance(piece, Answered):
                        self.answered = piece
                    else:
                        self._pieces.append(piece)
                    self._tell()
        except asyncio.CancelledError:
            self.stopped = self.answered is None
        except Exception as error:  # noqa: BLE001 - whatever it is: noted, and told to who looks
            self.problem = noted(error, self.visit)
        finally:
            self.over = True
            self._tell()

    def _tell(self) -> None:
        before, self._changed = self._changed, asyncio.Event()
        before.set()


class RunningAnswers:
    """Those of one application, in one event loop."""

    def __init__(self, limits: LimitSettings) -> None:
        self._limits = limits
        self._held: dict[str, RunningAnswer] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """End them all; what each has said so far is kept in its trace."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def start(self, ask: Ask, visit: AppVisit) -> RunningAnswer:
        """Raises HttpProblem where too many are being written."""
        if len(self._tasks) >= self._limits.concurrency:
            told = f"{self._limits.concurrency} answers are being written; try again in a moment"
            raise HttpProblem(503, told, code="busy", headers={"retry-after": "1"})
        answer = RunningAnswer(ask, visit)
        self._held[answer.trace_id] = answer
        task = asyncio.create_task(answer.write(self._limits.seconds))
        self._tasks[answer.trace_id] = task
        task.add_done_callback(lambda _: self._over(answer.trace_id))
        return answer

    def of(self, trace_id: str) -> RunningAnswer | None:
        return self._held.get(trace_id)

    def of_conversation(self, name: str, person: str, key_id: str) -> list[RunningAnswer]:
        """Those of one person's conversation, in the order in which they were asked for."""
        return [
            answer
            for answer in list(self._held.values())  # the event loop goes on beside us
            if answer.ask.turn.conversation == name and answer.is_of(person, key_id)
        ]

    async def stop(self, answer: RunningAnswer) -> None:
        """End the paid call, and wait until it has ended. One that is over stays as it is."""
        if (task := self._tasks.get(answer.trace_id)) is not None:
            answer.ask.recorder.tags["ended"] = "stopped"
            task.cancel()
            await asyncio.wait([task])

    def _over(self, trace_id: str) -> None:
        del self._tasks[trace_id]
        asyncio.get_running_loop().call_later(HELD_SECONDS, self._held.pop, trace_id, None)


def running_of(connection: HTTPConnection) -> RunningAnswers:
    running: RunningAnswers = connection.app.state.running
    return running
