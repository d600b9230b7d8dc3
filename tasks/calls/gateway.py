"""The one way to a paid model, for every flow: remembered, within the budget, so many at once, the
same asked once.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

from anyio.from_thread import BlockingPortal, start_blocking_portal

from llmops.tasks.calls.budget import Budget, Spent, check_price, most
from llmops.tasks.calls.cache import CallCache, Lookup, PaidCall, key_of, storable, usable_key
from llmops.tasks.calls.client import LlmClient
from llmops.tasks.calls.prices import Price, cost_of
from llmops.tasks.errors import DocumentError, Unavailable
from llmops.tasks.ledger import open_ledger
from llmops.tasks.plugins import canonical
from llmops.tasks.plugins.llms import Llm, Message, Reply, Request

WIDTH = 8
ATTEMPTS = 3
Read = Callable[[str], object]
"""Raises ValueError for a text that is no usable reply."""


class GatewayReply(NamedTuple):
    """`key`: of the call in the ledger; `cached`: nothing was paid for it now. `cost_usd`: what
    such a call costs, also when it is remembered: arms are compared by it."""

    reply: Reply
    key: str
    cached: bool
    cost_usd: float


@dataclass
class ConnectedLlm:
    """`gone`: why no further request to it will succeed."""

    llm: Llm
    fingerprint: str
    client: LlmClient
    gone: Unavailable | None = None


class Call(NamedTuple):
    """What is asked, and what its reply is remembered by."""

    model: ConnectedLlm
    price: Price | None
    request: Request
    lookup: Lookup
    owner: str
    read: Read | None

    def cost(self, reply: Reply) -> float:
        return cost_of(self.price, reply.tokens_in, reply.tokens_out)

    def mistake(self, reply: Reply) -> str | None:
        """Why the reply cannot be used; None: it can."""
        if self.read is None:
            return None
        try:
            self.read(reply.text)
        except ValueError as error:
            return str(error)
        return None


class Gateway:
    """Use it as `async with Gateway(home, budget) as gateway`, within one event loop; leaving it
    waits for what is being written.

    At most `width` requests are under way or being written down. Remembered calls need neither
    budget nor place.
    """

    def __init__(self, home: Path, budget: Budget | None = None, width: int = WIDTH) -> None:
        self._home, self._budget = home, budget or Budget()
        self._places = asyncio.Semaphore(width)
        self._models: dict[str, ConnectedLlm] = {}
        self._opening = asyncio.Lock()
        self._flights: dict[str, asyncio.Task[tuple[Reply, bool]]] = {}
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> "Gateway":
        self._cache = CallCache(await asyncio.to_thread(open_ledger, self._home))
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
        await self._cache.close()
        await self._stack.aclose()

    @property
    def spent(self) -> Spent:
        return self._budget.spent

    async def ask(
        self,
        llm: Llm,
        price: Price | None,
        request: Request,
        *,
        repeat: int = 0,
        shown: Sequence[tuple[str, str]] = (),
        owner: str = "",
        read: Read | None = None,
    ) -> GatewayReply:
        """The reply, on disk before it is returned. Whoever asks the same while it is under way
        gets the same reply.

        `repeat`: which time this is asked; `shown`: (knowledge base, doc_id) of the passages in the
        messages; `owner`: the document that is asked about. With `read` only a reply that it can
        read is remembered, by the messages alone; a model is told of its mistake up to two times.

        Raises BudgetReached, DocumentError (this request, or three replies that cannot be read; it
        is not remembered), Unavailable (no request will succeed), ConfigError (no price).
        """
        model = await self._connected(llm)
        request = request.model_copy(update={"repeat": repeat}) if repeat else request
        key = (
            usable_key(model.fingerprint, request.messages)
            if read
            else key_of(model.fingerprint, request)
        )
        call = Call(model, price, request, Lookup(key, tuple(shown)), owner, read)
        if joined := self._flights.get(key):
            reply, cached = (await asyncio.shield(joined))[0], True
            if shown:
                await self._cache.known(call.lookup)  # it is known by these documents too
        else:
            flight = self._flights[key] = asyncio.create_task(self._fly(call))
            flight.add_done_callback(lambda done: self._landed(key, done))
            reply, cached = await asyncio.shield(flight)
        if cached:
            self._budget.remembered()
        return GatewayReply(reply, key, cached, call.cost(reply))

    def _landed(self, key: str, flight: "asyncio.Task[tuple[Reply, bool]]") -> None:
        del self._flights[key]
        if not flight.cancelled():
            flight.exception()  # taken note of, where nobody waits any more

    async def _fly(self, call: Call) -> tuple[Reply, bool]:
        """The reply, and whether it was remembered."""
        known = await self._cache.known(call.lookup)
        if known is not None:
            call.model.client.remembered()
            if call.mistake(known) is None:
                return known, True
        check_price(call.model.llm, call.price, self._budget.usd)
        async with (
            self._places
        ):  # until the reply is on disk: a kill can lose no more replies than there are places
            reply = await self._usable(call, known)
            await self._cache.keep(
                PaidCall(call.lookup.key, reply, call.cost(reply), call.lookup.shown, call.owner)
            )
        return reply, False

    async def _usable(self, call: Call, known: Reply | None) -> Reply:
        """A reply that can be read, after as many corrections as it may take. `known`: one that is
        remembered and cannot be read.
        """
        request, reply, mistake = call.request, known, None
        for _ in range(ATTEMPTS):
            reply = reply or await self._pay(call, request)
            mistake = call.mistake(reply)
            if mistake is None:
                return reply
            corrected = (
                *call.request.messages,
                Message(role="assistant", content=reply.text),
                Message(role="user", content=f"Not valid: {mistake}"),
            )
            request, reply = call.request.model_copy(update={"messages": corrected}), None
        raise DocumentError(
            f"the language model gave {ATTEMPTS} replies that cannot be used; the last: {mistake}"
        )

    async def _pay(self, call: Call, request: Request) -> Reply:
        reserved = most(call.model.llm, call.price, request)
        await self._budget.reserve(reserved)
        try:
            reply = _dated(storable(await self._reach(call.model, request)))
        except DocumentError:
            self._budget.settle(reserved, None)
            raise
        except BaseException:
            self._budget.settle(reserved, None, asked=False)
            raise
        self._budget.settle(reserved, reply, call.cost(reply))
        return reply

    @staticmethod
    async def _reach(model: ConnectedLlm, request: Request) -> Reply:
        if model.gone:
            raise model.gone
        try:
            return await model.client.ask(request)
        except Unavailable as error:
            model.gone = error
            raise

    async def _connected(self, llm: Llm) -> ConnectedLlm:
        """Models of the same options are connected once, for all who ask them."""
        name = canonical([llm.quota, llm.spelling(), llm.model_dump(mode="json")])
        async with self._opening:
            if name not in self._models:
                client = await self._stack.enter_async_context(LlmClient(llm))
                self._models[name] = ConnectedLlm(llm, llm.fingerprint(), client)
            return self._models[name]


def _dated(reply: Reply) -> Reply:
    """With the time at which the attempt that succeeded was sent: times of answers are compared
    only where they were measured together.
    """
    return reply.model_copy(update={"asked_at": round(time.time() - reply.latency_ms / 1000, 3)})


class BlockingGateway:
    """A gateway for code that is not asynchronous and runs in one thread: `with
    BlockingGateway(home) as gateway`. Its event loop runs in a thread of its own, which the first
    question starts.
    """

    def __init__(self, home: Path, budget: Budget | None = None) -> None:
        self._gateway = Gateway(home, budget)
        self._stack = ExitStack()
        self._portal: BlockingPortal | None = None

    def __enter__(self) -> "BlockingGateway":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    @property
    def spent(self) -> Spent:
        return self._gateway.spent

    def ask(
        self,
        llm: Llm,
        price: Price | None,
        request: Request,
        *,
        owner: str = "",
        read: Read | None = None,
    ) -> GatewayReply:
        """As `Gateway.ask`."""
        if self._portal is None:
            self._portal = self._stack.enter_context(start_blocking_portal())
            self._stack.enter_context(self._portal.wrap_async_context_manager(self._gateway))
        return self._portal.call(
            partial(self._gateway.ask, llm, price, request, owner=owner, read=read)
        )
