"""Of more exchanges than can be read: whole units (people, else conversations), the same ones in
every look.
"""

import heapq
from collections import Counter, defaultdict
from collections.abc import Iterable
from hashlib import sha256

from llmops.tasks.monitoring.sampling import unit_of
from llmops.tasks.monitoring.traffic import Exchange

EACH = 200
"""Exchanges of one unit that are read: one busy client is not the window."""
WHOLE = 2**64


def rank(unit: str) -> int:
    """The place of a unit in the order in which units are drawn: of its name alone, below WHOLE."""
    return int.from_bytes(sha256(unit.encode("utf-8", "surrogatepass")).digest()[:8])


def bound(units: Iterable[str], most: int) -> int:
    """The rank below which units have at most so many exchanges together, of each EACH at most, and
    the unit of lowest rank in any case. `units`: one for every exchange.
    """
    counts = Counter(units)
    ranked = sorted((rank(unit), min(count, EACH)) for unit, count in counts.items())
    total = 0
    for place, (at, count) in enumerate(ranked):
        total += count
        if total > most and place:
            return at
    return WHOLE


class UnitSample:
    """At most so many exchanges, of the units of lowest rank; memory does not grow beyond them."""

    def __init__(self, most: int) -> None:
        self._most, self._total = most, 0
        self._units: dict[str, list[Exchange]] = defaultdict(list)
        self._highest: list[tuple[int, str]] = []
        self._below = WHOLE

    def add(self, exchange: Exchange) -> None:
        unit = unit_of(exchange)
        if (at := rank(unit)) >= self._below:
            return
        if unit not in self._units:
            heapq.heappush(self._highest, (-at, unit))
        if len(self._units[unit]) < EACH:
            self._units[unit].append(exchange)
            self._total += 1
        while self._total > self._most and len(self._highest) > 1:
            above, gone = heapq.heappop(self._highest)
            self._total -= len(self._units.pop(gone))
            self._below = -above

    def exchanges(self) -> list[Exchange]:
        """Those that are kept, the oldest first."""
        every = (each for unit in self._units.values() for each in unit)
        return sorted(every, key=lambda each: (each.at, each.id))
