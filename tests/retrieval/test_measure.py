"""Measuring a ranking function on a golden set."""

import json
from collections.abc import Sequence

import pytest

from llmops.tasks.retrieval.golden import Question, Relevant
from llmops.tasks.retrieval.measure import Measurement, measure

Ranked = list[list[tuple[str, str]]]
QUESTIONS = [
    Question(
        id=f"q{i}", question=f"Where is {i}?", relevant=(Relevant(uri=f"d{i}"), Relevant(uri="all"))
    )
    for i in range(4)
]


def by_rank(questions: Sequence[str], k: int, mode: str) -> Ranked:
    """Question i finds its document at rank i + 1 (never, from rank k on); the mode "all" finds
    everything.
    """
    if mode == "all":
        return [[(f"d{i}", ""), ("all", "")] for i in range(len(questions))]
    return [[("x", "")] * min(i, k) + [(f"d{i}", "")] * (i < k) for i in range(len(questions))]


def test_the_object_of_kb_measure() -> None:
    result = json.loads(json.dumps(measure(QUESTIONS, by_rank, 3, ["hybrid", "all"]).to_json()))
    assert (result["k"], result["questions"], list(result["modes"])) == (3, 4, ["hybrid", "all"])
    hybrid = result["modes"]["hybrid"]
    assert list(hybrid) == ["recall@3", "ndcg@3", "mrr@3", "precision@1", "hit@3"]
    assert hybrid["recall@3"]["value"] == pytest.approx(3 / 8)
    assert hybrid["mrr@3"]["value"] == pytest.approx((1 + 1 / 2 + 1 / 3) / 4)
    assert hybrid["precision@1"]["value"] == 0.25
    low, high = hybrid["mrr@3"]["interval"]
    assert 0 <= low < hybrid["mrr@3"]["value"] < high <= 1
    assert result["modes"]["all"]["ndcg@3"] == {
        "value": 1.0,
        "interval": [pytest.approx(0.28, abs=0.02), 1.0],
    }


def test_the_worst_questions_of_the_first_mode_come_worst_first() -> None:
    measured = measure(QUESTIONS, by_rank, 3, ["hybrid", "all"])
    assert [entry["id"] for entry in measured.worst()] == ["q3", "q2", "q1", "q0"]
    assert measured.worst(1) == [
        {"id": "q3", "question": "Where is 3?", "expected": ["d3", "all"], "got": ["x", "x", "x"]}
    ]
    assert measure(QUESTIONS, by_rank, 3, ["all"]).worst() == []


def test_a_measurement_travels_as_json() -> None:
    measured = measure(QUESTIONS, by_rank, 3, ["hybrid"])
    assert Measurement.model_validate_json(measured.model_dump_json()) == measured


def test_clusters_are_the_first_relevant_documents() -> None:
    shared = [
        Question(id=str(i), question="?", relevant=(Relevant(uri=f"d{i // 5}"),)) for i in range(40)
    ]
    alone = [
        Question(id=str(i), question="?", relevant=(Relevant(uri=f"d{i}"),)) for i in range(40)
    ]

    def half(questions: Sequence[str], k: int, mode: str) -> Ranked:
        return [
            [(f"d{i // 5}", ""), (f"d{i}", "")] if i // 5 % 2 else [] for i in range(len(questions))
        ]

    wide, narrow = (
        measure(q, half, 2, ["hybrid"]).to_json()["modes"]["hybrid"]["recall@2"]
        for q in (shared, alone)
    )
    assert wide["value"] == narrow["value"] == 0.5
    assert wide["interval"][1] - wide["interval"][0] > 1.8 * (
        narrow["interval"][1] - narrow["interval"][0]
    )


def test_wrong_calls_are_errors() -> None:
    for questions, k, modes in (
        ([], 3, ["hybrid"]),
        (QUESTIONS, 0, ["hybrid"]),
        (QUESTIONS, 3, []),
    ):
        with pytest.raises(ValueError, match="measuring needs"):
            measure(questions, by_rank, k, modes)
    with pytest.raises(ValueError, match="answered 0 of 4 questions in mode hybrid"):
        measure(QUESTIONS, lambda questions, k, mode: [], 3, ["hybrid"])


@pytest.mark.slow
def test_thousands_of_questions_are_scored() -> None:
    many = [
        Question(id=str(i), question="?", relevant=(Relevant(uri=f"d{i}", quote="of it"),))
        for i in range(8_000)
    ]
    answer = [[(f"d{i + j - 3}", "a part of it " * 20) for j in range(10)] for i in range(8_000)]
    result = measure(many, lambda questions, k, mode: answer, 10, ["hybrid"]).to_json()
    assert result["modes"]["hybrid"]["mrr@10"]["value"] == 0.25
