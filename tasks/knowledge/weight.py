"""One weight for hybrid search, fitted on judged questions, and only kept when it gains on documents not fitted on."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from tasks.knowledge.hybrid import Candidates, found_scores, near_scores

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
    """A question's candidate lists, and what is relevant: (uri, quote that the chunk must contain, or None).

    `rule` is the weight that the question gets without fitting (`Searcher.rule`).
    """

    candidates: Candidates
    relevant: Sequence[tuple[str, str | None]]
    rule: float


def fit_weight(questions: Sequence[Judged]) -> FittedWeight | None:
    """The weight with the best mean nDCG@10, or None where the rule is as good.

    Five folds; questions with a relevant document in common lie in one. None for fewer than 50 questions, and unless
    the gain out of fold is above 0 by 1.645 standard errors, clustered by document. Questions whose rule is 0 (the
    embedder does not know their language) keep it, whatever is fitted, and are left out. Deterministic.
    """
    usable = [question for question in questions if question.rule > 0 and question.relevant]
    if len(usable) < LEAST:
        return None
    gains = np.array([_ndcg(question, WEIGHTS) for question in usable])
    ruled = np.array([_ndcg(question, np.array([question.rule]))[0] for question in usable])
    groups = _groups([{uri for uri, _ in question.relevant} for question in usable])
    held_out = np.empty(len(usable))
    for fold in _folds(groups):
        held_out[fold] = gains[fold, _best(gains[~fold])]
    difference = held_out - ruled
    if difference.mean() <= CONFIDENCE * _standard_error(difference, groups):
        return None
    return FittedWeight(float(WEIGHTS[_best(gains)]), len(usable), float(difference.mean()))


def _best(gains: Any) -> int:
    """The column with the highest mean; of equal ones the middle one."""
    means = gains.mean(axis=0)
    equal = np.flatnonzero(means >= means.max() - 1e-12)
    return int(equal[len(equal) // 2])


def _ndcg(question: Judged, weights: Any) -> Any:
    """nDCG@10 over distinct documents at each weight, shape (weights,): a document's best chunk stands for it."""
    chunks, near, found = _aligned(question.candidates)
    wanted = pd.DataFrame(list(question.relevant), columns=["uri", "quote"])
    relevant = _relevant(chunks, wanted)
    documents = pd.factorize(chunks["doc_id"])[0]
    scores = weights[:, None] * near + (1 - weights)[:, None] * found
    orders = np.argsort(-scores, axis=1, kind="stable")
    ideal = _discounts(min(DEPTH, wanted["uri"].nunique())).sum()
    return np.array([_gain(documents[order], relevant[order]) for order in orders]) / ideal


def _gain(documents: Any, relevant: Any) -> float:
    firsts = np.sort(np.unique(documents, return_index=True)[1])[:DEPTH]
    return float((relevant[firsts] * _discounts(len(firsts))).sum())


def _discounts(count: int) -> Any:
    """1 / log2(rank + 1) for the ranks from 1 to count."""
    return 1.0 / np.log2(np.arange(2, count + 2))


def _aligned(lists: Candidates) -> tuple[pd.DataFrame, Any, Any]:
    """All chunks in the order of uri and ordinal, with both normalised scores. An empty list copies the other one."""
    columns = ["chunk_id", "doc_id", "uri", "ordinal", "text"]
    parts = [part[columns].assign(near=0.0, found=0.0) for part in lists[:2]]
    parts[0]["near"], parts[1]["found"] = near_scores(lists), found_scores(lists)
    both = pd.concat([part for part in parts if len(part)] or parts).astype({"near": float, "found": float})
    scores = both.groupby("chunk_id", sort=False)[["near", "found"]].sum()
    chunks = both.drop_duplicates("chunk_id").drop(columns=["near", "found"]).join(scores, on="chunk_id")
    chunks = chunks.sort_values(["uri", "ordinal", "chunk_id"])
    near, found = chunks["near"].to_numpy(), chunks["found"].to_numpy()
    if parts[0].empty or parts[1].empty:
        near = found = near + found
    return chunks, near, found


def _relevant(chunks: pd.DataFrame, wanted: pd.DataFrame) -> Any:
    quotes = wanted.groupby("uri")["quote"].agg(list).to_dict()
    pairs = zip(chunks["uri"], chunks["text"], strict=True)
    return np.array([any(quote is None or quote in text for quote in quotes.get(uri, [])) for uri, text in pairs], bool)


def _groups(documents: Sequence[set[str]]) -> Any:
    """A number per question; questions that share a document, directly or through others, share the number."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    names = {name: n for n, name in enumerate(sorted(set().union(*documents)))}
    pairs = [(n, len(documents) + names[name]) for n, wanted in enumerate(documents) for name in sorted(wanted)]
    rows, columns = np.array(pairs).T
    size = len(documents) + len(names)
    graph = coo_array((np.ones(len(pairs)), (rows, columns)), shape=(size, size))
    return connected_components(graph, directed=False)[1][:len(documents)]


def _folds(groups: Any) -> list[Any]:
    """A mask of held-out questions per fold: the largest groups first, each into the smallest fold so far."""
    sizes, fold_of = np.bincount(groups), np.empty(groups.max() + 1, int)
    filled = np.zeros(FOLDS, int)
    for group in np.argsort(-sizes, kind="stable"):
        fold_of[group] = filled.argmin()
        filled[fold_of[group]] += sizes[group]
    masks = [fold_of[groups] == fold for fold in range(FOLDS)]
    return [mask for mask in masks if mask.any() and not mask.all()]


def _standard_error(values: Any, groups: Any) -> float:
    """Of the mean, clustered: the root of the sum of squared cluster sums of deviations, over n."""
    sums = np.bincount(groups, values - values.mean())
    return float(np.sqrt((sums**2).sum()) / len(values))
