"""The adapter is the minimum of its loss, and its file is read as it was written, or not at all."""

from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError
from scipy.optimize import check_grad

from llmops.tasks.errors import Damaged, UsageError
from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.trainers import JudgedPairs, Trainer, TrainingData, TrainingRun, silent
from llmops.tasks.plugins.trainers.retrieval.adapter import (
    AdapterLoss,
    fit_adapter,
    from_bytes,
    to_bytes,
    turned,
    whitening,
)
from llmops.tasks.schemas import Vectors


def directions(random: np.random.Generator, *shape: int) -> Vectors:
    drawn = random.normal(size=shape)
    return np.asarray(drawn / np.linalg.norm(drawn, axis=1, keepdims=True), np.float32)


def drawn(size: int = 6, questions: int = 9) -> JudgedPairs:
    random = np.random.default_rng(3)
    relevant = [(n, n % 7) for n in range(questions)] + [(0, 5), (4, 1)]
    return JudgedPairs(
        directions(random, questions, size), directions(random, 7, size), np.array(relevant)
    )


def rotated() -> JudgedPairs:
    """Passages lie where a fixed rotation takes their questions."""
    random = np.random.default_rng(5)
    rotation = np.linalg.qr(random.normal(size=(16, 16)))[0]
    queries = directions(random, 60, 16)
    return JudgedPairs(
        queries, np.asarray(queries @ rotation, np.float32), np.array([(n, n) for n in range(60)])
    )


def test_the_gradient_is_that_of_the_loss() -> None:
    loss = AdapterLoss(drawn(), 0.1, 0.15, centre=np.linspace(-0.1, 0.1, 36))
    at = np.random.default_rng(1).normal(size=36) * 0.1
    assert check_grad(lambda x: loss(x)[0], lambda x: loss(x)[1], at) < 1e-4


def test_the_loss_is_a_softmax_over_the_passages_of_others() -> None:
    pairs = drawn()
    found = AdapterLoss(pairs, temperature=0.5, ridge=1.0)(np.zeros(36))[0]
    told = []
    for n in range(len(pairs.queries)):
        own = [p for q, p in pairs.relevant if q == n]
        logits = pairs.queries[n].astype(float) @ pairs.passages.T.astype(float) / 0.5
        others = [np.exp(logits[p]) for p in range(7) if p not in own]
        told.append(
            np.mean([-np.log(np.exp(logits[p]) / (np.exp(logits[p]) + sum(others))) for p in own])
        )
    assert found == pytest.approx(np.mean(told), abs=1e-6)


def test_a_rotation_is_learnt_and_holds_for_questions_that_were_not_trained_on() -> None:
    every = rotated()
    known = JudgedPairs(every.queries[:45], every.passages[:45], every.relevant[:45])
    steps: list[float] = []
    fitted = fit_adapter(known, 0.1, 0.001, 50, lambda _, numbers: steps.append(numbers["loss"]))
    assert fitted.loss < 0.5 * fitted.loss_before
    assert steps == sorted(steps, reverse=True)
    before = every.queries[45:] @ every.passages.T
    after = turned(every.queries[45:], fitted.matrix) @ every.passages.T
    right = np.arange(45, 60)
    assert (after.argmax(axis=1) == right).mean() > 2 * (before.argmax(axis=1) == right).mean()
    assert (after.argmax(axis=1) == right).mean() > 0.5


def test_whitening_evens_out_what_questions_have_in_common() -> None:
    random = np.random.default_rng(4)
    spread = np.array([8, 4, 2, 1, 1, 1, 1, 1])
    queries = np.asarray(random.normal(size=(500, 8)) * spread, np.float32)
    queries /= np.linalg.norm(queries, axis=1, keepdims=True)
    moved = queries + queries @ whitening(queries)
    before, after = (np.linalg.eigvalsh(np.cov(each, rowvar=False)) for each in (queries, moved))
    assert after[-1] / after[0] < 0.3 * before[-1] / before[0]
    assert np.linalg.norm(moved, axis=1).mean() == pytest.approx(1)
    assert np.isfinite(whitening(queries[:1])).all()  # fewer than dimensions


def test_turned_vectors_have_length_one_and_without_an_adapter_are_the_same() -> None:
    queries = drawn().queries
    moved = turned(queries, np.random.default_rng(2).normal(size=(6, 6)).astype(np.float32))
    assert np.linalg.norm(moved, axis=1) == pytest.approx(1, abs=1e-6)
    assert turned(queries, np.zeros((6, 6), np.float32)) == pytest.approx(queries, abs=1e-6)
    assert (turned(queries, -np.eye(6, dtype=np.float32)) == queries).all()  # all would be zero


def test_equal_data_give_equal_files(tmp_path: Path) -> None:
    trainer = Spec(name="retrieval", options={"knowledge_base": "kb", "questions": "g"}).build(
        Trainer
    )
    written = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        made = trainer.train(TrainingData("", pairs=drawn()), TrainingRun(tmp_path / name, silent))
        written.append((tmp_path / name / made.files[0]).read_bytes())
    assert written[0] == written[1]
    assert from_bytes(written[0], 6).shape == (6, 6)


def test_a_file_of_something_else_is_refused() -> None:
    good = to_bytes(np.zeros((4, 4), np.float32))
    with pytest.raises(Damaged, match=r"shape \(4, 4\), wanted \(8, 8\)"):
        from_bytes(good, 8)
    for bad in (good[:-8], b"", b"not a file", to_bytes(np.full((4, 4), np.nan, np.float32))):
        with pytest.raises(Damaged):
            from_bytes(bad, 4)


def test_wrong_options_are_told() -> None:
    with pytest.raises(ValidationError, match="nothing to learn from"):
        Spec(name="retrieval", options={"knowledge_base": "kb"}).build(Trainer)
    for options in ({"ridge": 0}, {"folds": 1}, {"temperature": -1}, {"knowledge_base": "A b"}):
        given = {"knowledge_base": "kb", "questions": "g", **options}
        with pytest.raises(ValidationError):
            Spec(name="retrieval", options=given).build(Trainer)


def test_nothing_to_learn_from_is_an_error(tmp_path: Path) -> None:
    trainer = Spec(name="retrieval", options={"knowledge_base": "kb", "feedback": "app"})
    with pytest.raises(UsageError, match="no judged question"):
        trainer.build(Trainer).train(TrainingData(""), TrainingRun(tmp_path, silent))
