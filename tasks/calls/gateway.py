"""The desk through which every call of an evaluation goes: remembered, within the budget, so many
at once, asked once.
"""

import asyncio
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import NamedTuple

from llmops.tasks.calls.budget import Budget, cost_of, most, priced
from llmops.tasks.calls.cache import Asking, Memory, Paid, key_of, storable
from llmops.tasks.calls.client import Client
from llmops.tasks.errors import DocumentError, Unavailable
from llmops.tasks.evaluation.run import Price, Spent, Trial
from llmops.tasks.ledger import open_ledger
from llmops.tasks.plugins import Spec, canonical
from llmops.tasks.plugins.llms import Llm, Reply, Request, llm_of


class Asked(NamedTuple):
    """`key`: of the call in the ledger; `cached`: nothing was paid for it now. `cost_usd`: what
    such a call costs, also when it is remembered: arms are compared by it."""

    reply: Reply
    key: str
    cached: bool
    cost_usd: float


@dataclass
class Model:
    """A model that is connected. `gone`: why no further request to it will succeed."""

    llm: Llm
    fingerprint: str
    client: Client
    gone: Unavailable | None = None


class Desk:
    """Use it as `async with Desk(trial, spent) as desk`, within one event loop; leaving it waits
    for what is being written.

    At most `trial.concurrency` requests are under way or being written down. Remembered calls need
    neither budget nor place.
    """

    def __init__(self, trial: Trial, spent: Spent) -> None:
        self._trial = trial
        self._budget = Budget(trial.budget_usd, trial.budget_calls, spent)
        self._places = asyncio.Semaphore(trial.concurrency)
        self._models: dict[str, Model] = {}
        self._opening = asyncio.Lock()
        self._flights: dict[str, asyncio.Task[tuple[Reply, bool]]] = {}
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> "Desk":
        self._memory = Memory(await asyncio.to_thread(open_ledger, self._trial.home))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        flights = list(self._flights.values())
        for flight in flights:
            flight.cancel()
        await asyncio.gather(*flights, return_exceptions=True)
        await self._memory.close()
        await self._stack.aclose()

    @property
    def spent(self) -> Spent:
        return self._budget.spent

    async def ask(
        self,
        llm: Spec,
        price: Price | None,
        request: Request,
        *,
        repeat: int = 0,
        shown: Sequence[tuple[str, str]] = (),
    ) -> Asked:
        """The reply, on disk before it is returned. Whoever asks the same while it is under way
        gets the same reply.

        `repeat`: which time this is asked; `shown`: (knowledge base, doc_id) of the passages in the
        messages. Raises BudgetReached, DocumentError (this request; it is not remembered),
        Unavailable (no request will succeed), ConfigError.
        """
        model = await self._model(llm)
        request = request.model_copy(update={"repeat": repeat}) if repeat else request
        asked = Asking(key_of(model.fingerprint, request), tuple(shown))
        if joined := self._flights.get(asked.key):
            reply, cached = (await asyncio.shield(joined))[0], True
            await self._known_by(asked)
        else:
            flight = self._flights[asked.key] = asyncio.create_task(
                self._fly(model, price, request, asked)
            )
            flight.add_done_callback(lambda done: self._landed(asked.key, done))
            reply, cached = await asyncio.shield(flight)
        if cached:
            self._budget.remembered()
        return Asked(reply, asked.key, cached, cost_of(price, reply.tokens_in, reply.tokens_out))

    def _landed(self, key: str, flight: "asyncio.Task[tuple[Reply, bool]]") -> None:
        del self._flights[key]
        if not flight.cancelled():
            flight.exception()  # taken note of, where nobody waits any more

    async def _known_by(self, asked: Asking) -> None:
        if asked.shown:
            await self._memory.known(asked)

    async def _fly(
        self, model: Model, price: Price | None, request: Request, asked: Asking
    ) -> tuple[Reply, bool]:
        known = await self._memory.known(asked)
        if known is not None:
            model.client.remembered()
            return known, True
        priced(model.llm, price, self._trial.budget_usd)
        async with (
            self._places
        ):  # until the reply is on disk: a kill can lose no more replies than there are places
            reply = await self._pay(model, price, request)
            await self._memory.keep(
                Paid(
                    asked.key, reply, cost_of(price, reply.tokens_in, reply.tokens_out), asked.shown
                )
            )
        return reply, False

    async def _pay(self, model: Model, price: Price | None, request: Request) -> Reply:
        reserved = most(model.llm, price, request)
        await self._budget.reserve(reserved)
        try:
            reply = _dated(storable(await self._reach(model, request)))
        except DocumentError:
            self._budget.settle(reserved, None)
            raise
        except BaseException:
            self._budget.settle(reserved, None, asked=False)
            raise
        self._budget.settle(reserved, reply, cost_of(price, reply.tokens_in, reply.tokens_out))
        return reply

    @staticmethod
    async def _reach(model: Model, request: Request) -> Reply:
        if model.gone:
            raise model.gone
        try:
            return await model.client.ask(request)
        except Unavailable as error:
            model.gone = error
            raise

    async def _model(self, spec: Spec) -> Model:
        """The model of these options, connected once for all who ask it."""
        name = canonical(spec.short())
        async with self._opening:
            if name not in self._models:
                llm = llm_of(spec)
                self._models[name] = Model(
                    llm, llm.fingerprint(), await self._stack.enter_async_context(Client(llm))
                )
            return self._models[name]


def _dated(reply: Reply) -> Reply:
    """With the time at which the attempt that succeeded was sent: times of answers are compared
    only where they were measured together.
    """
    return reply.model_copy(update={"asked_at": round(time.time() - reply.latency_ms / 1000, 3)})
