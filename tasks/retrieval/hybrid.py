"""Hybrid search: a convex combination of normalised scores, w · vector + (1 - w) · text.

Each list is min-max normalised over its own candidates (Bruch et al. 2023, "An Analysis of Fusion
Functions for Hybrid Retrieval", arXiv:2210.11934). Rank fusion, the usual default, loses .02
nDCG@10 where both parts are good, and half the quality where one part does not know the language.
So the weight follows from the languages that the embedder declares. By hand, since every store is
fused alike, and the linear reranker of LanceDB is deprecated.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
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
from llmops.tasks.plugins.stores import (
    ROWS,
    RankedRow,
    RankedRows,
    StoreReader,
    ranked_rows,
    rows_of,
)
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
Key = Callable[[RankedRow], object]
PASSAGE: Key = attrgetter("doc_id", "start", "end")
DOCUMENT: Key = attrgetter("doc_id")
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
    for its neighbours; the other modes search as they did. `warning`: what is wrong with the
    vectors, for whoever reads what they found.
    """

    reader: StoreReader
    embedder: Embedder
    weight: float | None = None
    where: Where | None = None
    adapter: Vectors | None = field(default=None, compare=False)
    warning: str = ""

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

    def passages_many(
        self,
        queries: Sequence[str],
        k: int,
        mode: Mode = "hybrid",
        vectors: Vectors | None = None,
        columns: Sequence[str] = tuple(ROWS.names),
    ) -> list[list[Record]]:
        """`passages` for each of many questions, which are embedded in one call and looked for
        together. `vectors`: of all of them, a row each.
        """
        depth, asked = _depth(k, mode), Questions(queries, self.embedder, vectors)
        found: list[list[Record]] = []
        for numbers in self._parts(len(queries)):
            found += self._read(
                lambda numbers=numbers: self._distinct_many(  # type: ignore[misc]
                    asked, numbers, k, depth, mode, PASSAGE
                ),
                columns,
            )
        return found

    def _choosing(
        self, query: str, k: int, mode: Mode, vector: Vector | None
    ) -> Callable[[], list[RankedRow]]:
        depth = _depth(k, mode)
        asked = self._asked(query, vector)
        return lambda: self._distinct_many(asked, [0], k, depth, mode, PASSAGE)[0]

    def documents(
        self, query: str, k: int, mode: Mode = "hybrid", vector: Vector | None = None
    ) -> list[tuple[str, str]]:
        """(uri, text of its best chunk) of the k best distinct documents, fewer only when there are
        no more.
        """
        return self._documents_of(self._asked(query, vector), [0], k, mode)[0]

    def uris_many(
        self,
        queries: Sequence[str],
        k: int,
        mode: Mode = "hybrid",
        vectors: Vectors | None = None,
    ) -> list[list[str]]:
        """`documents_many` without their texts, which take a part of the time."""
        asked, depth = Questions(queries, self.embedder, vectors), max(k, CANDIDATES)
        return [
            [hit.uri for hit in hits]
            for numbers in self.portions(len(queries))
            for hits in self._distinct_many(asked, numbers, k, depth, mode, DOCUMENT)
        ]

    def _asked(self, query: str, vector: Vector | None) -> "Questions":
        return Questions([query], self.embedder, None if vector is None else vector[None])

    def _distinct_many(
        self,
        asked: "Questions",
        numbers: Sequence[int],
        k: int,
        depth: int,
        mode: Mode,
        key: Key,
    ) -> list[list[RankedRow]]:
        """For each of these questions the k best that differ in `key`; looks deeper while there may
        be more.
        """
        best: dict[int, list[RankedRow]] = {}
        left = numbers
        while left:
            deeper = []
            lists = self._ranked(asked, left, depth, mode)
            for number, hits, rows in zip(left, lists, rows_of(lists), strict=True):
                distinct: dict[object, RankedRow] = {}
                for row in rows:
                    distinct.setdefault(key(row), row)
                    if len(distinct) == k:
                        break
                best[number] = [*distinct.values()]
                if len(distinct) < k and len(hits) >= depth:
                    deeper.append(number)
            left, depth = deeper, depth * 4
        return [best[number] for number in numbers]

    def documents_many(
        self,
        queries: Sequence[str],
        k: int,
        mode: Mode = "hybrid",
        vectors: Vectors | None = None,
    ) -> list[list[tuple[str, str]]]:
        """`documents` for each of many questions, which are embedded in one call and looked for
        together. `vectors`: of all of them, a row each.
        """
        asked = Questions(queries, self.embedder, vectors)
        return [
            documents
            for numbers in self.portions(len(queries))
            for documents in self._documents_of(asked, numbers, k, mode)
        ]

    def _documents_of(
        self, asked: "Questions", numbers: Sequence[int], k: int, mode: Mode
    ) -> list[list[tuple[str, str]]]:
        depth = max(k, CANDIDATES)
        found = self._read(
            lambda: self._distinct_many(asked, numbers, k, depth, mode, DOCUMENT), ("uri", "text")
        )
        return [[(str(row["uri"]), str(row["text"])) for row in rows] for rows in found]

    def _read(
        self, choose: Callable[[], list[list[RankedRow]]], columns: Sequence[str]
    ) -> list[list[Record]]:
        """The rows of several lists, in one reading."""
        lists: list[list[RankedRow]] = []

        def chosen() -> list[RankedRow]:
            lists[:] = choose()
            return [hit for hits in lists for hit in hits]

        rows = iter(self.reader.passages(chosen, columns))
        return [[*islice(rows, len(hits))] for hits in lists]

    def candidates_many(
        self, queries: Sequence[str], vectors: Vectors | None = None, depth: int = CANDIDATES
    ) -> Iterator[Candidates]:
        """For each of many questions both lists of a hybrid search, for those who fit something on
        them. `vectors`: of all of them, a row each.
        """
        asked = Questions(queries, self.embedder, vectors)
        for numbers in self._parts(len(queries)):
            near = self._near_many(asked.points(numbers), depth)
            terms = [analyse(asked.texts[number]) for number in numbers]
            found = self.reader.found_many(terms, depth, self.where)
            for pair in zip(near, found, strict=True):
                yield Candidates(tuple(pair[0]), tuple(pair[1]), depth)

    def near(self, point: Vector, depth: int = CANDIDATES) -> list[RankedRow]:
        """The list by vector of a hybrid search."""
        return [*self._near_many(point[None], depth)[0]]

    def portions(self, questions: int) -> Iterator[range]:
        """The numbers of those that are looked for together; how many are done is shown."""
        return progress.each(self._parts(questions), "ask", questions, "questions", len)

    def _parts(self, questions: int) -> list[range]:
        every, size = range(questions), self.reader.together
        return [every[first : first + size] for first in every[::size]]

    def rule(self, query: str) -> float:
        """The weight without judged questions."""
        return default_weight(query, self.embedder.languages)

    def remarks(self, query: str, mode: Mode = "hybrid") -> list[str]:
        """What whoever reads the results must know: which part alone decided, where the embedder
        does not read the question's language.
        """
        if mode == "text":
            return []
        if self.warning or self.rule(query) > 0:
            return [self.warning] if self.warning else []
        known = ", ".join(sorted(self.embedder.languages))
        told = (
            f"the question's language ({detect(query)}) is none that the embedder reads ({known})"
        )
        if mode == "hybrid" and self.reader.found(analyse(query), 1, self.where):
            return [f"{told}: text search alone decided"]
        words = "none of its words was found, and " if mode == "hybrid" else ""
        return [f"{told}: {words}what its vector is near to says little"]

    def _ranked(
        self, asked: "Questions", numbers: Sequence[int], depth: int, mode: Mode
    ) -> Sequence[Sequence[RankedRow]]:
        """For each of these questions the list of a mode, not deeper than `depth`, or twice that
        for `hybrid`.
        """
        if mode == "vector":
            return self.reader.near_many(asked.points(numbers), depth, self.where)
        texts = [asked.texts[number] for number in numbers]
        found = self.reader.found_many([*map(analyse, texts)], depth, self.where)
        if mode == "text":
            return found
        rules = [*map(self.rule, texts)]
        by_both = [n for n, rule in enumerate(rules) if rule or not found[n]]
        lists = self._near_many(asked.points([numbers[n] for n in by_both]), depth)
        near = dict(zip(by_both, lists, strict=True))
        return [
            fused(near[n], found[n], depth, self._share(rules[n]))
            if n in near
            else _text_alone(found[n], depth)
            for n in range(len(texts))
        ]

    def _near_many(self, points: Vectors, depth: int) -> Sequence[Sequence[RankedRow]]:
        """The lists by vector of a hybrid search."""
        if self.adapter is not None and len(points):  # one by one: else the last bit may differ
            points = np.concatenate([turned(point[None], self.adapter) for point in points])
        return self.reader.near_many(points, depth, self.where)

    def _share(self, rule: float) -> float:
        return rule if self.weight is None else self.weight


class Questions:
    """The texts of questions, and their vectors, which are made in one call when the first one is
    wanted.
    """

    def __init__(
        self, texts: Sequence[str], embedder: Embedder, vectors: Vectors | None = None
    ) -> None:
        self.texts, self._embedder, self._vectors = texts, embedder, vectors

    def points(self, numbers: Sequence[int]) -> Vectors:
        """A row for each of these questions."""
        if not numbers:
            return np.zeros((0, self._embedder.dimension), np.float32)
        if self._vectors is None:
            self._vectors = self._embedder.embed_query(self.texts)
        return self._vectors[numbers]


def _depth(k: int, mode: Mode) -> int:
    """How deep a search for passages looks. Raises UsageError for another mode or k."""
    if mode not in MODES or not isinstance(k, Integral) or not 1 <= k <= MOST:
        raise UsageError(
            f"got mode {mode!r} and k {k!r}; allowed: {', '.join(MODES)} and k from 1 to {MOST}"
        )
    return max(k, CANDIDATES) if mode == "hybrid" else k


def _text_alone(found: Sequence[RankedRow], depth: int) -> Sequence[RankedRow]:
    """A text list with scores on the scale of all hybrid searches."""
    (rows,) = ranked_rows(found)
    return rows.with_scores(found_scores(_scores(rows), depth))


def default_weight(query: str, languages: frozenset[str]) -> float:
    """The share of the vectors by rule: half where the embedder knows the query's language, else
    nothing.

    `languages` are ISO 639-1 codes, empty for all. A query too short to tell counts as known.
    """
    return KNOWN if not languages or detect(query) in {None, *languages} else 0.0


def fused(
    near: Sequence[RankedRow], found: Sequence[RankedRow], depth: int, weight: float
) -> Sequence[RankedRow]:
    """Both lists, of at most `depth` rows each, as one, best first, with scores in [0, 1]; where
    one list is empty, the other one as it is.

    A chunk that is missing from a list counts there as the last one does: 0.
    """
    if not near or not found:
        return near or found
    near, found = ranked_rows(near, found)
    shares = weight * near_scores(_scores(near)), (1 - weight) * found_scores(_scores(found), depth)
    numbers, places = np.unique(np.concatenate([near.numbers, found.numbers]), return_inverse=True)
    sums: Array = np.bincount(places, np.concatenate(shares)).astype(np.float64)
    order = np.lexsort((numbers, -sums))
    return RankedRows(near.owner, numbers[order], sums[order])


def _scores(hits: RankedRows) -> Array:
    return hits.scores.astype(np.float64)


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
