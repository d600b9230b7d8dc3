"""How long one request is tried: what counts against it, how long it waits, and what is said in the
end.
"""

from llmops.tasks.calls.quota import Quota, Ticket
from llmops.tasks.endpoints.trouble import Garbled, Lost
from llmops.tasks.errors import TransientDocumentError, Unavailable
from llmops.tasks.plugins.llms import Busy, Llm

BACKOFF, LONGEST_BACKOFF = 0.5, 30.0
HINT = "check base_url and the service, and run again: what was paid for is kept"


class Patience:
    """Of one request. 429 and probes of a dead endpoint do not count against its retries: they are
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
