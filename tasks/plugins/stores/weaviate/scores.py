"""BM25 as the server scores it, or with the statistics of one snapshot.

Weaviate counts every object of a collection, also what is staged, and what was retired and not yet
freed: with 5 % retired its scores are off by up to 2 %, and a pinned reader sees them move while
somebody builds. With `text_scores: snapshot` it finds the candidates alone, and these are the
scores; each new term costs a count on the server.

Robertson and Zaragoza 2009, with k1 = 1.2 and b = 0.75, as Weaviate has it; with the factor k1 + 1,
as LanceDB has it.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import TYPE_CHECKING, Any

from llmops.tasks.plugins.stores.weaviate.state import Sealed

if TYPE_CHECKING:
    from llmops.tasks.plugins.stores.weaviate.rows import StoredObject

K1, B = 1.2, 0.75
# the factor between the two statistics differs from row to row, far less than from one moment to
# the other
MARGIN = 1.005
THREADS = 4
MOST_KEPT = 200_000

_counted: dict[tuple[str, int, str], int] = {}
_lock = Lock()


def frequencies(
    place: str, snapshot: Sealed, terms: Iterable[str], count: Callable[[str], int]
) -> dict[str, int]:
    """In how many rows of a snapshot each term occurs. A snapshot never changes, so each is counted
    once per process.
    """
    keys = {term: (place, snapshot.token, term) for term in terms}
    counts = {term: _counted[key] for term, key in keys.items() if key in _counted}
    missing = [term for term in keys if term not in counts]
    if missing:
        with ThreadPoolExecutor(THREADS) as pool:
            counts |= zip(missing, pool.map(count, missing), strict=True)
        with _lock:
            if len(_counted) > MOST_KEPT:
                _counted.clear()
            _counted.update({keys[term]: counts[term] for term in missing})
    return counts


def bm25(
    rows: Sequence[Mapping[str, Any]],
    query: Mapping[str, int],
    within: Mapping[str, int],
    snapshot: Sealed,
) -> list[float]:
    """The score of each row; `within`: in how many rows of the snapshot each term occurs."""
    weights = {
        term: times * math.log(1 + (snapshot.rows - within[term] + 0.5) / (within[term] + 0.5))
        for term, times in query.items()
    }
    usual = max(1, snapshot.terms) / max(1, snapshot.rows)
    return [_score(Counter(str(row["terms"]).split()), weights, usual) for row in rows]


def _score(held: Counter[str], weights: Mapping[str, float], usual: float) -> float:
    norm = K1 * (1 - B + B * held.total() / usual)
    return (K1 + 1) * math.fsum(
        weight * held[term] / (held[term] + norm) for term, weight in weights.items()
    )


def served_scores(rows: Sequence["StoredObject"]) -> list[float]:
    """What the server says, on the scale of `bm25`."""
    return [(K1 + 1) * (row.metadata.score or 0.0) for row in rows]


def reach(served: Sequence[float], scores: Iterable[float]) -> float:
    """The most that a row can score which the server ranks behind these: its last score, times the
    largest factor between the two.
    """
    return served[-1] * max(own / given for own, given in zip(scores, served, strict=True)) * MARGIN
