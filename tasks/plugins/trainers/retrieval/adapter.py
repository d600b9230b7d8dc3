"""An adapter on the query side of a frozen index: q' = norm(q + qA)."""

from dataclasses import dataclass

import numpy as np

from llmops.tasks.errors import Damaged
from llmops.tasks.plugins._safetensors import file_of, tensors_of
from llmops.tasks.plugins.trainers import JudgedPairs, Step, silent
from llmops.tasks.schemas import Vectors
from llmops.tasks.statistics.arrays import Array

TENSOR = "adapter"


@dataclass(frozen=True)
class FittedAdapter:
    """`matrix` of shape (dimension, dimension), float32; `loss`: the cross-entropy of the
    training questions with it, `loss_before`: without.
    """

    matrix: Vectors
    loss: float
    loss_before: float


def turned(vectors: Vectors, matrix: Vectors) -> Vectors:
    """norm(q + qA) of each row. A row that becomes zero stays as it was."""
    moved = vectors + vectors @ matrix
    lengths = np.linalg.norm(moved, axis=1, keepdims=True)
    safe: Vectors = np.where(lengths > 0, moved / np.where(lengths > 0, lengths, 1), vectors)
    return safe.astype(np.float32)


def fit_adapter(
    pairs: JudgedPairs,
    temperature: float,
    ridge: float,
    steps: int,
    step: Step = silent,
) -> FittedAdapter:
    """The matrix A that minimises the mean cross-entropy of each question's passages among all
    passages of the training questions, plus ridge · ‖A - A₀‖² (Frobenius), where A₀ is what the
    questions tell without any judgement (`whitening`).

    The logits are (q + qA) · p / temperature: without the norm they are linear in A, and the
    problem is convex. A question's other relevant passages are left out of its denominator.
    Negatives that nobody judged are not looked for: among those close to a question many are
    relevant. L-BFGS from A₀ (Liu & Nocedal 1989), at most `steps` iterations.
    """
    from scipy.optimize import minimize

    size = pairs.queries.shape[1]
    start = whitening(pairs.queries).ravel()
    problem = AdapterLoss(pairs, temperature, ridge, start)
    before = problem.entropy(np.zeros(size * size))[0]
    step(0, {"loss": problem(start)[0]})
    seen = [0]

    def told(intermediate_result: object) -> None:
        seen[0] += 1
        step(seen[0], {"loss": float(getattr(intermediate_result, "fun", np.nan))})

    found = minimize(
        problem,
        start,
        jac=True,
        method="L-BFGS-B",
        callback=told,
        options={"maxiter": steps},
    )
    matrix = found.x.reshape(size, size).astype(np.float32)
    return FittedAdapter(matrix, problem.entropy(found.x)[0], before)


def whitening(queries: Vectors) -> Array:
    """The adapter that evens out what these questions have in common, without any judgement: I + A
    is proportional to (C + cI)^-1/2, with C their covariance and c its mean eigenvalue, which holds
    where there are fewer questions than dimensions. Their mean length stays as it is.
    """
    exact = queries.astype(np.float64)
    values, axes = np.linalg.eigh(np.cov(exact, rowvar=False, bias=True))
    scale = 1 / np.sqrt(np.maximum(values, 0) + max(float(values.mean()), 1e-12))
    matrix = (axes * scale) @ axes.T
    length = np.linalg.norm(exact @ matrix, axis=1).mean()
    return np.asarray(matrix / max(float(length), 1e-12) - np.eye(len(values)))


class AdapterLoss:
    """The loss of a matrix and its gradient, both for the flat matrix. `centre`: from where the
    ridge counts.
    """

    def __init__(
        self, pairs: JudgedPairs, temperature: float, ridge: float, centre: Array | float = 0.0
    ) -> None:
        self.queries = pairs.queries.astype(np.float64)
        self.passages = pairs.passages.astype(np.float64)
        self.rows, self.columns = pairs.relevant.T
        self.temperature, self.ridge, self.centre = temperature, ridge, centre
        counts = np.bincount(self.rows, minlength=len(self.queries))
        self.shares = 1.0 / counts[self.rows] / len(self.queries)

    def __call__(self, flat: Array) -> tuple[float, Array]:
        loss, gradient = self.entropy(flat)
        away = flat - self.centre
        return loss + self.ridge * float(away @ away), gradient + 2 * self.ridge * away

    def entropy(self, flat: Array) -> tuple[float, Array]:
        """Without the ridge."""
        size = self.queries.shape[1]
        matrix = flat.reshape(size, size)
        logits = (self.queries + self.queries @ matrix) @ self.passages.T / self.temperature
        own = logits[self.rows, self.columns]
        logits[self.rows, self.columns] = -np.inf
        top = np.maximum(logits.max(axis=1), np.full(len(logits), -1e30))
        others = np.exp(logits - top[:, None])
        rest = others.sum(axis=1)
        # each pair against the passages that are not the question's own, and itself
        peak = np.maximum(own, top[self.rows])
        mine = np.exp(own - peak)
        total = mine + rest[self.rows] * np.exp(top[self.rows] - peak)
        loss = float(self.shares @ (peak + np.log(total) - own))
        weights = self.shares * np.exp(top[self.rows] - peak) / total
        slope = others * np.bincount(self.rows, weights, minlength=len(others))[:, None]
        slope[self.rows, self.columns] = self.shares * (mine / total - 1)
        gradient = self.queries.T @ (slope @ self.passages) / self.temperature
        return loss, gradient.ravel()


def to_bytes(matrix: Vectors) -> bytes:
    """As a safetensors file. Equal matrices give equal bytes."""
    return file_of(TENSOR, matrix)


def from_bytes(content: bytes, dimension: int) -> Vectors:
    """The matrix of such a file. Raises Damaged for anything else, and for another dimension."""
    try:
        matrix: Vectors = tensors_of(content)[TENSOR]
    except (Damaged, KeyError) as error:
        raise Damaged(f"the adapter's file cannot be read: {error}") from error
    if matrix.shape != (dimension, dimension) or not np.isfinite(matrix).all():
        raise Damaged(
            f"the adapter has the shape {matrix.shape}, wanted {(dimension, dimension)} of finite "
            "numbers"
        )
    return matrix
