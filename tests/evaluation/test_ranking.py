"""Metrics of an arm's retrieval, against values computed by hand."""

from math import log2

import pytest

from llmops.tasks.evaluation.results import Result
from llmops.tasks.evaluation.run import Arm, Retrieval
from llmops.tasks.evaluation.scoring import retrieval_scores
from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.scorers import Case, Passage
from tests.evaluation.runs import arm


def searching(name: str, k: int | None) -> Arm:
    retrieve = Retrieval(knowledge_base="kb", version=1, k=k, mode="text") if k else None
    return arm(name, "{{question}}", Spec(name="extractive"), retrieve=retrieve)


def values(expected: object, uris: str, mine: Arm, *others: Arm) -> dict[str, float | None]:
    case = Case(
        id="c", inputs={"question": "q"}, expected={} if expected is None else {"uris": expected}
    )
    result = Result(
        case_id="c", arm=mine.name, passages=tuple(Passage(text="t", uri=uri) for uri in uris)
    )
    return {
        name: score.value
        for name, score in retrieval_scores(case, mine, result, [mine, *others]).items()
    }


def test_documents_count_once_at_their_best_passage() -> None:
    found = values(["a", "b"], "xaab", searching("A", 4), searching("B", 4))
    ideal = 1 + 1 / log2(3)
    assert found == {
        "retrieval.recall@4": 1.0,
        "retrieval.ndcg@4": pytest.approx((1 / log2(3) + 1 / log2(4)) / ideal),
        "retrieval.mrr@4": 0.5,
    }


def test_arms_of_different_numbers_are_also_measured_where_they_compare() -> None:
    few, many, none = searching("A", 1), searching("B", 3), searching("C", None)
    assert set(values(["a"], "b", few, many, none)) == {
        "retrieval.recall@1",
        "retrieval.ndcg@1",
        "retrieval.mrr@1",
        "retrieval.recall",
    }
    found = values(["a", "z"], "bca", many, few, none)
    assert found["retrieval.recall@1"] == 0
    assert found["retrieval.recall@3"] == found["retrieval.recall"] == 0.5
    assert found["retrieval.mrr@3"] == pytest.approx(1 / 3)


def test_nothing_found_is_zero() -> None:
    assert set(values(["a"], "", searching("A", 5)).values()) == {0.0}


@pytest.mark.parametrize("expected", [None, [], "", [""], {"uri": "a"}, 7])
def test_a_case_that_expects_no_document_is_not_measured(expected: object) -> None:
    assert values(expected, "abc", searching("A", 5)) == {}


def test_a_single_document_may_stand_as_a_text_and_twice_is_once() -> None:
    assert values("a", "a", searching("A", 5)) == values(["a", "a"], "a", searching("A", 5))


def test_an_arm_without_retrieval_is_not_measured() -> None:
    assert values(["a"], "a", searching("A", None), searching("B", 5)) == {}
