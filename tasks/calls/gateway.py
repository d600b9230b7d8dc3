"""The one way to a paid model, for every flow: remembered, within the budget, so many at once, the
same asked once.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, ExitStack, aclosing
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from anyio.from_thread import BlockingPortal, start_blocking_portal

from llmops.tasks import progress, stopping
from llmops.tasks.calls.budget import Budget, Budgets, Spent, most
from llmops.tasks.calls.cache import CallCache, Lookup, PaidCall, key_of, storable, usable_key
from llmops.tasks.calls.call import Call, ConnectedLlm, GatewayReply, Paid, Read, VectorCall
from llmops.tasks.calls.client import LlmClient
from llmops.tasks.calls.costs import Payer
from llmops.tasks.calls.direct import DirectCalls
from llmops.tasks.calls.prices import Price
from llmops.tasks.errors import DocumentError, Unavailable
from llmops.tasks.ledger import open_ledger
from llmops.tasks.plugins import canonical
from llmops.tasks.plugins.llms import Llm, Message, Reply, Request
from llmops.tasks.schemas import sha256

__all__ = ["BlockingGateway", "Gateway", "GatewayReply"]
WIDTH = 8
ATTEMPTS = 3
T = TypeVar("T")


class Gateway:
    """Use it as `async with Gateway(home, budget) as gateway`, within one event loop; leaving it
    waits for what is being written.

    At most `width` requests are under way or being written down. Remembered calls need neither
    budget nor place. `payer`: for whom the ledger notes what is paid.
    """

    def __init__(
        self,
        home: Path,
        budget: Budget | None = None,
        width: int = WIDTH,
        *,
        payer: Payer,
    ) -> None:
        self._home, self._budget, self._payer = home, budget or Budget(), payer
        self._places = asyncio.Semaphore(width)
        self._models: dict[str, ConnectedLlm] = {}
        self._opening = asyncio.Lock()
        self._flights: dict[str, asyncio.Task[tuple[Reply, bool]]] = {}
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> "Gateway":
        self._cache = CallCache(await asyncio.to_thread(open_ledger, self._home))
        self._direct = DirectCalls(self._cache, self._places, self._payer)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        flights = list(self._flights.values())
        for flight in flights if not stopping.asked() else ():  # what is under way is finished
            flight.cancel()
        await asyncio.gather(*flights, return_exceptions=True)
        await self._direct.close()
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
        budget: Budget | None = None,
    ) -> GatewayReply:
        """The reply, on disk before it is returned. Whoever asks the same while it is under way
        gets the same reply.

        `repeat`: which time this is asked; `shown`: (knowledge base, doc_id) of the passages in the
        messages; `owner`: the document that is asked about. With `read` only a reply that it can
        read is remembered, by the messages alone; a model is told of its mistake up to two times.
        `budget`: another one beside the gateway's, into which the call has to fit too.

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
        call = Call(
            model, price, request, Lookup(key, tuple(shown)), owner, read, self._budgets(budget)
        )
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

    async def pay(
        self,
        llm: Llm,
        price: Price | None,
        request: Request,
        *,
        read: Read,
        parts: Callable[[Reply, float], Sequence[PaidCall]],
    ) -> GatewayReply:
        """The reply to a call that is remembered in parts: what `parts` makes of it and of its cost
        is on disk before it is returned. Whoever asks has looked (`known`) for what is paid.
        Raises as `ask` does.
        """
        model = await self._connected(llm)
        call = Call(model, price, request, Lookup(""), "", read, self._budgets(None))
        call.budgets.check_price(llm, price)
        async with self._places:
            with stopping.call():
                reply = await self._usable(call, None)
                cost = call.cost(reply)
                await self.keep(parts(reply, cost))
        progress.count("usd", cost)
        return GatewayReply(reply, "", cached=False, cost_usd=cost)

    async def known(self, lookup: Lookup) -> Reply | None:
        """What is remembered of a call."""
        return await self._cache.known(lookup)

    async def keep(self, parts: Sequence[PaidCall]) -> None:
        """Returns when they are on disk. Raises Unavailable when the ledger cannot be written."""
        await asyncio.gather(*(self._cache.keep(each) for each in parts))

    async def ask_anew(
        self,
        llm: Llm,
        price: Price | None,
        request: Request,
        call_id: str,
        *,
        owner: str = "",
        budget: Budget | None = None,
        paid: Paid | None = None,
    ) -> GatewayReply:
        """The reply to a call that is neither looked up nor remembered, nor joined with a like one.
        In the ledger stand its tokens and its cost, without a text, by the hash of `call_id` and
        the `owner` (the 32 digits of a trace).

        `paid` is told what it came to before it is written down, also where the caller is cancelled
        in the middle: what the request and the pieces until then used is estimated (four bytes a
        token) and counted, unless the endpoint said it. A model that counts as down is not waited
        for. Raises as `ask` does.
        """
        call = await self._direct_call(llm, price, request, call_id, owner, budget)
        return await self._direct.ask(call, paid)

    async def stream(
        self,
        llm: Llm,
        price: Price | None,
        request: Request,
        call_id: str,
        *,
        owner: str = "",
        budget: Budget | None = None,
        paid: Paid | None = None,
    ) -> AsyncGenerator[str | GatewayReply, None]:
        """As `ask_anew`, the text in pieces, and last the reply. Closing the generator (`aclosing`)
        ends the call at the endpoint. A cut after the first piece raises TransientDocumentError.
        """
        call = await self._direct_call(llm, price, request, call_id, owner, budget)
        async with aclosing(self._direct.stream(call, paid)) as pieces:
            async for piece in pieces:
                yield piece

    async def vector(self, asked: VectorCall, work: Callable[[], Awaitable[T]], paid: Paid) -> T:
        """What the work gives, which asks an embedder that takes money: within the budgets, and in
        the ledger as a call. Raises BudgetReached, and what the work raises.
        """
        return await self._direct.vector(asked, self._budgets(asked.budget), work, paid)

    async def _direct_call(
        self,
        llm: Llm,
        price: Price | None,
        request: Request,
        call_id: str,
        owner: str,
        budget: Budget | None,
    ) -> Call:
        model, lookup = await self._connected(llm), Lookup(sha256(call_id))
        return Call(model, price, request, lookup, owner, None, self._budgets(budget))

    def _budgets(self, further: Budget | None) -> Budgets:
        return Budgets(self._budget, further) if further else Budgets(self._budget)

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
        call.budgets.check_price(call.model.llm, call.price)
        async with (
            self._places
        ):  # until the reply is on disk: a kill can lose no more replies than there are places
            with stopping.call():
                reply = await self._usable(call, known)
                cost = call.cost(reply)
                await self._cache.keep(
                    PaidCall(call.lookup.key, reply, cost, call.lookup.shown, call.owner)
                )
        progress.count("usd", cost)
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
        await call.budgets.reserve(reserved)
        try:
            reply = _dated(storable(await self._reach(call.model, request)))
        except DocumentError:
            call.budgets.settle(reserved, None)
            raise
        except BaseException:
            call.budgets.settle(reserved, None, asked=False)
            raise
        call.budgets.settle(reserved, reply, call.cost(reply))
        self._cache.owe(call.entry(self._payer, reply))
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

    def __init__(self, home: Path, budget: Budget | None = None, *, payer: Payer) -> None:
        self._gateway = Gateway(home, budget, payer=payer)
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
