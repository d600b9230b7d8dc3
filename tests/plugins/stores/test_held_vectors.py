"""Nearest vectors from codes of 8 bits: exactly those that a comparison of every vector finds."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from llmops.tasks.plugins.stores.lancedb import vectors as lancedb_vectors
from llmops.tasks.plugins.stores.lancedb.vectors import (
    HeldVectors,
    VectorCodes,
    VectorsBatch,
    coded,
    cosines,
)
from llmops.tasks.schemas import Vectors

Kind = str
KINDS = ("gaussian", "clustered", "spiky", "sparse", "equal", "nearly equal")


def made(kind: Kind, rows: int, dimension: int, chance: np.random.Generator) -> Vectors:
    points = chance.standard_normal((rows, dimension))
    if kind == "clustered":
        points = points[np.arange(rows) % 3] + 0.05 * points
    elif kind == "spiky":  # one large number leaves few steps for the others
        points[:, 0] *= 200
    elif kind == "sparse":
        points[chance.random(points.shape) < 0.9] = 0
        points[:, -1] += 0.01
    elif kind == "equal":
        points = points[np.arange(rows) % 2]
    elif kind == "nearly equal":
        points = points[:1] + 1e-4 * points
    return (points * chance.uniform(0.01, 100, (rows, 1))).astype(np.float32)


def held(points: Vectors, most: int, reads: list[int]) -> HeldVectors:
    def read(places: NDArray[np.intp]) -> Vectors:
        reads.append(len(places))
        rows: Vectors = points[places]
        return rows

    half = len(points) // 2
    parts = (np.arange(half), np.arange(half, len(points)))
    batches = (VectorsBatch(part, points[part]) for part in parts if len(part))
    found = HeldVectors.load(batches, points.shape, most, read)
    assert found is not None
    return found


@settings(max_examples=150, deadline=None)
@given(
    kind=st.sampled_from(KINDS),
    rows=st.integers(2, 400),
    dimension=st.integers(1, 96),
    k=st.integers(1, 60),
    share=st.sampled_from([None, 0.0, 0.1, 0.7]),
    questions=st.integers(1, 3),
    seed=st.integers(0, 2**32 - 1),
)
def test_the_nearest_are_those_of_a_full_comparison(
    kind: Kind,
    rows: int,
    dimension: int,
    k: int,
    share: float | None,
    questions: int,
    seed: int,
) -> None:
    chance = np.random.default_rng(seed)
    points = made(kind, rows + questions, dimension, chance)
    points, asked = points[:rows], points[rows:]
    mask = None if share is None else chance.random(rows) < share
    places = np.arange(rows) if mask is None else np.flatnonzero(mask)
    reads: list[int] = []
    codes = rows * (dimension + 3 * 4)
    for most in (codes, 2**30):
        for point, found in zip(
            asked, held(points, most, reads).nearest(asked, k, mask), strict=True
        ):
            scores = dict(zip(found[0].tolist(), found[1].tolist(), strict=True))
            wanted = cosines(points.__getitem__, point, places)
            true = dict(zip(places.tolist(), wanted.tolist(), strict=True))
            assert scores.items() <= true.items()
            least = min(sorted(scores.values(), reverse=True)[:k], default=-2.0)
            assert len(scores) >= min(k, len(places))
            assert {place for place, score in true.items() if score > least} <= scores.keys()
            if k < len(places):  # equal ones are all there: their names decide
                assert {p for p, score in true.items() if score == least} <= scores.keys()


@pytest.mark.parametrize("kind", KINDS)
def test_no_cosine_is_farther_from_its_code_than_is_said(kind: Kind) -> None:
    chance = np.random.default_rng(7)
    points = made(kind, 2_000, 64, chance)
    codes = VectorCodes(points.shape)
    codes.put(VectorsBatch(np.arange(2_000), points))
    for point in made(kind, 20, 64, chance):
        rough = codes.compared(point / np.linalg.norm(point))
        true = cosines(points.__getitem__, point, np.arange(2_000))
        assert (np.abs(true - rough.cosines) <= rough.errors + 1e-6).all()
        assert rough.errors.max() < 0.2


def test_few_vectors_are_read_in_full() -> None:
    """Of vectors in clusters, as texts on some subjects have them."""
    chance = np.random.default_rng(3)
    subjects = chance.standard_normal((200, 384))
    points = subjects[chance.integers(0, 200, 20_000)] + 0.6 * chance.standard_normal((20_000, 384))
    reads: list[int] = []
    vectors = held(points.astype(np.float32), 20_000 * 400, reads)
    for point in points[:20].astype(np.float32):
        list(vectors.nearest(point[None], 100, None))
    assert max(reads) < 1_000


def test_many_rows_are_compared_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    points = made("gaussian", 1_000, 16, np.random.default_rng(5))
    codes = VectorCodes((1_000, 16))
    codes.put(VectorsBatch(np.arange(1_000), points))
    whole = codes.compared(points[0] / np.linalg.norm(points[0]))
    monkeypatch.setattr(lancedb_vectors, "PART_ROWS", 300)
    parts = codes.compared(points[0] / np.linalg.norm(points[0]))
    assert parts.cosines.tolist() == whole.cosines.tolist()


def test_codes_of_a_direction() -> None:
    directions: Any = np.array([[0.6, -0.8], [1.0, 0.0]], np.float32)
    codes, steps, left_out = coded(directions)
    assert codes.tolist() == [[95, -127], [127, 0]]
    assert np.allclose(steps, [0.8 / 127, 1 / 127])
    assert np.allclose(left_out, [abs(0.6 - 95 * 0.8 / 127), 0], atol=1e-7)
