"""A client with patience: limits, retries and a circuit breaker around the attempts of a
connection.
"""

import asyncio
import threading
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from types import TracebackType
from typing import Self, TypeVar

from llmops.tasks.endpoints.patience import Failed, Tried, in_time, patiently, uncounted
from llmops.tasks.endpoints.quota import Clock, Quota, Ticket, quota_of
from llmops.tasks.endpoints.trouble import Bill, Busy, Withheld
from llmops.tasks.errors import TransientDocumentError
from llmops.tasks.plugins.llms import Connection, Llm, Reply, Request

ASSUMED_REPLY = 256
"""Tokens of a reply whose length nobody limits, until the real number is known."""
TURN = 0.02
"""Seconds between two looks at whether it is one's turn."""
HERE = threading.Lock()
T = TypeVar("T")


@asynccontextmanager
async def _turn(llm: Llm) -> AsyncIterator[None]:
    """Of the models that run in this process, whatever event loop asks them: the time of a request
    counts once nobody is before it.
    """
    if not llm.one_at_a_time:
        yield
        return
    while not HERE.acquire(blocking=False):
        await asyncio.sleep(TURN)
    try:
        yield
    finally:
        HERE.release()


class LlmClient:
    """`async with LlmClient(llm) as client: reply = await client.ask(request)`. Any number of
    requests may be under way at once.

    Clients of the same endpoint, key and model share their limits within the process. `clock`:
    another time, with a quota of its own.
    """

    def __init__(self, llm: Llm, *, clock: Clock | None = None) -> None:
        self.llm = llm
        self.quota = Quota(clock) if clock else quota_of(llm)
        self._opened: AbstractAsyncContextManager[Connection] | None = None
        self._connection: Connection | None = None

    async def __aenter__(self) -> Self:
        self.quota.join(self.llm)
        self._opened = self.llm.connect()
        self._connection = await self._opened.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        opened, self._opened, self._connection = self._opened, None, None
        if opened:
            await opened.__aexit__(kind, error, trace)

    async def ask(
        self, request: Request, *, waits: bool = True, failed: Failed = uncounted
    ) -> Reply:
        """The reply, after as many attempts as it takes. Without `waits` an endpoint that counts as
        down is not waited for. `failed` is told what attempts used that failed.

        Raises DocumentError when the model refuses this request, TransientDocumentError when it
        still fails after its retries or its patience, Unavailable when no request will succeed: the
        key, the model or the address is wrong, or nobody answers.
        """
        connection = self._open()
        async with _turn(self.llm):
            reply, ticket, attempts, seconds = await self._patiently(
                request, lambda: connection.ask(request), waits, failed
            )
        self.quota.succeeded(ticket, reply.tokens_in + reply.tokens_out)
        return reply.model_copy(update={"latency_ms": 1000 * seconds, "attempts": attempts})

    def remembered(self) -> None:
        """A reply of this model is known from another time: it has answered before, so a reply that
        cannot be read is no wrong address.
        """
        self.quota.remembered()

    def renew(self) -> None:
        """Ask again, although no request would have succeeded: it may have been mended."""
        self.quota.join(self.llm)

    async def stream(
        self, request: Request, *, waits: bool = True, failed: Failed = uncounted
    ) -> AsyncGenerator[str | Reply, None]:
        """The text in pieces, and last the reply; its `latency_ms` counts until then. Until the
        first piece it is tried again as `ask` does; later a cut raises TransientDocumentError.
        """
        async with _turn(self.llm), aclosing(self._streamed(request, waits, failed)) as pieces:
            async for piece in pieces:
                yield piece

    async def _streamed(
        self, request: Request, waits: bool, failed: Failed
    ) -> AsyncGenerator[str | Reply, None]:
        connection = self._open()

        async def begin() -> tuple[AsyncIterator[str | Reply], str | Reply | None]:
            pieces = connection.stream(request)
            return pieces, await anext(pieces, None)

        (pieces, piece), ticket, attempts, seconds = await self._patiently(
            request, begin, waits, failed
        )
        self.quota.succeeded(ticket, 0)  # it lives: others need not wait for the end of this
        began, text, reply = time.perf_counter() - seconds, list[str](), None
        async with aclosing(pieces):  # type: ignore[type-var]  # connections make generators
            while piece is not None:
                if isinstance(piece, Reply):
                    reply = piece
                else:
                    text.append(piece)
                    yield piece
                piece = await self._next(pieces, ticket, text, failed)
        reply = reply or Reply(text="".join(text))
        self.quota.succeeded(ticket, reply.tokens_in + reply.tokens_out)
        spent = 1000 * (time.perf_counter() - began)
        yield reply.model_copy(update={"latency_ms": spent, "attempts": attempts})

    async def _next(
        self,
        pieces: AsyncIterator[str | Reply],
        ticket: Ticket,
        received: Sequence[str],
        failed: Failed,
    ) -> str | Reply | None:
        try:
            return await in_time(self.llm, lambda: anext(pieces, None))
        except Withheld as error:
            failed(error.bill)
            raise
        except Busy as busy:
            said = busy.bill and busy.bill.tokens
            failed(Bill(said, "".join(received)))
            self.quota.failed(ticket, busy)
            raise TransientDocumentError(
                f"{busy.said}; a part of the text had been received"
            ) from busy

    async def _patiently(
        self, request: Request, attempt: Callable[[], Awaitable[T]], waits: bool, failed: Failed
    ) -> Tried[T]:
        return await patiently(
            self.llm,
            self.quota,
            attempt,
            tokens=self._tokens(request),
            waits=waits,
            failed=failed,
        )

    def _tokens(self, request: Request) -> float:
        """About how many tokens the request and its reply have; counted only where that is
        limited.
        """
        if self.llm.tokens_per_minute is None:
            return 0.0
        reply = (
            request.parameters.get("max_tokens")
            or getattr(self.llm, "max_tokens", None)
            or ASSUMED_REPLY
        )
        return sum(4 + len(message.content.encode()) / 4 for message in request.messages) + float(
            reply
        )

    def _open(self) -> Connection:
        if self._connection is None:
            raise RuntimeError("a client is used inside `async with`")
        return self._connection
