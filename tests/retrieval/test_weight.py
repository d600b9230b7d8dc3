"""The weight is fitted where it helps, and only there."""

import numpy as np
import pytest

from llmops.tasks.plugins.stores import RankedRow
from llmops.tasks.retrieval.groups import folds, linked
from llmops.tasks.retrieval.hybrid import Candidates
from llmops.tasks.retrieval.weight import FittedWeight, Judged, fit_weight, ndcg


def row(chunk_id: str, uri: str, ordinal: int, score: float) -> RankedRow:
    return RankedRow(chunk_id, uri, ordinal, f"d-{uri}", 0, 1, score, (None, 0))


def chunks(
    names: list[int], scores: np.ndarray[tuple[int], np.dtype[np.float64]]
) -> list[RankedRow]:
    rows = [row(f"c{n}", f"{n:04}.md", 0, score) for n, score in zip(names, scores, strict=True)]
    return sorted(rows, key=lambda hit: -hit.score)


def judged(
    seed: int,
    vector: float,
    text: float,
    *,
    documents: int = 200,
    rule: float = 0.5,
    size: int = 60,
) -> Judged:
    """A question whose relevant document gets `vector` and `text` on top of noise of deviation
    1.
    """
    random = np.random.default_rng(seed)
    right = int(random.integers(documents))
    names = [right, *(n for n in random.permutation(documents)[:size] if n != right)]
    lift = np.eye(1, len(names))[0]
    near, found = (
        chunks(names, random.standard_normal(len(names)) + part * lift) for part in (vector, text)
    )
    lists, right_uri = Candidates(near, found, size), frozenset({f"{right:04}.md"})
    return Judged(lists, frozenset({f"c{right}"}), right_uri, rule)


@pytest.mark.slow
def test_useless_vectors_get_a_small_weight() -> None:
    fitted = fit_weight([judged(n, 0.0, 3.0) for n in range(200)])
    assert fitted is not None
    assert (fitted.weight <= 0.2, fitted.questions, fitted.gain > 0.05) == (True, 200, True)


def test_useless_text_gets_a_large_weight() -> None:
    fitted = fit_weight([judged(n, 3.0, 0.0) for n in range(200)])
    assert fitted is not None
    assert fitted.weight >= 0.8


def test_where_the_rule_is_right_it_stays() -> None:
    assert fit_weight([judged(n, 2.0, 2.0) for n in range(200)]) is None


@pytest.mark.slow
def test_pure_noise_is_not_fitted() -> None:
    assert (
        sum(
            fit_weight([judged(1_000 * run + n, 0.0, 0.0) for n in range(60)]) is not None
            for run in range(20)
        )
        <= 3
    )


def test_few_questions_are_not_fitted() -> None:
    assert fit_weight([judged(n, 0.0, 3.0) for n in range(49)]) is None
    assert fit_weight([]) is None


def test_questions_in_unknown_languages_are_left_out() -> None:
    assert fit_weight([judged(n, 0.0, 3.0, rule=0.0) for n in range(200)]) is None


def test_the_same_questions_give_the_same_weight() -> None:
    questions = [judged(n, 0.5, 2.0) for n in range(120)]
    assert fit_weight(questions) == fit_weight(questions)
    assert isinstance(fit_weight(questions), FittedWeight)


def test_folds_never_share_a_document() -> None:
    documents = [{"a"}, {"b"}, {"a", "c"}, {"c"}, {"d"}, {"e"}, {"f"}, {"b"}, {"g"}]
    groups = linked(documents)
    assert groups[0] == groups[2] == groups[3]
    assert groups[1] == groups[7]
    assert len(set(groups)) == 6
    held_out = folds(groups)
    assert np.sum(held_out, axis=0).tolist() == [1] * len(documents)
    for fold in held_out:
        inside = set().union(*(documents[n] for n in np.flatnonzero(fold)))
        outside = set().union(*(documents[n] for n in np.flatnonzero(~fold)))
        assert not inside & outside


def test_a_document_counts_by_its_best_chunk() -> None:
    near = [row("c1", "a", 0, 1.0), row("c3", "b", 0, 0.9), row("c2", "a", 1, 0.8)]
    lists, second = Candidates(near, near, 3), 1 / np.log2(3)

    def at(relevant: set[str], documents: set[str]) -> float:
        question = Judged(lists, frozenset(relevant), frozenset(documents), 0.5)
        return float(ndcg(question, np.array([0.5]))[0])

    assert at({"c1", "c2"}, {"a"}) == pytest.approx(1.0)
    assert at({"c1"}, {"a"}) == pytest.approx(1.0)
    assert at({"c2"}, {"a"}) == pytest.approx(0.0)
    assert at({"c3"}, {"b"}) == pytest.approx(second)
    assert at({"c3"}, {"b", "absent"}) == pytest.approx(second / (1 + second))


def test_one_empty_list_is_no_obstacle() -> None:
    full = judged(1, 2.0, 2.0)
    near, found, depth = full.candidates
    for lists in (Candidates(near, [], depth), Candidates([], found, depth)):
        question = Judged(lists, full.relevant, full.documents, 0.5)
        assert len(set(ndcg(question, np.linspace(0, 1, 5)))) == 1
