"""Models in simulated time: hours of waiting pass in no time, and every moment is known exactly."""

import asyncio
import heapq
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TypeVar

from pydantic import PrivateAttr

from llmops.tasks.endpoints.quota import Clock
from llmops.tasks.endpoints.trouble import Busy
from llmops.tasks.plugins.llms import Connection, Llm, Message, Reply, Request

T = TypeVar("T")
Script = Callable[[str, int], Awaitable[Reply]]


class Simulated(Clock):
    """A clock that jumps to the next moment at which somebody wakes, once nobody has anything to do
    before it.
    """

    def __init__(self, seed: int = 0) -> None:
        self.time = 0.0
        self._chance = random.Random(seed)
        self._sleeping: list[tuple[float, int, asyncio.Future[None]]] = []
        self._number = 0

    def now(self) -> float:
        return self.time

    def jitter(self, most: float) -> float:
        return self._chance.uniform(0, most)

    async def sleep(self, seconds: float) -> None:
        self._number += 1
        woken = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleeping, (self.time + max(0.0, seconds), self._number, woken))
        await woken

    async def run(self, work: Awaitable[T]) -> T:
        """What the work gives, with time passing as it sleeps."""
        task = asyncio.ensure_future(work)
        while not task.done():
            for _ in range(20):  # a step of the loop wakes what waits for a step before it
                await asyncio.sleep(0)
            if not task.done() and self._sleeping:
                moment, _, woken = heapq.heappop(self._sleeping)
                self.time = max(self.time, moment)
                if not woken.done():
                    woken.set_result(None)
        return task.result()


class Scripted(Connection):
    """`sent`: when each attempt was made; `seen`: how often each question."""

    def __init__(self, clock: Simulated, answer: Script) -> None:
        self.clock, self.answer = clock, answer
        self.sent: list[float] = []
        self.seen = Counter[str]()

    async def ask(self, request: Request) -> Reply:
        text = request.messages[-1].content
        self.sent.append(self.clock.now())
        self.seen[text] += 1
        return await self.answer(text, self.seen[text])

    def most_in(self, seconds: float) -> int:
        """The highest number of attempts in any such span."""
        return max(
            sum(start <= other < start + seconds for other in self.sent) for start in self.sent
        )


class Model(Llm):
    """A model whose connection is given."""

    _connection: Scripted = PrivateAttr()

    @classmethod
    def of(cls, connection: Scripted, **options: object) -> "Model":
        made = cls.model_validate(options)
        object.__setattr__(made, "_connection", connection)
        return made

    def connect(self) -> AbstractAsyncContextManager[Connection]:
        return self._opened()

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator[Connection]:
        yield self._connection


class Limited:
    """A service that allows `rate` requests per second with a burst, as a token bucket, and says
    how long to wait.
    """

    def __init__(
        self,
        clock: Simulated,
        rate: float,
        burst: float,
        *,
        latency: float = 0.2,
        says: bool = True,
    ) -> None:
        self.clock, self.rate, self.burst, self.latency, self.says = (
            clock,
            rate,
            burst,
            latency,
            says,
        )
        self.tokens, self.at = burst, 0.0
        self.refused = 0

    async def __call__(self, text: str, times: int) -> Reply:
        now = self.clock.now()
        self.tokens, self.at = min(self.burst, self.tokens + (now - self.at) * self.rate), now
        if self.tokens < 1:
            self.refused += 1
            await self.clock.sleep(0.02)
            raise Busy(
                "429", after=(1 - self.tokens) / self.rate if self.says else None, limited=True
            )
        self.tokens -= 1
        await self.clock.sleep(self.latency)
        return Reply(text=text, tokens_in=10, tokens_out=10)


def request(text: str) -> Request:
    return Request(messages=(Message(role="user", content=text),))
