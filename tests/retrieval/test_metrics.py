"""Retrieval metrics against values by hand and against scikit-learn."""

import warnings
from math import log2

import numpy as np
import pytest

from llmops.tasks.retrieval.golden import Question, Relevant
from llmops.tasks.retrieval.measure import judge, ndcg, score


def _question(*relevant: str | tuple[str, str]) -> Question:
    items = tuple(
        Relevant(uri=r) if isinstance(r, str) else Relevant(uri=r[0], quote=r[1]) for r in relevant
    )
    return Question(id="q", question="?", relevant=items)


def _ranking(*uris: str) -> list[tuple[str, str]]:
    return [(uri, "text") for uri in uris]


def test_metrics_by_hand() -> None:
    values = score(_question("a", "b", "c"), _ranking("x", "a", "y", "b", "z", "c"), 5)
    dcg, ideal = 1 / log2(3) + 1 / log2(5), 1 + 1 / log2(3) + 1 / log2(4)
    assert values == {
        "recall@5": pytest.approx(2 / 3),
        "ndcg@5": pytest.approx(dcg / ideal),
        "mrr@5": 0.5,
        "precision@1": 0.0,
        "hit@5": 1.0,
    }


@pytest.mark.parametrize(("ranking", "expected"), [(["a", "b"], 1.0), ([], 0.0), (["x", "y"], 0.0)])
def test_perfect_and_empty_rankings(ranking: list[str], expected: float) -> None:
    assert set(score(_question("a", "b"), _ranking(*ranking), 2).values()) == {expected}


def test_more_relevant_documents_than_k_can_still_be_ranked_ideally() -> None:
    values = score(_question("a", "b", "c", "d"), _ranking("d", "b", "x"), 2)
    assert (values["ndcg@2"], values["recall@2"]) == (1.0, 0.5)


def test_a_quote_must_stand_in_the_chunk_and_quotes_of_one_document_are_alternatives() -> None:
    question = _question(("a", "caf\u00e9  opens"), ("a", "closes"), "b")
    assert judge(question, [("a", "the cafe\u0301\nopens"), ("b", "")]) == [True, True]
    assert judge(question, [("a", "it closes"), ("c", "it closes")]) == [True, False]
    assert judge(question, [("a", "The Caf\u00e9 Opens")]) == [False]
    assert score(question, [("a", "it closes"), ("b", "")], 5)["recall@5"] == 1.0
    assert judge(_question(("a", "q"), "a"), [("a", "anything")]) == [True]


def test_a_document_counts_once_even_if_a_ranking_repeats_it() -> None:
    assert score(_question("a"), _ranking("a", "a", "a"), 3)["ndcg@3"] == 1.0


def test_k_below_one_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least 1, got 0"):
        score(_question("a"), [], 0)


@pytest.mark.parametrize("k", [1, 3, 5, 10])
def test_ndcg_agrees_with_scikit_learn(k: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its import warns of its own dependencies
        sklearn = pytest.importorskip("sklearn.metrics")
    random = np.random.default_rng(k)
    for _ in range(200):
        gains = random.random(20) < 0.3
        if gains.any():
            theirs = sklearn.ndcg_score([gains.astype(float)], [np.arange(20, 0, -1)], k=k)
            assert ndcg(gains[:k].tolist(), int(gains.sum()), k) == pytest.approx(theirs)
