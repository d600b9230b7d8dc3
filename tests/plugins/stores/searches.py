"""Hybrid search in plain Python over whole lists: what every quicker way must come to."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from llmops.tasks.filters import Where
from llmops.tasks.filters.evaluate import matches
from llmops.tasks.plugins.stores import Point, StoreReader
from llmops.tasks.schemas import Vectors

Row = dict[str, object]
Scored = dict[str, float]


class PlainSearch:
    """Over all rows of a snapshot. Scores of terms are the store's own, in one list of all rows,
    each from a reader that `opened` gives and that holds nothing in memory yet.
    """

    def __init__(
        self, rows: pd.DataFrame, points: Vectors, opened: Callable[[], StoreReader]
    ) -> None:
        self._rows: Sequence[Mapping[str, Any]] = rows.to_dict("records")  # type: ignore[assignment]
        self._points, self._opened = points, opened
        self._by_id = {row["chunk_id"]: row for row in self._rows}

    def near(self, point: Point, where: Where | None) -> Scored:
        lengths = np.linalg.norm(self._points, axis=1) * np.linalg.norm(point)
        cosines = (self._points.astype(np.float64) @ point.astype(np.float64)) / lengths
        return {
            row["chunk_id"]: round(float(score), 7)  # equal vectors, equal scores
            for row, score in zip(self._rows, cosines, strict=True)
            if where is None or matches(where, row)
        }

    def found(self, terms: Sequence[str], where: Where | None) -> Scored:
        listed = self._opened().text(terms, len(self._rows), where) if terms else None
        return {} if listed is None else dict(zip(listed["chunk_id"], listed["score"], strict=True))

    def best(self, scores: Scored, k: int) -> list[str]:
        """Ids by score, ties in the order of uri and ordinal."""

        def rank(name: str) -> tuple[float, str, int, str]:
            row = self._by_id[name]
            return -scores[name], row["uri"], row["ordinal"], name

        return sorted(scores, key=rank)[:k]

    def search(
        self, mode: str, point: Point, terms: Sequence[str], k: int, where: Where | None
    ) -> list[tuple[str, float]]:
        """(chunk_id, score) of the k best passages; both lists weigh the same."""
        depth = max(k, 100) if mode == "hybrid" else k
        while True:
            near, found = self.near(point, where), self.found(terms, where)
            near = {name: near[name] for name in self.best(near, depth)}
            found = {name: found[name] for name in self.best(found, depth)}
            fused = {"vector": near, "text": found, "hybrid": _fused(near, found, depth)}[mode]
            order, seen = [], set()
            for name in self.best(fused, len(fused)):
                row = self._by_id[name]
                passage = row["doc_id"], row["start"], row["end"]
                if passage not in seen:
                    seen.add(passage)
                    order.append((name, fused[name]))
            if len(order) >= k or len(fused) < depth:
                return order[:k]
            depth *= 4


def _fused(near: Scored, found: Scored, depth: int) -> Scored:
    if not near or not found:
        return near or found
    least = min(found.values()) if len(found) >= depth else 0.0
    near, found = _scaled(near, min(near.values())), _scaled(found, least)
    return {name: 0.5 * near.get(name, 0.0) + 0.5 * found.get(name, 0.0) for name in near | found}


def _scaled(scores: Scored, least: float) -> Scored:
    spread = max(scores.values()) - least
    return {name: (one - least) / spread if spread > 0 else 1.0 for name, one in scores.items()}
