"""Interim sentence chunker."""

from collections.abc import Sequence

import numpy as np

from tasks.chunkers import Chunker, Span, Tokenizer
from tasks.chunkers._borders import borders

COST = np.array([6, 2.5, 1.2, 0.3, 0.0, 0.0])


class Sentence(Chunker):
    """Cuts at paragraph and sentence ends."""

    def split(self, text: str, *, markup: str, title: str | None, tokenizer: Tokenizer) -> Sequence[Span]:
        size = min(self.size, tokenizer.max_tokens)
        tokens = np.array([start for start, _ in tokenizer.token_offsets(text)], dtype=np.int64)
        found = borders(text, tokens, max(1, size // 4))
        if not len(found.starts):
            return []
        place = np.searchsorted(tokens, found.starts)
        total = len(tokens)
        cost = COST[found.kinds] + (1 - found.hashes / 2.0**64)
        count = len(place)
        ends = np.append(place, total)
        best, back = np.full(count + 1, np.inf), np.zeros(count + 1, np.int64)
        best[0] = 0.0
        low = 0
        for j in range(1, count + 1):
            while ends[j] - ends[low] > size and low < j - 1:
                low += 1
            fill = (size - (ends[j] - ends[low:j])) / size
            values = best[low:j] + 8.0 * np.square(np.where(fill < 0, 10.0, fill))
            k = int(values.argmin())
            best[j], back[j] = values[k] + (0.0 if j == count else cost[j]), low + k
        cuts = [count]
        while cuts[-1] > 0:
            cuts.append(int(back[cuts[-1]]))
        cuts.reverse()
        spans = []
        for a, b in zip(cuts, cuts[1:], strict=False):
            stop = found.end if b == count else int(found.stops[b])
            spans.append(Span(start=int(found.starts[a]), end=stop, tokens=int(ends[b] - ends[a]), context=title or ""))
        return spans
