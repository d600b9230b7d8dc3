"""How fast requests may follow each other: two token buckets, and a rate that learns from
refusals.

By hand, as the quota and the breaker beside it: no library learns a rate from refusals and shares
it over event loops and threads.
"""

from math import exp, inf

HORIZON = 5.0
"""Seconds over which the rate of accepted requests is measured."""
CUT, RECOVERY, LEAST, BETWEEN, FORGOTTEN, SLOWEST = 0.8, 0.1, 0.05, 2.0, 8.0, 0.5
"""A refusal cuts the rate to 0.8 of what was accepted, once in 2 s; it grows by 0.1 of that each
second, at least by 0.05 requests per second (additive increase, multiplicative decrease), and at 8
times of it nothing is learned any more. Never below one request in two seconds: a service that
allows less says so by Retry-After, which is kept."""
SHORTEST, ENOUGH = 0.25, 5.0
"""Seconds and requests: a rate measured over less is a guess."""
FIRST_PAUSE, LONGEST_PAUSE, AT_ONCE, BELIEVED = 0.5, 30.0, 0.001, 8
"""A service may say that the next request may come at once, and is believed 8 times until one
succeeds: some say so always."""


class Pace:
    """Times are those of one clock, in seconds. Requests are spaced evenly: in any minute there are
    at most as many as the limit.

    A request that waits holds a place of its own in the future (the generic cell rate algorithm,
    ITU-T I.371), so that nobody polls. A pause makes all places void (`epoch`): who waited asks for
    another one. Rates are learned in the time between pauses.
    """

    def __init__(self) -> None:
        self.requests_per_minute, self.tokens_per_minute = inf, inf
        self.epoch = 0
        self.paused_until = -inf
        self._paused, self._pauses, self._at_once = 0.0, 0, 0
        self._next_request = self._next_token = -inf
        self._learned, self._cut_at = inf, -inf
        self._accepted, self._tried, self._measured_at, self._first = 0.0, 0.0, 0.0, inf

    def limit(self, requests: float | None, tokens: float | None) -> None:
        """The stricter of what was said before and now."""
        self.requests_per_minute = min(self.requests_per_minute, requests or inf)
        self.tokens_per_minute = min(self.tokens_per_minute, tokens or inf)

    def reserve(self, tokens: float, now: float) -> float:
        """When a request of so many tokens may start."""
        start = max(now, self._next_request, self._next_token, self.paused_until)
        self._next_request = start + 1 / self.rate(now)
        self._next_token = start + 60 * tokens / self.tokens_per_minute
        return start

    def settle(self, reserved: float, used: float) -> None:
        """The real number of tokens of a request that has been answered."""
        self._next_token += 60 * (used - reserved) / self.tokens_per_minute

    def started(self, now: float) -> float:
        """The moment in the time without pauses. Until a request is refused it counts as
        accepted.
        """
        self._first = min(self._first, self._active(now))
        self._measure(now, 1.0, 1.0)
        return self._active(now)

    def rate(self, now: float) -> float:
        """Requests per second that are allowed now."""
        if self._learned == inf:
            return self.requests_per_minute / 60
        grown = self._learned + max(RECOVERY * self._learned, LEAST) * (
            self._active(now) - self._cut_at
        )
        if grown >= FORGOTTEN * self._learned:
            self._learned = inf
        return min(self.requests_per_minute / 60, grown)

    def refused(self, sent: float, active: float, now: float, after: float | None) -> None:
        """A request that started at `sent`, `active` without pauses, was refused with 429:
        everybody waits `after` seconds, else longer each time."""
        self._measure(now, -exp((active - self._active(now)) / HORIZON), 0.0)
        if after is not None and after <= AT_ONCE:
            self._at_once += 1
            if self._at_once <= BELIEVED:
                return
            after = None
        if sent < self.paused_until and after is None:
            return  # it was on its way when the pause began, which is for it as well
        if sent >= self.paused_until:
            self._pauses += 1
        pause = (
            min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** (self._pauses - 1)) if after is None else after
        )
        self._cut(active, now)
        self._pause(now + pause, now)

    def passed(self) -> None:
        """A request was answered: the next pause is a short one again."""
        self._pauses = self._at_once = 0

    def _active(self, now: float) -> float:
        """A moment in the time that stands still in pauses."""
        return now - self._paused + max(0.0, self.paused_until - now)

    def _measure(self, now: float, accepted: float, tried: float) -> None:
        active = self._active(now)
        faded = exp((self._measured_at - active) / HORIZON)
        self._accepted, self._tried = (
            max(0.0, self._accepted * faded + accepted),
            self._tried * faded + tried,
        )
        self._measured_at = active

    def _pause(self, until: float, now: float) -> None:
        if until <= self.paused_until:
            return
        self._paused += until - max(self.paused_until, now)
        self.paused_until = until
        self._next_request = self._next_token = max(until, now + 1 / self.rate(now))
        self.epoch += 1

    def _cut(self, sent: float, now: float) -> None:
        active = self._active(now)
        if sent < self._cut_at or active - self._cut_at < BETWEEN or self._tried < ENOUGH:
            return
        age = max(SHORTEST, active - self._first)
        measured = self._accepted / (HORIZON * (1 - exp(-age / HORIZON)))
        self._learned, self._cut_at = max(SLOWEST, CUT * min(self.rate(now), measured)), active
