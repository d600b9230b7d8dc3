"""Hybrid search: a convex combination of normalised scores, w · vector + (1 - w) · text.

Each list is min-max normalised over its own candidates (Bruch et al. 2023, "An Analysis of Fusion
Functions for Hybrid Retrieval", arXiv:2210.11934). Rank fusion, the usual default, loses .02
nDCG@10 where both parts are good, and half the quality where one part does not know the language.
So the weight follows from the languages that the embedder declares.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from llmops.tasks.errors import UsageError
from llmops.tasks.filters import Where
from llmops.tasks.plugins.embedders import Embedder
from llmops.tasks.plugins.stores import StoreReader
from llmops.tasks.statistics.arrays import Array
from llmops.tasks.texts.language import detect
from llmops.tasks.texts.terms import analyse

Mode = Literal["hybrid", "vector", "text"]
MODES: tuple[Mode, ...] = ("hybrid", "vector", "text")
CANDIDATES = 100  # of each list; the scores are normalised over them
MOST = 1_000
Vector = npt.NDArray[np.float32]
KNOWN = 0.5


class Candidates(NamedTuple):
    """A question's best chunks by vector and by text, at most `depth` each, in the columns of a
    Reader's frames.
    """

    near: pd.DataFrame
    found: pd.DataFrame
    depth: int = CANDIDATES


@dataclass(frozen=True)
class Searcher:
    """Searches one snapshot.

    `weight` is the share of the vector part, fitted on judged questions (`fit_weight`); None: by
    rule. It holds for questions in the embedder's languages; for others the vectors say nothing and
    text decides alone. `where`: nothing else is ever looked at.
    """

    reader: StoreReader
    embedder: Embedder
    weight: float | None = None
    where: Where | None = None

    def search(
        self, query: str, k: int, mode: Mode = "hybrid", vector: Vector | None = None
    ) -> pd.DataFrame:
        """The k best passages, each once, best first, ties in the order of uri and ordinal: the
        columns of ROWS and `score`.

        `vector` is the query's vector where it is at hand already. Raises UsageError for another
        mode or k.
        """
        if mode not in MODES or not 1 <= k <= MOST:
            raise UsageError(
                f"got mode {mode!r} and k {k}; allowed: {', '.join(MODES)} and k from 1 to {MOST}"
            )
        return self._distinct(
            query,
            k,
            max(k, CANDIDATES) if mode == "hybrid" else k,
            mode,
            vector,
            ["doc_id", "start", "end"],
        )

    def documents(
        self, query: str, k: int, mode: Mode = "hybrid", vector: Vector | None = None
    ) -> list[tuple[str, str]]:
        """(uri, text of its best chunk) of the k best distinct documents, fewer only when there are
        no more.
        """
        distinct = self._distinct(query, k, max(k, CANDIDATES), mode, vector, ["doc_id"])
        return list(zip(distinct["uri"], distinct["text"], strict=True))

    def _distinct(
        self, query: str, k: int, depth: int, mode: Mode, vector: Vector | None, key: list[str]
    ) -> pd.DataFrame:
        """The k best rows that differ in `key`; looks deeper while there may be more."""
        while True:
            chunks = self._ranked(query, depth, mode, vector)
            distinct = chunks.drop_duplicates(key).head(k)
            if len(distinct) == k or len(chunks) < depth:
                return distinct.reset_index(drop=True)
            depth *= 4

    def documents_many(
        self, queries: Sequence[str], k: int, mode: Mode = "hybrid"
    ) -> list[list[tuple[str, str]]]:
        """`documents` for each of many queries, which are embedded in one batch."""
        vectors = [None] * len(queries) if mode == "text" else self.embedder.embed(queries)
        return [
            self.documents(query, k, mode, vector)
            for query, vector in zip(queries, vectors, strict=True)
        ]

    def candidates(
        self, query: str, vector: Vector | None = None, depth: int = CANDIDATES
    ) -> Candidates:
        """Both lists, for `fused` and `fit_weight`."""
        return Candidates(self._near(query, depth, vector), self._found(query, depth), depth)

    def rule(self, query: str) -> float:
        """The weight without judged questions."""
        return default_weight(query, self.embedder.languages)

    def _ranked(self, query: str, depth: int, mode: Mode, vector: Vector | None) -> pd.DataFrame:
        if mode == "vector":
            return self._near(query, depth, vector)
        found = self._found(query, depth)
        weight = self.rule(query) if mode == "hybrid" else 0.0
        if mode == "text":
            return found
        if weight == 0 and len(found):  # on the scale of all other hybrid searches
            return found.assign(score=found_scores(Candidates(found.head(0), found, depth)))
        if self.weight is not None:
            weight = self.weight
        return fused(Candidates(self._near(query, depth, vector), found, depth), weight)

    def _near(self, query: str, depth: int, vector: Vector | None) -> pd.DataFrame:
        return self.reader.vector(
            self.embedder.embed([query])[0] if vector is None else vector, depth, self.where
        )

    def _found(self, query: str, depth: int) -> pd.DataFrame:
        return self.reader.text(analyse(query), depth, self.where)


def default_weight(query: str, languages: frozenset[str]) -> float:
    """The share of the vectors by rule: half where the embedder knows the query's language, else
    nothing.

    `languages` are ISO 639-1 codes, empty for all. A query too short to tell counts as known.
    """
    return KNOWN if not languages or detect(query) in {None, *languages} else 0.0


def fused(lists: Candidates, weight: float) -> pd.DataFrame:
    """Both lists as one, best first, with `score` in [0, 1]; where one list is empty, the other one
    as it is.

    A chunk that is missing from a list counts there as the last one does: 0.
    """
    if lists.near.empty or lists.found.empty:
        return lists.near if lists.found.empty else lists.found
    both = pd.concat([lists.near, lists.found], ignore_index=True)
    shares = np.concatenate(
        [weight * near_scores(lists), (1 - weight) * found_scores(lists)]
    ).tolist()
    uris, ordinals, names = (both[name].to_numpy(object) for name in ("uri", "ordinal", "chunk_id"))
    scores: dict[str, float] = {}
    place: dict[str, int] = {}
    for n, (name, share) in enumerate(zip(names, shares, strict=True)):
        scores[name] = scores.get(name, 0.0) + share
        place.setdefault(name, n)
    best = sorted(
        scores, key=lambda name: (-scores[name], uris[place[name]], ordinals[place[name]], name)
    )
    chunks = both.take([place[name] for name in best]).reset_index(drop=True)
    chunks["score"] = pd.array([scores[name] for name in best], dtype="float[pyarrow]")
    return chunks


def near_scores(lists: Candidates) -> Array:
    """The vector list's scores, min-max normalised; shape (len(near),)."""
    return _scaled(lists.near["score"].to_numpy(np.float64), None)


def found_scores(lists: Candidates) -> Array:
    """The text list's scores, min-max normalised; shape (len(found),).

    Where the list is not full, all other chunks have the score 0: then that is the minimum.
    """
    return _scaled(
        lists.found["score"].to_numpy(np.float64), None if len(lists.found) >= lists.depth else 0.0
    )


def _scaled(scores: Array, least: float | None) -> Array:
    if not len(scores):
        return scores
    low = scores.min() if least is None else least
    spread = scores.max() - low
    return (scores - low) / spread if spread > 0 else np.ones(len(scores))
