"""One request, tried until it succeeds or nothing more can be hoped for: within the limits, the
pauses and the circuit breaker that all requests to one endpoint share.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Generic, NamedTuple, TypeVar

from llmops.tasks.endpoints.quota import CallLimits, Quota, Ticket
from llmops.tasks.endpoints.trouble import Bill, Busy, Garbled, Lost, Page, Withheld
from llmops.tasks.errors import DocumentError, TransientDocumentError, Unavailable

BACKOFF, LONGEST_BACKOFF = 0.5, 30.0
HINT = "check base_url and the service, and run again: what was paid for is kept"
T = TypeVar("T")
Failed = Callable[[Bill], None]
"""Is told what an attempt used that failed."""


def uncounted(bill: Bill) -> None:
    """For whoever counts what succeeded alone."""


class Patience:
    """How long one request is tried: what counts against it, how long it waits, and what is said in
    the end. 429 and probes of a dead endpoint do not count against its retries: they are
    no fault of its own.
    """

    def __init__(self, limits: CallLimits, quota: Quota) -> None:
        self.limits, self.quota, self.who = limits, quota, quota.number()
        self.attempts = 0
        self._failures = self._garbled = 0
        self._began: float | None = None

    def pause(self, busy: Busy, ticket: Ticket) -> float:
        """Seconds until the next attempt, with full jitter. Raises TransientDocumentError or
        Unavailable when there is none.
        """
        if self._began is None:
            self._began = ticket.sent
        left = self._began + self.limits.patience - self.quota.clock.now()
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
        if self.limits.retries and (busy.limited or ticket.probe):
            return
        self._failures += 1
        self._garbled += isinstance(busy, Garbled)
        if self._failures > self.limits.retries or self._garbled > 1:
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
            f"{self.limits.patience:g} s is used up"
        )
        if self.quota.succeeded_since(self._began or 0.0) and not asks:
            return TransientDocumentError(said)
        return Unavailable(
            said,
            hint="run again later: what was paid for is kept; or set requests_per_minute, or "
            "more patience",
        )


class Tried(NamedTuple, Generic[T]):
    """What the attempt gave that succeeded, and how many seconds it took. Whoever knows how many
    tokens it used tells the quota, by its ticket.
    """

    value: T
    ticket: Ticket
    attempts: int
    seconds: float


async def patiently(
    limits: CallLimits,
    quota: Quota,
    attempt: Callable[[], Awaitable[T]],
    *,
    tokens: float = 0.0,
    waits: bool = True,
    failed: Failed = uncounted,
) -> Tried[T]:
    """As many attempts as it takes. `tokens`: of the request and its reply, about. Without `waits`
    an endpoint that counts as down is not waited for.

    Raises DocumentError for a request that is refused, TransientDocumentError where it still fails
    after its retries or its patience, Unavailable when no request will succeed: the key, the model
    or the address is wrong, or nobody answers.
    """
    patience = Patience(limits, quota)
    while True:
        ticket = await quota.enter(patience.who, tokens, waits=waits, patience=limits.patience)
        patience.attempts += 1
        began = time.perf_counter()
        try:
            value = await in_time(limits, attempt)
            return Tried(value, ticket, patience.attempts, time.perf_counter() - began)
        except Busy as busy:
            if busy.bill is not None:
                failed(busy.bill)
            if isinstance(busy, Page) and not quota.proven:
                raise _doomed(quota, busy) from busy
            quota.failed(ticket, busy)
            pause = patience.pause(busy, ticket)
        except Unavailable as error:
            quota.doom(error)
            raise
        except DocumentError as error:
            if isinstance(error, Withheld):
                failed(error.bill)
            quota.refused(ticket)
            raise
        except BaseException:
            quota.gone(ticket)
            raise
        await quota.clock.sleep(pause)


def _doomed(quota: Quota, page: Page) -> Unavailable:
    error = Unavailable(page.said, hint=page.hint)
    quota.doom(error)
    return error


async def in_time(limits: CallLimits, attempt: Callable[[], Awaitable[T]]) -> T:
    """What the attempt gives. Raises Busy where it takes longer than one may."""
    try:
        async with asyncio.timeout(limits.timeout):
            return await attempt()
    except TimeoutError as error:
        said = f"{limits.title} gave no answer within {limits.timeout:g} s"
        raise Busy(said, bill=Bill()) from error
