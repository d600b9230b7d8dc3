"""Metrics of an arm's own retrieval, from the passages that its prompt was given."""

from collections.abc import Sequence
from typing import Any

from llmops.tasks.evaluation.run import Arm, Result
from llmops.tasks.plugins.scorers import Case, Score
from llmops.tasks.retrieval.golden import Question, Relevant
from llmops.tasks.retrieval.metrics import metric_name, score

MEASURED = ("recall", "ndcg", "mrr")
FAMILY = "retrieval"


def retrieval_scores(case: Case, arm: Arm, result: Result, arms: Sequence[Arm]) -> dict[str, Score]:
    """`retrieval.recall@5`, `retrieval.ndcg@5` and `retrieval.mrr@5` of an arm that retrieves 5
    passages: distinct documents in the order of their best passages, against `expected.uris`. Empty
    for an arm that retrieves nothing and for a case that expects no document.

    Where arms retrieve different numbers, each is also measured at the smaller ones, so that all
    can be compared, and `retrieval.recall` is over all the passages that the prompt got.
    """
    wanted = _uris(case.expected.get("uris"))
    if arm.retrieve is None or not wanted:
        return {}
    question = Question(
        id=case.id, question=case.id, relevant=tuple(Relevant(uri=uri) for uri in wanted)
    )
    ranking = list(dict.fromkeys((one.uri, "") for one in result.passages if one.uri))
    cuts = sorted({one.retrieve.k for one in arms if one.retrieve})
    found = {
        metric_name(name, k): score(question, ranking, k)[metric_name(name, k)]
        for k in cuts
        if k <= arm.retrieve.k
        for name in MEASURED
    }
    if len(cuts) > 1:
        found["recall"] = found[metric_name("recall", arm.retrieve.k)]
    reason = (
        f"{sum(uri in {one for one, _ in ranking} for uri in wanted)} of {len(wanted)} "
        f"expected documents among {len(ranking)}"
    )
    return {f"{FAMILY}.{name}": Score(value=value, reason=reason) for name, value in found.items()}


def _uris(given: Any) -> list[str]:
    """Distinct uris, in order; a single one may stand as a text."""
    many = [given] if isinstance(given, str) else given if isinstance(given, list) else []
    return list(dict.fromkeys(uri for uri in many if isinstance(uri, str) and uri.strip()))
