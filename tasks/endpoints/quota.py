"""What all clients of one endpoint, key and model share within a process, in whatever event loop or
thread they run.
"""

import asyncio
import random
import threading
import time
from dataclasses import dataclass
from math import inf
from typing import Protocol

from llmops.tasks.endpoints.breaker import Breaker
from llmops.tasks.endpoints.pace import LONGEST_PAUSE, Pace
from llmops.tasks.endpoints.trouble import Busy, Lost
from llmops.tasks.errors import Unavailable
from llmops.tasks.stopping import check

LOOK_SECONDS = 0.25
"""Between two looks whether the run is asked to stop."""


class CallLimits(Protocol):
    """What is asked, and how patiently: a model, or whatever else is asked over HTTP. `quota`:
    those of one name share limits, pauses and the circuit breaker. `timeout`: seconds of one
    attempt. `retries`, `patience`: as `Llm` has them.
    """

    @property
    def quota(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def requests_per_minute(self) -> int | None: ...
    @property
    def tokens_per_minute(self) -> int | None: ...
    @property
    def timeout(self) -> float: ...
    @property
    def retries(self) -> int: ...
    @property
    def patience(self) -> float: ...


class Clock:
    """The real ones."""

    def now(self) -> float:
        """Seconds; never backwards."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Raises Stopped where the run is asked to stop meanwhile."""
        end = self.now() + seconds
        while (rest := end - self.now()) > 0:
            check()
            await asyncio.sleep(min(rest, LOOK_SECONDS))

    def jitter(self, most: float) -> float:
        """Between 0 and `most`, so that requests that failed together do not come back together
        (full jitter).
        """
        return random.uniform(0, most)


@dataclass
class Ticket:
    """The leave to send one attempt. `sent`: when it was given; `active`: the same in the pace's
    time without pauses.
    """

    who: int
    tokens: float
    sent: float = 0.0
    active: float = 0.0
    probe: bool = False


class Quota:
    """Limits, pauses and the circuit breaker. Only arithmetic is done under the lock; whoever has
    to wait sleeps outside of it.
    """

    def __init__(self, clock: Clock | None = None) -> None:
        self.clock = clock or Clock()
        self.pace, self.breaker = Pace(), Breaker()
        self._lock = threading.Lock()
        self._asked, self._remembered = 0, False

    def join(self, limits: CallLimits) -> None:
        """Another client: the strictest limits hold for all."""
        with self._lock:
            self.pace.limit(limits.requests_per_minute, limits.tokens_per_minute)
            self.breaker.renew()

    def number(self) -> int:
        """A name for a request."""
        with self._lock:
            self._asked += 1
            return self._asked

    async def enter(
        self, who: int, tokens: float, *, waits: bool = True, patience: float = inf
    ) -> Ticket:
        """Waits for the turn of an attempt. Raises Unavailable when there will be none, and where
        the service has asked for a pause that is longer than `patience` and any of ours; without
        `waits` also while the endpoint counts as down and another request tries it.
        """
        ticket = Ticket(who, tokens)
        start, epoch = -1.0, -1
        while True:
            with self._lock:
                now = self.clock.now()
                pause = self.breaker.wait(now)
                if pause and not waits and self.breaker.open:
                    raise Unavailable("the endpoint is down", hint="it is tried again soon")
                if (asked := self.pace.paused_until - now) > max(patience, LONGEST_PAUSE):
                    raise Unavailable(
                        f"the service has asked to wait {asked:.0f} s more; the patience is "
                        f"{patience:g} s",
                        hint="try again later, or set more patience",
                    )
                if not pause and (epoch != self.pace.epoch):
                    start, epoch = self.pace.reserve(tokens, now), self.pace.epoch
                if not pause and start <= now:
                    return self._leave(ticket, now)
                if pause:
                    epoch = (
                        -1
                    )  # the place in the row is given up: all who waited would otherwise go at once
            await self.clock.sleep(pause or start - now)

    def _leave(self, ticket: Ticket, now: float) -> Ticket:
        ticket.sent, ticket.probe = now, self.breaker.start(now)
        ticket.active = self.pace.started(now)
        return ticket

    def succeeded(self, ticket: Ticket, used: int) -> None:
        """`used`: tokens of request and reply; 0: nobody said."""
        with self._lock:
            self.breaker.answered(self.clock.now(), success=True)
            self.pace.passed()
            if used:
                self.pace.settle(ticket.tokens, used)

    def refused(self, _ticket: Ticket) -> None:
        """The endpoint does not want this request, and said so."""
        with self._lock:
            self.breaker.answered(self.clock.now(), success=False)

    def failed(self, ticket: Ticket, busy: Busy) -> None:
        with self._lock:
            now = self.clock.now()
            if busy.limited:
                self.breaker.answered(now, success=False)
                self.pace.refused(ticket.sent, ticket.active, now, busy.after)
            else:
                who = None if isinstance(busy, Lost) else ticket.who
                self.breaker.failed(who, now, busy.said, probe=ticket.probe)

    def doom(self, error: Unavailable) -> None:
        with self._lock:
            self.breaker.doom(error)

    def gone(self, ticket: Ticket) -> None:
        """The caller gave up."""
        with self._lock:
            self.breaker.gone(probe=ticket.probe)

    def succeeded_since(self, moment: float) -> bool:
        with self._lock:
            return self.breaker.succeeded_at is not None and self.breaker.succeeded_at >= moment

    def remembered(self) -> None:
        """It has answered in another process. The breaker is not told: whether the service lives
        now is another question.
        """
        with self._lock:
            self._remembered = True

    @property
    def proven(self) -> bool:
        """Whether it has ever answered, so that it is no wrong address."""
        return self._remembered or self.breaker.succeeded_at is not None


QUOTAS: dict[str, Quota] = {}
QUOTAS_LOCK = threading.Lock()


def quota_of(limits: CallLimits) -> Quota:
    """The quota that is shared with every other of the same name."""
    with QUOTAS_LOCK:
        return QUOTAS.setdefault(limits.quota, Quota())
