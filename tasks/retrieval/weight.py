"""One weight for hybrid search, fitted on judged questions, and only kept when it gains on
documents not fitted on.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from llmops.tasks.retrieval.hybrid import Candidates, found_scores, near_scores
from llmops.tasks.statistics.arrays import Array

Groups = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
WEIGHTS = np.linspace(0.0, 1.0, 21)
LEAST = 50  # with fewer judged questions a fitted weight loses as often as it gains
FOLDS = 5
DEPTH = 10
CONFIDENCE = 1.645  # standard errors: one-sided 95 %


class FittedWeight(NamedTuple):
    """`gain`: mean nDCG@10 above the rule, out of fold, over `questions` judged questions."""

    weight: float
    questions: int
    gain: float


@dataclass(frozen=True)
class Judged:
    """A question's candidate lists, and what is relevant: (uri, quote that the chunk must contain,
    or None).

    `rule` is the weight that the question gets without fitting (`Searcher.rule`).
    """

    candidates: Candidates
    relevant: Sequence[tuple[str, str | None]]
    rule: float


def fit_weight(questions: Sequence[Judged]) -> FittedWeight | None:
    """The weight with the best mean nDCG@10, or None where the rule is as good.

    Five folds; questions with a relevant document in common lie in one. None for fewer than 50
    questions, and unless the gain out of fold is above 0 by 1.645 standard errors, clustered by
    document. Questions whose rule is 0 (the embedder does not know their language) keep it,
    whatever is fitted, and are left out. Deterministic.
    """
    usable = [question for question in questions if question.rule > 0 and question.relevant]
    if len(usable) < LEAST:
        return None
    figures = np.array([_ndcg(question, np.append(WEIGHTS, question.rule)) for question in usable])
    gains, ruled = figures[:, :-1], figures[:, -1]
    groups = _groups([{uri for uri, _ in question.relevant} for question in usable])
    held_out = np.empty(len(usable))
    for fold in _folds(groups):
        held_out[fold] = gains[fold, _best(gains[~fold])]
    difference = held_out - ruled
    if difference.mean() <= CONFIDENCE * _standard_error(difference, groups):
        return None
    return FittedWeight(float(WEIGHTS[_best(gains)]), len(usable), float(difference.mean()))


def _best(gains: Array) -> int:
    """The column with the highest mean; of equal ones the middle one."""
    means = gains.mean(axis=0)
    equal = np.flatnonzero(means >= means.max() - 1e-12)
    return int(equal[len(equal) // 2])


def _ndcg(question: Judged, weights: Array) -> Array:
    """nDCG@10 over distinct documents at each weight, shape (weights,): a document's best chunk
    stands for it.
    """
    rows, near, found = _aligned(question.candidates)
    scores = weights[:, None] * near + (1 - weights)[:, None] * found
    starts = [n for n, row in enumerate(rows) if n == 0 or row[:2] != rows[n - 1][:2]]
    best = np.maximum.reduceat(scores, starts, axis=1)
    wanted = {uri for uri, _ in question.relevant}
    gain = np.zeros(len(weights))
    for place, (first, last) in enumerate(zip(starts, [*starts[1:], len(rows)], strict=True)):
        if rows[first][0] in wanted:
            hit = np.array(
                [
                    any(
                        uri == row[0] and (quote is None or quote in row[4])
                        for uri, quote in question.relevant
                    )
                    for row in rows[first:last]
                ]
            )
            gain += _discount(best, place) * hit[scores[:, first:last].argmax(axis=1)]
    ideal = 1 / np.log2(np.arange(2, min(DEPTH, len(wanted)) + 2))
    return gain / float(ideal.sum())


def _discount(best: Array, place: int) -> Array:
    """1 / log2(rank + 1) of one document at each weight, 0 below rank 10; of equal scores the
    earlier one leads.
    """
    own = best[:, place : place + 1]
    rank = 1 + (best > own).sum(axis=1) + (best[:, :place] == own).sum(axis=1)
    return np.where(rank <= DEPTH, 1 / np.log2(rank + 1), 0.0)


def _aligned(lists: Candidates) -> tuple[list[tuple[Any, ...]], Any, Any]:
    """All chunks as (uri, doc_id, ordinal, chunk_id, text) in this order, and both normalised
    scores of each.

    An empty list copies the other one, as a search does.
    """
    near = dict(zip(_rows(lists.near), near_scores(lists), strict=True))
    found = dict(zip(_rows(lists.found), found_scores(lists), strict=True))
    near, found = near or found, found or near
    rows = sorted({**near, **found})
    return (
        rows,
        np.array([near.get(row, 0.0) for row in rows]),
        np.array([found.get(row, 0.0) for row in rows]),
    )


def _rows(part: pd.DataFrame) -> list[tuple[Any, ...]]:
    columns = [
        part[name].to_numpy(object).tolist()
        for name in ("uri", "doc_id", "ordinal", "chunk_id", "text")
    ]
    return list(zip(*columns, strict=True))


def _groups(documents: Sequence[set[str]]) -> Groups:
    """A number per question; questions that share a document, directly or through others, share the
    number.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    names = {name: n for n, name in enumerate(sorted(set().union(*documents)))}
    pairs = [
        (n, len(documents) + names[name])
        for n, wanted in enumerate(documents)
        for name in sorted(wanted)
    ]
    rows, columns = np.array(pairs).T
    size = len(documents) + len(names)
    graph = coo_array((np.ones(len(pairs)), (rows, columns)), shape=(size, size))
    numbers: Groups = connected_components(graph, directed=False)[1]
    return numbers[: len(documents)]


def _folds(groups: Groups) -> list[Mask]:
    """A mask of held-out questions per fold: the largest groups first, each into the smallest fold
    so far.
    """
    sizes, fold_of = np.bincount(groups), np.empty(groups.max() + 1, int)
    filled = np.zeros(FOLDS, int)
    for group in np.argsort(-sizes, kind="stable"):
        fold_of[group] = filled.argmin()
        filled[fold_of[group]] += sizes[group]
    masks = [fold_of[groups] == fold for fold in range(FOLDS)]
    return [mask for mask in masks if mask.any() and not mask.all()]


def _standard_error(values: Array, groups: Groups) -> float:
    """Of the mean, clustered: the root of the sum of squared cluster sums of deviations, over n."""
    sums = np.bincount(groups, values - values.mean())
    return float(np.sqrt((sums**2).sum()) / len(values))
