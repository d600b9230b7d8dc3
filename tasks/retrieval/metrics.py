"""Retrieval metrics of one question, from a ranking of distinct documents, each with its best
chunk's text.

A document is relevant when the question names its uri and, where quotes are given, its chunk
contains one of them (compared as `golden.normalise` says). All metrics lie in [0, 1]; an empty
ranking scores 0.
"""

from collections.abc import Mapping, Sequence
from math import log2

from llmops.tasks.retrieval.golden import Question, normalise

METRICS = ("recall", "ndcg", "mrr", "precision", "hit")
Ranking = Sequence[tuple[str, str]]


def metric_name(metric: str, k: int) -> str:
    """`recall` at 5 is "recall@5"; precision is always measured at 1."""
    return "precision@1" if metric == "precision" else f"{metric}@{k}"


def score(question: Question, ranking: Ranking, k: int) -> dict[str, float]:
    """All metrics of one question by their full names, e.g. {"recall@5": 1.0, …}. Raises ValueError
    for k below 1.
    """
    if k < 1:
        raise ValueError(f"k counts documents and must be at least 1, got {k}")
    gains = judge(question, ranking)[:k]
    relevant = len({item.uri for item in question.relevant})
    values = {
        "recall": recall(gains, relevant),
        "ndcg": ndcg(gains, relevant, k),
        "mrr": reciprocal_rank(gains),
        "precision": float(bool(gains) and gains[0]),
        "hit": float(any(gains)),
    }
    return {metric_name(metric, k): value for metric, value in values.items()}


def judge(question: Question, ranking: Ranking) -> list[bool]:
    """For every rank, whether it is relevant. A uri that comes twice counts at its first relevant
    rank only.
    """
    wanted = _wanted(question)
    found: set[str] = set()
    gains = []
    for uri, text in ranking:
        relevant = uri in wanted and uri not in found and _contains(text, wanted[uri])
        found |= {uri} if relevant else set()
        gains.append(relevant)
    return gains


def recall(gains: Sequence[bool], relevant: int) -> float:
    """Found over all relevant documents (trec_eval `recall`)."""
    return sum(gains) / relevant


def ndcg(gains: Sequence[bool], relevant: int, k: int) -> float:
    """Normalised discounted cumulated gain with binary gains: sum of gain / log2(rank + 1), over
    that of the ideal.

    The ideal ranking has min(relevant, k) documents at the top. Järvelin & Kekäläinen (2002),
    Cumulated gain-based evaluation of IR techniques, with the discount of trec_eval's `ndcg_cut`.
    """
    gained = sum(1 / log2(rank + 1) for rank, gain in enumerate(gains, 1) if gain)
    return gained / sum(1 / log2(rank + 1) for rank in range(1, min(relevant, k) + 1))


def reciprocal_rank(gains: Sequence[bool]) -> float:
    """1 / rank of the first relevant document, 0 without one (trec_eval `recip_rank`, cut at k)."""
    return next((1 / rank for rank, gain in enumerate(gains, 1) if gain), 0.0)


def _wanted(question: Question) -> Mapping[str, list[str]]:
    """Quotes by uri; an empty list where any chunk of the document will do."""
    wanted: dict[str, list[str]] = {}
    anywhere = {item.uri for item in question.relevant if item.quote is None}
    for item in question.relevant:
        quotes = wanted.setdefault(item.uri, [])
        if item.quote is not None and item.uri not in anywhere:
            quotes.append(normalise(item.quote))
    return wanted


def _contains(text: str, quotes: Sequence[str]) -> bool:
    if not quotes:
        return True
    chunk = normalise(text)
    return any(quote in chunk for quote in quotes)
