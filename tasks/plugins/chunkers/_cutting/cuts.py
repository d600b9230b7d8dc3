"""Which borders become cuts, so that an edit moves only the cuts beside it.

The strongest border of the whole text is cut first, then the strongest of each half, and so on, as
in a treap: the order of insertion plays no part, so an edit far away changes nothing. Parts of at
most REGION limits are then filled from left to right with the strongest border of each window,
which keeps chunks full; their few chunks bound what an edit can move.
"""

from bisect import bisect_left
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from llmops.tasks.plugins.chunkers._cutting.strength import Grades, Strengths
from llmops.tasks.texts.characters import Array

REGION, MARGIN, LEAST, SHORTEST = 2.8, 0.5, 0.72, 0.22
"""As multiples of the limit: the longest part that is filled from left to right, how far from the
ends of a part its first cut must be, the least of a chunk that has a choice, and of one of the last
two of a part. Found by simulating insertions into 14 documents; a shorter REGION changes less and
fills less, an overall shortest path fills 86 % and changes up to 26."""


@dataclass(frozen=True)
class BorderLine:
    """Borders along a text: `places` in tokens, ascending, with the text's length as one more;
    `strengths` comparable.
    """

    places: Array
    strengths: Strengths | Grades
    limit: int

    @cached_property
    def _spots(self) -> list[int]:
        """The places: to look one up in a list takes a tenth of the time."""
        spots: list[int] = self.places.tolist()
        return spots

    def cuts(self) -> list[int]:
        """Numbers of the borders at which chunks begin, ascending; the first is 0. Chunks have at
        most `limit` tokens, unless a single gap between borders has more."""
        cuts = [0] if len(self.strengths) else []
        parts = [(0, len(self.strengths))]
        while parts:
            first, last = parts.pop()
            chosen = self._strongest(first, last)
            cuts += chosen or self._filled(first, last)
            parts += pairwise([first, *chosen, last]) if chosen else []
        return sorted(cuts)

    def _strongest(self, first: int, last: int) -> list[int]:
        """The strongest border of a part that is too long to be filled, or of equal ones all that
        leave full chunks.

        All at once, since the same words over and over would otherwise take a time that grows with
        the square.
        """
        margin, start, end = int(self.limit * MARGIN), self._spots[first], self._spots[last]
        low = bisect_left(self._spots, start + margin, first + 1, last)
        high = bisect_left(self._spots, end - margin + 1, first + 1, last)
        if end - start <= self.limit * REGION or low >= high:
            return []
        equals = self.strengths.strongest(low, high).tolist()
        spots, number, chosen = [self._spots[border] for border in equals], 0, list[int]()
        while number < len(equals) and end - start > self.limit * REGION:
            chosen.append(equals[number])
            start = spots[number]
            near, far = (
                bisect_left(spots, start + margin),
                bisect_left(spots, start + self.limit + 1),
            )
            number = max(near, far - 1)
        return chosen

    def _best(self, first: int, last: int, least: int, most: int) -> int:
        """The strongest border strictly between two, at a distance of `least` to `most` from the
        first.

        Where there is none: the last one before `most`, else the next. 0 when nothing lies between
        the two.
        """
        place = self._spots[first]
        low = bisect_left(self._spots, place + least, first + 1, last)
        high = bisect_left(self._spots, place + most + 1, first + 1, last)
        if low < high:
            return int(self.strengths.strongest(low, high)[0])
        return max(high - 1, first + 1) if first + 1 < last else 0

    def _filled(self, first: int, last: int) -> list[int]:
        """The cuts strictly inside of a part, chosen from left to right; the last two chunks share
        what is left.
        """
        cuts: list[int] = []
        while (rest := self._spots[last] - self._spots[first]) > self.limit:
            least, most = self._window(rest)
            cut = self._best(first, last, least, most)
            if not cut:
                break
            cuts.append(cut)
            first = cut
        return cuts

    def _window(self, rest: int) -> tuple[int, int]:
        shortest = int(self.limit * SHORTEST)
        if rest < self.limit + shortest:
            return max(rest - self.limit, shortest), rest - shortest
        least = int(self.limit * LEAST)
        return max(rest - self.limit, least) if rest <= 2 * self.limit else least, self.limit
