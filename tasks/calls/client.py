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

from llmops.tasks.calls.quota import Clock, Quota, Ticket, quota_of
from llmops.tasks.endpoints.trouble import Bill, Busy, Garbled, Lost, Page, Withheld
from llmops.tasks.errors import DocumentError, TransientDocumentError, Unavailable
from llmops.tasks.plugins.llms import Connection, Llm, Reply, Request

ASSUMED_REPLY = 256
"""Tokens of a reply whose length nobody limits, until the real number is known."""
BACKOFF, LONGEST_BACKOFF = 0.5, 30.0
HINT = "check base_url and the service, and run again: what was paid for is kept"
TURN = 0.02
"""Seconds between two looks at whether it is one's turn."""
HERE = threading.Lock()
T = TypeVar("T")
Failed = Callable[[Bill], None]
"""Is told what an attempt used that failed."""


def uncounted(bill: Bill) -> None:
    """For whoever counts replies alone."""


class Patience:
    """How long one request is tried: what counts against it, how long it waits, and what is said in
    the end. 429 and probes of a dead endpoint do not count against its retries: they are
    no fault of its own.
    """

    def __init__(self, llm: Llm, quota: Quota) -> None:
        self.llm, self.quota, self.who = llm, quota, quota.number()
        self.attempts = 0
        self._failures = self._garbled = 0
        self._began: float | None = None

    def pause(self, busy: Busy, ticket: Ticket) -> float:
        """Seconds until the next attempt, with full jitter. Raises TransientDocumentError or
        Unavailable when there is none.
        """
        if self._began is None:
            self._began = ticket.sent
        left = self._began + self.llm.patience - self.quota.clock.now()
        if left <= 0 or (busy.after or 0.0) > left:
            raise self._exhausted(busy)
        self._count(busy, ticket)
        spread = self.quota.clock.jitter(min(1.0, 1.0 if busy.after is None else busy.after))
        if busy.limited:
            return spread  # the pause itself is the quota's, for all
        if busy.after is not None:
            return min(left, busy.after + spread)
        return min(
            left,
            self.quota.clock.jitter(
                min(LONGEST_BACKOFF, BACKOFF * 2.0 ** max(0, self._failures - 1))
            ),
        )

    def _count(self, busy: Busy, ticket: Ticket) -> None:
        if self.llm.retries and (busy.limited or ticket.probe):
            return
        self._failures += 1
        self._garbled += isinstance(busy, Garbled)
        if self._failures > self.llm.retries or self._garbled > 1:
            raise self._given_up(busy)

    def _given_up(self, busy: Busy) -> Exception:
        said = f"{busy.said}; tried {self.attempts} times"
        if isinstance(busy, Lost):
            return Unavailable(said, hint=HINT)
        if isinstance(busy, Garbled) and not self.quota.proven:
            return Unavailable(said, hint=busy.hint)
        return TransientDocumentError(said)

    def _exhausted(self, busy: Busy) -> Exception:
        asks = f"; it asks to wait {busy.after:g} s" if busy.after else ""
        said = (
            f"{busy.said}{asks}; tried {self.attempts} times, the patience of "
            f"{self.llm.patience:g} s is used up"
        )
        if self.quota.succeeded_since(self._began or 0.0) and not asks:
            return TransientDocumentError(said)
        return Unavailable(
            said,
            hint="run again later: what was paid for is kept; or set requests_per_minute, or "
            "more patience",
        )


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
            reply, ticket, patience, seconds = await self._patiently(
                request, lambda: connection.ask(request), waits, failed
            )
        self.quota.succeeded(ticket, reply.tokens_in + reply.tokens_out)
        return reply.model_copy(
            update={"latency_ms": 1000 * seconds, "attempts": patience.attempts}
        )

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

        (pieces, piece), ticket, patience, seconds = await self._patiently(
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
        yield reply.model_copy(update={"latency_ms": spent, "attempts": patience.attempts})

    async def _next(
        self,
        pieces: AsyncIterator[str | Reply],
        ticket: Ticket,
        received: Sequence[str],
        failed: Failed,
    ) -> str | Reply | None:
        try:
            return await self._in_time(lambda: anext(pieces, None))
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
    ) -> tuple[T, Ticket, Patience, float]:
        """What the attempt gives that succeeds, and how many seconds it took."""
        patience = Patience(self.llm, self.quota)
        tokens = self._tokens(request)
        while True:
            ticket = await self.quota.enter(patience.who, tokens, waits=waits)
            patience.attempts += 1
            began = time.perf_counter()
            try:
                return await self._in_time(attempt), ticket, patience, time.perf_counter() - began
            except Busy as busy:
                if busy.bill is not None:
                    failed(busy.bill)
                if isinstance(busy, Page) and not self.quota.proven:
                    raise self._doomed(busy) from busy
                self.quota.failed(ticket, busy)
                pause = patience.pause(busy, ticket)
            except Unavailable as error:
                self.quota.doom(error)
                raise
            except DocumentError as error:
                if isinstance(error, Withheld):
                    failed(error.bill)
                self.quota.refused(ticket)
                raise
            except BaseException:
                self.quota.gone(ticket)
                raise
            await self.quota.clock.sleep(pause)

    def _doomed(self, page: Page) -> Unavailable:
        error = Unavailable(page.said, hint=page.hint)
        self.quota.doom(error)
        return error

    async def _in_time(self, attempt: Callable[[], Awaitable[T]]) -> T:
        try:
            async with asyncio.timeout(self.llm.timeout):
                return await attempt()
        except TimeoutError as error:
            said = f"{self.llm.title} gave no answer within {self.llm.timeout:g} s"
            raise Busy(said, bill=Bill()) from error

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
