"""Hybrid search: a convex combination of normalised scores, w · vector + (1 - w) · text.

Each list is min-max normalised over its own candidates (Bruch et al. 2023, "An Analysis of Fusion
Functions for Hybrid Retrieval", arXiv:2210.11934). Rank fusion, the usual default, loses .02
nDCG@10 where both parts are good, and half the quality where one part does not know the language.
So the weight follows from the languages that the embedder declares. By hand, since every store is
fused alike, and the linear reranker of LanceDB is deprecated.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from numbers import Integral
from operator import attrgetter
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from llmops.tasks import progress
from llmops.tasks.errors import UsageError
from llmops.tasks.filters import Where
from llmops.tasks.plugins.embedders import Embedder
from llmops.tasks.plugins.stores import ROWS, RankedRow, StoreReader
from llmops.tasks.plugins.trainers.retrieval.adapter import turned
from llmops.tasks.retrieval.modes import MODES as MODES
from llmops.tasks.retrieval.modes import Mode as Mode  # here for all that search
from llmops.tasks.schemas import Record, Vectors
from llmops.tasks.statistics.arrays import Array
from llmops.tasks.texts.language import detect
from llmops.tasks.texts.terms import analyse

CANDIDATES = 100  # of each list; the scores are normalised over them
MOST = 1_000
Vector = npt.NDArray[np.float32]
KNOWN = 0.5


class Candidates(NamedTuple):
    """A question's best chunks by vector and by text, at most `depth` each, best first."""

    near: Sequence[RankedRow]
    found: Sequence[RankedRow]
    depth: int = CANDIDATES


@dataclass(frozen=True)
class Searcher:
    """Searches one snapshot.

    `weight` is the share of the vector part, fitted on judged questions (`fit_weight`); None: by
    rule. It holds for questions in the embedder's languages; for others the vectors say nothing and
    text decides alone. `where`: nothing else is ever looked at. `adapter`: of shape (dimension,
    dimension), trained on judged questions, turns a question's vector before a hybrid search looks
    for its neighbours; the other modes search as they did.
    """

    reader: StoreReader
    embedder: Embedder
    weight: float | None = None
    where: Where | None = None
    adapter: Vectors | None = field(default=None, compare=False)

    def search(
        self,
        query: str,
        k: int,
        mode: Mode = "hybrid",
        vector: Vector | None = None,
        columns: Sequence[str] = tuple(ROWS.names),
    ) -> pd.DataFrame:
        """The k best passages, each once, best first, ties in the order of uri and ordinal: the
        columns asked for (of ROWS), and `score`.

        `vector` is the query's vector where it is at hand already. Raises UsageError for another
        mode or k.
        """
        choose = self._choosing(query, k, mode, vector)
        return self.reader.whole(choose, columns)

    def passages(
        self,
        query: str,
        k: int,
        mode: Mode = "hybrid",
        vector: Vector | None = None,
        columns: Sequence[str] = tuple(ROWS.names),
    ) -> list[Record]:
        """What `search` gives, as plain values."""
        choose = self._choosing(query, k, mode, vector)
        return self.reader.passages(choose, columns)

    def _choosing(
        self, query: str, k: int, mode: Mode, vector: Vector | None
    ) -> Callable[[], list[RankedRow]]:
        if mode not in MODES or not isinstance(k, Integral) or not 1 <= k <= MOST:
            raise UsageError(
                f"got mode {mode!r} and k {k!r}; allowed: {', '.join(MODES)} and k from 1 to {MOST}"
            )
        depth = max(k, CANDIDATES) if mode == "hybrid" else k
        passages = attrgetter("doc_id", "start", "end")
        return lambda: self._distinct(query, k, depth, mode, vector, passages)

    def documents(
        self, query: str, k: int, mode: Mode = "hybrid", vector: Vector | None = None
    ) -> list[tuple[str, str]]:
        """(uri, text of its best chunk) of the k best distinct documents, fewer only when there are
        no more.
        """
        best = self.reader.whole(lambda: self._documents(query, k, mode, vector), ("uri", "text"))
        return list(zip(best["uri"], best["text"], strict=True))

    def uris(
        self, query: str, k: int, mode: Mode = "hybrid", vector: Vector | None = None
    ) -> list[str]:
        """`documents` without their texts, which take half of the time."""
        return [hit.uri for hit in self._documents(query, k, mode, vector)]

    def _documents(self, query: str, k: int, mode: Mode, vector: Vector | None) -> list[RankedRow]:
        depth = max(k, CANDIDATES)
        return self._distinct(query, k, depth, mode, vector, attrgetter("doc_id"))

    def _distinct(
        self,
        query: str,
        k: int,
        depth: int,
        mode: Mode,
        vector: Vector | None,
        key: Callable[[RankedRow], object],
    ) -> list[RankedRow]:
        """The k best that differ in `key`; looks deeper while there may be more."""
        point = cache(lambda: self.embedder.embed_query([query])[0] if vector is None else vector)
        while True:
            hits = self._ranked(query, depth, mode, point)
            distinct: dict[object, RankedRow] = {}
            for hit in hits:
                distinct.setdefault(key(hit), hit)
            if len(distinct) >= k or len(hits) < depth:
                return [*distinct.values()][:k]
            depth *= 4

    def documents_many(
        self, queries: Sequence[str], k: int, mode: Mode = "hybrid"
    ) -> list[list[tuple[str, str]]]:
        """`documents` for each of many queries, which are embedded in one batch."""
        vectors = [None] * len(queries) if mode == "text" else self.embedder.embed_query(queries)
        pairs = list(zip(queries, vectors, strict=True))
        return [
            self.documents(query, k, mode, vector)
            for query, vector in progress.each(pairs, "ask", len(pairs), "questions")
        ]

    def candidates(
        self, query: str, vector: Vector | None = None, depth: int = CANDIDATES
    ) -> Candidates:
        """Both lists of a hybrid search, for those who fit something on them."""
        point = self.embedder.embed_query([query])[0] if vector is None else vector
        return Candidates(
            self.near(point, depth), self.reader.found(analyse(query), depth, self.where), depth
        )

    def near(self, point: Vector, depth: int = CANDIDATES) -> list[RankedRow]:
        """The list by vector of a hybrid search."""
        if self.adapter is not None:
            point = turned(point[None, :], self.adapter)[0]
        return self.reader.near(point, depth, self.where)

    def rule(self, query: str) -> float:
        """The weight without judged questions."""
        return default_weight(query, self.embedder.languages)

    def remarks(self, query: str, mode: Mode = "hybrid") -> list[str]:
        """What whoever reads the results must know: which part alone decided, where the embedder
        does not read the question's language.
        """
        if mode == "text" or self.rule(query) > 0:
            return []
        known = ", ".join(sorted(self.embedder.languages))
        told = (
            f"the question's language ({detect(query)}) is none that the embedder reads ({known})"
        )
        if mode == "hybrid" and self.reader.found(analyse(query), 1, self.where):
            return [f"{told}: text search alone decided"]
        words = "none of its words was found, and " if mode == "hybrid" else ""
        return [f"{told}: {words}what its vector is near to says little"]

    def _ranked(
        self, query: str, depth: int, mode: Mode, point: Callable[[], Vector]
    ) -> list[RankedRow]:
        if mode == "vector":
            return self.reader.near(point(), depth, self.where)
        found = self.reader.found(analyse(query), depth, self.where)
        if mode == "text":
            return found
        weight = self.rule(query)
        if weight == 0 and found:  # on the scale of all other hybrid searches
            scores = found_scores(_scores(found), depth)
            return [hit._replace(score=score) for hit, score in zip(found, scores, strict=True)]
        if self.weight is not None:
            weight = self.weight
        return fused(self.near(point(), depth), found, depth, weight)


def default_weight(query: str, languages: frozenset[str]) -> float:
    """The share of the vectors by rule: half where the embedder knows the query's language, else
    nothing.

    `languages` are ISO 639-1 codes, empty for all. A query too short to tell counts as known.
    """
    return KNOWN if not languages or detect(query) in {None, *languages} else 0.0


def fused(
    near: Sequence[RankedRow], found: Sequence[RankedRow], depth: int, weight: float
) -> list[RankedRow]:
    """Both lists, of at most `depth` rows each, as one, best first, with scores in [0, 1]; where
    one list is empty, the other one as it is.

    A chunk that is missing from a list counts there as the last one does: 0.
    """
    if not near or not found:
        return [*near, *found]
    shares = [
        *(weight * near_scores(_scores(near))),
        *((1 - weight) * found_scores(_scores(found), depth)),
    ]
    both: dict[str, RankedRow] = {}
    for hit, share in zip([*near, *found], shares, strict=True):
        there = both.get(hit.chunk_id)
        both[hit.chunk_id] = (
            hit._replace(score=share)
            if there is None
            else there._replace(score=there.score + share)
        )
    return sorted(both.values(), key=lambda hit: hit.rank)


def _scores(hits: Sequence[RankedRow]) -> Array:
    return np.array([hit.score for hit in hits], np.float64)


def near_scores(scores: Array) -> Array:
    """A vector list's scores, min-max normalised."""
    return _scaled(scores, None)


def found_scores(scores: Array, depth: int) -> Array:
    """A text list's scores, min-max normalised.

    Where the list is not full, all other chunks have the score 0: then that is the minimum.
    """
    return _scaled(scores, None if len(scores) >= depth else 0.0)


def _scaled(scores: Array, least: float | None) -> Array:
    if not len(scores):
        return scores
    low = scores.min() if least is None else least
    spread = scores.max() - low
    return (scores - low) / spread if spread > 0 else np.ones(len(scores))
