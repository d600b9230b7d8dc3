"""One weight for hybrid search, fitted on judged questions, and only kept when it gains on
documents not fitted on.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from llmops.tasks.plugins.stores import RankedRow
from llmops.tasks.retrieval.groups import Groups, folds, linked
from llmops.tasks.retrieval.hybrid import Candidates, found_scores, near_scores
from llmops.tasks.statistics.arrays import Array

WEIGHTS = np.linspace(0.0, 1.0, 21)
LEAST = 50  # with fewer judged questions a fitted weight loses as often as it gains
DEPTH = 10
CONFIDENCE = 1.645  # standard errors: one-sided 95 %


class FittedWeight(NamedTuple):
    """`gain`: mean nDCG@10 above the rule, out of fold, over `questions` judged questions."""

    weight: float
    questions: int
    gain: float


@dataclass(frozen=True)
class Judged:
    """A question's candidate lists, and which of these chunks answer it.

    `relevant`: chunk_ids; `documents`: the uris of all documents that answer, found or not.
    `rule` is the weight that the question gets without fitting (`Searcher.rule`).
    """

    candidates: Candidates
    relevant: frozenset[str]
    documents: frozenset[str]
    rule: float


def fit_weight(questions: Sequence[Judged]) -> FittedWeight | None:
    """The weight with the best mean nDCG@10, or None where the rule is as good.

    Five folds; questions with a relevant document in common lie in one. None for fewer than 50
    questions, and unless the gain out of fold is above 0 by 1.645 standard errors, clustered by
    document. Questions whose rule is 0 (the embedder does not know their language) keep it,
    whatever is fitted, and are left out. Deterministic.
    """
    usable = [question for question in questions if question.rule > 0 and question.documents]
    if len(usable) < LEAST:
        return None
    figures = np.array([ndcg(question, np.append(WEIGHTS, question.rule)) for question in usable])
    gains, ruled = figures[:, :-1], figures[:, -1]
    groups = linked([set(question.documents) for question in usable])
    held_out = np.empty(len(usable))
    for fold in folds(groups):
        held_out[fold] = gains[fold, best_weight(gains[~fold])]
    difference = held_out - ruled
    if difference.mean() <= CONFIDENCE * _standard_error(difference, groups):
        return None
    return FittedWeight(float(WEIGHTS[best_weight(gains)]), len(usable), float(difference.mean()))


def best_weight(gains: Array) -> int:
    """The column with the highest mean; of equal ones the middle one."""
    means = gains.mean(axis=0)
    equal = np.flatnonzero(means >= means.max() - 1e-12)
    return int(equal[len(equal) // 2])


def ndcg(question: Judged, weights: Array) -> Array:
    """nDCG@10 over distinct documents at each weight, shape (weights,): a document's best chunk
    stands for it.
    """
    return quality(question, weights)[0]


def quality(question: Judged, weights: Array) -> tuple[Array, Array]:
    """(nDCG@10, precision@1) at each weight, each of shape (weights,)."""
    ranks = _ranks(question, weights)
    gain = np.where(ranks <= DEPTH, 1 / np.log2(ranks + 1), 0.0).sum(axis=0)
    ideal = 1 / np.log2(np.arange(2, min(DEPTH, len(question.documents)) + 2))
    top = (ranks == 1).any(axis=0).astype(np.float64)
    return np.asarray(gain / float(ideal.sum())), np.asarray(top)


def _ranks(question: Judged, weights: Array) -> Array:
    """The ranks of the documents that answer, by the chunk that stands for each, shape (documents,
    weights); infinite where that chunk is none that answers. Of equal scores the earlier one leads.
    """
    rows, scores = _scored(question.candidates, weights)
    starts = [n for n, row in enumerate(rows) if n == 0 or row[:2] != rows[n - 1][:2]]
    best = np.maximum.reduceat(scores, starts, axis=1) if rows else np.zeros((len(weights), 0))
    ranks = []
    for place, (start, end) in enumerate(zip(starts, [*starts[1:], len(rows)], strict=True)):
        hit = np.array([row[3] in question.relevant for row in rows[start:end]])
        if hit.any():
            own = best[:, place : place + 1]
            rank = 1 + (best > own).sum(axis=1) + (best[:, :place] == own).sum(axis=1)
            ranks.append(np.where(hit[scores[:, start:end].argmax(axis=1)], rank, np.inf))
    return np.array(ranks).reshape(len(ranks), len(weights))


def _scored(lists: Candidates, weights: Array) -> tuple[list[tuple[str, str, int, str]], Array]:
    """All chunks as (uri, doc_id, ordinal, chunk_id) in this order, and their scores at each
    weight, shape (weights, chunks). An empty list copies the other one, as a search does.
    """
    near = _by_row(lists.near, near_scores)
    found = _by_row(lists.found, lambda scores: found_scores(scores, lists.depth))
    near, found = near or found, found or near
    rows = sorted({**near, **found})
    by_vector = np.array([near.get(row, 0.0) for row in rows])
    by_text = np.array([found.get(row, 0.0) for row in rows])
    return rows, weights[:, None] * by_vector + (1 - weights)[:, None] * by_text


def _by_row(
    hits: Sequence[RankedRow], scaled: Callable[[Array], Array]
) -> dict[tuple[str, str, int, str], float]:
    scores = scaled(np.array([hit.score for hit in hits], np.float64))
    rows = [(hit.uri, hit.doc_id, hit.ordinal, hit.chunk_id) for hit in hits]
    return dict(zip(rows, scores, strict=True))


def _standard_error(values: Array, groups: Groups) -> float:
    """Of the mean, clustered: the root of the sum of squared cluster sums of deviations, over n."""
    sums = np.bincount(groups, values - values.mean())
    return float(np.sqrt((sums**2).sum()) / len(values))
