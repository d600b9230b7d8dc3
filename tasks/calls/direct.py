"""Calls that are asked anew each time, whole or in pieces. They stand in the ledger by their tokens
and their cost alone: what was said belongs to the trace.
"""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from llmops.tasks.calls.budget import Budgets, most
from llmops.tasks.calls.cache import CallCache, PaidCall, storable
from llmops.tasks.calls.call import Call, GatewayReply, Paid, VectorCall
from llmops.tasks.calls.costs import CostEntry, Payer
from llmops.tasks.endpoints.trouble import Bill
from llmops.tasks.errors import DocumentError, LlmopsError, Unavailable
from llmops.tasks.plugins.llms import Reply, Request
from llmops.tasks.schemas import sha256

log = logging.getLogger(__name__)
REST = 15.0
"""Seconds after which a model that no request could reach is tried again."""
BYTES_PER_TOKEN, FRAME = 4, 4
"""Where an endpoint did not say how many tokens a call had: of UTF-8 text, and around a message."""
BROKEN_OFF = "cancelled"
T = TypeVar("T")


@dataclass
class Receipt:
    """What came of a call so far. `bills`: of its attempts that failed."""

    call: Call
    received: list[str] = field(default_factory=list)
    reply: Reply | None = None
    bills: list[Bill] = field(default_factory=list)

    def failed(self, bill: Bill) -> None:
        """What was received was of this attempt."""
        self.bills.append(bill)
        self.received.clear()

    def counted(self, finish: str, *, ended: bool = False) -> Reply:
        """The reply with the tokens of all attempts, estimated where the endpoint did not say them.
        `ended`: the last one is among those that failed.
        """
        reply = self.reply or Reply(text="".join(self.received), finish=finish)
        said = (reply.tokens_in, reply.tokens_out)
        last = [] if ended else [Bill(said if any(said) else None, reply.text)]
        tokens = [self._tokens(bill) for bill in (*self.bills, *last)]
        used = {"tokens_in": sum(n for n, _ in tokens), "tokens_out": sum(n for _, n in tokens)}
        return reply.model_copy(update=used)

    def _tokens(self, bill: Bill) -> tuple[int, int]:
        written = -(-len(bill.received.encode("utf-8", "replace")) // BYTES_PER_TOKEN)
        return bill.tokens or (estimated_size(self.call.request), written)


def estimated_size(request: Request) -> int:
    """About how many tokens a request has."""
    sizes = (len(message.content.encode("utf-8", "replace")) for message in request.messages)
    return sum(FRAME + -(-size // BYTES_PER_TOKEN) for size in sizes)


class DirectCalls:
    """Within one event loop, beside the remembered calls of a gateway and in the same places."""

    def __init__(self, cache: CallCache, places: asyncio.Semaphore, payer: Payer) -> None:
        self._cache, self._places, self._payer = cache, places, payer
        self._writing = set[asyncio.Task[None]]()

    async def ask(self, call: Call, paid: Paid | None) -> GatewayReply:
        """The whole reply."""
        async with self._places, self._billed(call, paid) as receipt, _noticed(call):
            asked = call.model.client.ask(call.request, waits=False, failed=receipt.failed)
            receipt.reply = storable(await asked)
        return _reply(call, receipt.counted("stop"))

    async def stream(
        self, call: Call, paid: Paid | None
    ) -> AsyncGenerator[str | GatewayReply, None]:
        """The text in pieces, and last the reply."""
        async with (
            self._places,
            self._billed(call, paid) as receipt,
            _noticed(call),
            aclosing(
                call.model.client.stream(call.request, waits=False, failed=receipt.failed)
            ) as pieces,
        ):
            async for piece in pieces:
                if isinstance(piece, Reply):
                    receipt.reply = storable(piece)
                elif piece:
                    receipt.received.append(piece)
                    yield piece
        yield _reply(call, receipt.counted("stop"))

    async def vector(
        self, asked: VectorCall, budgets: Budgets, work: Callable[[], Awaitable[T]], paid: Paid
    ) -> T:
        """What the work gives, once the budgets allow it."""
        await budgets.reserve(asked.cost)
        reply = None
        try:
            found = await work()
            reply = Reply(text="", tokens_in=asked.tokens)
            return found
        except LlmopsError:
            raise
        except BaseException:  # whoever asked is gone; the endpoint goes on
            reply = Reply(text="", tokens_in=asked.tokens, finish=BROKEN_OFF)
            raise
        finally:
            budgets.settle(asked.cost, reply, asked.cost if reply else 0.0)
            if reply:
                key = sha256(asked.call_id)
                paid(GatewayReply(reply, key, cached=False, cost_usd=asked.cost))
                entry = CostEntry(self._payer, asked.model, asked.tokens, asked.cost, asked.priced)
                await self._written(key, asked.owner, reply, entry)

    async def close(self) -> None:
        """Waits for what is being written."""
        await asyncio.gather(*self._writing, return_exceptions=True)

    @asynccontextmanager
    async def _billed(self, call: Call, paid: Paid | None) -> AsyncIterator[Receipt]:
        """Inside, the call is made; then it is settled and written down, however it ended."""
        call.budgets.check_price(call.model.llm, call.price)
        reserved = most(call.model.llm, call.price, call.request)
        await call.budgets.reserve(reserved)
        receipt, reply = Receipt(call), None
        try:
            yield receipt
            reply = receipt.counted("stop")
        except (DocumentError, LlmopsError):
            if receipt.received or receipt.bills:
                reply = receipt.counted(BROKEN_OFF, ended=not receipt.received)
            raise
        except BaseException:  # whoever asked is gone: the model may have begun, and is paid
            reply = receipt.counted(BROKEN_OFF)
            raise
        finally:
            if reply is None:
                call.budgets.settle(reserved, None)
            else:
                call.budgets.settle(reserved, reply, call.cost(reply))
                if paid:
                    paid(_reply(call, reply))
                entry = call.entry(self._payer, reply)
                await self._written(call.lookup.key, call.owner, reply, entry)

    async def _written(self, key: str, owner: str, reply: Reply, paid: CostEntry) -> None:
        """On disk when it returns; also where the caller is cancelled meanwhile."""
        self._cache.owe(paid)
        plain = reply.model_copy(
            update={"text": "", "tool_calls": (), "asked_at": round(time.time(), 3)}
        )
        entry = PaidCall(key, plain, paid.cost_usd, (), owner)
        task = asyncio.create_task(self._keep(entry))
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)
        await asyncio.shield(task)

    async def _keep(self, entry: PaidCall) -> None:
        """An answer that is paid is given, also where its cost cannot be written down."""
        try:
            await self._cache.keep(entry)
        except LlmopsError as error:
            log.error("a call of $%.6f is not in the ledger: %s", entry.cost_usd, error)


def _reply(call: Call, reply: Reply) -> GatewayReply:
    return GatewayReply(reply, call.lookup.key, cached=False, cost_usd=call.cost(reply))


@asynccontextmanager
async def _noticed(call: Call) -> AsyncIterator[None]:
    """A model that cannot be reached is tried again after a while: a server outlives outages."""
    model, now = call.model, time.monotonic()
    if model.failed_at is not None and now - model.failed_at > REST:
        model.failed_at = None
        model.client.renew()
    try:
        yield
    except Unavailable:
        model.failed_at = model.failed_at or now
        raise
    model.failed_at = None
