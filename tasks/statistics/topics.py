"""New topics: questions that are unlike all that were seen, put together by what they are about."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage

from llmops.tasks.schemas import Vectors

NEAR = 0.5
"""Cosine similarity from which on two questions are of one topic: docs/feedback.md has what it was
chosen by."""
COMPARED = 4_096
"""Questions that are compared at a time with those that were seen."""
MOST = 2_000
"""Questions that are put together at a time: the distances of all pairs are in memory."""


class Topic(NamedTuple):
    """`members`: their rows, the one first that is most like the others."""

    members: tuple[int, ...]

    @property
    def representative(self) -> int:
        return self.members[0]


def unlike(questions: Vectors, seen: Vectors, near: float = NEAR) -> list[int]:
    """The rows of questions that are like none that were seen."""
    if not len(seen):
        return list(range(len(questions)))
    rows: list[int] = []
    for start in range(0, len(questions), COMPARED):
        part = questions[start : start + COMPARED]
        best = (part @ seen.T).max(axis=1)
        rows += [start + int(row) for row in np.flatnonzero(best < near)]
    return rows


def topics(questions: Vectors, near: float = NEAR) -> list[Topic]:
    """The questions put together (average linkage of cosine distances), the largest topic first; of
    topics of one size, that of the question that comes first.
    """
    if not len(questions):
        return []
    if len(questions) == 1:
        return [Topic((0,))]
    tree = linkage(np.asarray(questions, np.float64), "average", metric="cosine")
    labels = fcluster(np.clip(tree, 0, None), 1 - near, "distance")
    groups: dict[int, list[int]] = {}
    for row, label in enumerate(labels):
        groups.setdefault(int(label), []).append(row)
    made = [Topic(_by_likeness(questions, members)) for members in groups.values()]
    return sorted(made, key=lambda topic: (-len(topic.members), min(topic.members)))


def _by_likeness(questions: Vectors, members: Sequence[int]) -> tuple[int, ...]:
    rows = questions[list(members)]
    likeness = np.round((rows @ rows.T).sum(axis=1), 6)
    order = np.lexsort((members, -likeness))
    return tuple(members[int(place)] for place in order)
