"""How many requests a key may make: a bucket of tokens for each, in the process."""

import threading
import time
from collections.abc import Callable
from typing import NamedTuple

MOST = 10_000
"""Buckets that are held at once."""
SPARED = 0.9
"""The share that is left when there are too many: so that it is not done again at once."""


class Bucket(NamedTuple):
    """`left`: requests that may come at once, at the moment `at`; `full`: how many there are at
    most.
    """

    left: float
    at: float
    full: int

    def at_time(self, now: float) -> float:
        """What is there by then: a minute fills it."""
        return min(float(self.full), self.left + (now - self.at) * self.full / 60)


class RequestPace:
    """Token buckets by name, such as a key's id. Each holds a minute's requests: so many may come
    at once, and as many in the minute after.

    Memory is bounded: full buckets are forgotten, which changes nothing, then the oldest ones.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, most: int = MOST) -> None:
        self._clock, self._most = clock, most
        self._buckets: dict[str, Bucket] = {}
        self._lock = threading.Lock()

    def take(self, name: str, per_minute: int | None) -> float:
        """0.0 where a request may go on, else the seconds after which one may; None: no limit."""
        if per_minute is None:
            return 0.0
        with self._lock:
            now = self._clock()
            held = self._buckets.pop(name, None) or Bucket(float(per_minute), now, per_minute)
            left = held.at_time(now)
            may = left >= 1
            self._buckets[name] = Bucket(left - 1 if may else left, now, per_minute)
            if len(self._buckets) > self._most:
                self._forget(now)
        return 0.0 if may else (1 - left) * 60 / per_minute

    def _forget(self, now: float) -> None:
        for name in [
            name for name, held in self._buckets.items() if held.at_time(now) >= held.full
        ]:
            del self._buckets[name]
        while len(self._buckets) > self._most * SPARED:
            del self._buckets[next(iter(self._buckets))]  # the one that was used longest ago
