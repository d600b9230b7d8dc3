"""Paired differences: degenerate data by hand, and coverage by simulation."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from benchmarks.simulated_tests import bootstrap_ends
from llmops.tasks.statistics.arrays import Array
from llmops.tasks.statistics.intervals import share_interval, totals
from llmops.tasks.statistics.paired import paired_difference

Draw = Callable[[np.random.Generator, int], tuple[Array, Sequence[int] | None]]


def flips(random: np.random.Generator, n: int) -> tuple[Array, None]:
    """A binary metric: 5 % of the cases are won, 15 % lost; the truth is -0.1."""
    return random.choice([1.0, -1.0, 0.0], n, p=[0.05, 0.15, 0.8]), None


def graded(random: np.random.Generator, n: int) -> tuple[Array, None]:
    """Differences of nDCG at discrete ranks; the truth is -0.1."""
    ranks = np.array([0, 0.3869, 0.5, 0.6309, 1.0])
    new = random.choice(ranks, n, p=[0.3, 0.1, 0.2, 0.2, 0.2])
    return new - random.choice(ranks, n, p=[0.2, 0.1, 0.2, 0.2, 0.3]), None


def clustered(random: np.random.Generator, n: int) -> tuple[Array, Sequence[int]]:
    """n clusters of one to ten cases that share an effect, 40 % ties; the truth is 0."""
    labels = np.repeat(np.arange(n), 1 + random.poisson(3, n))
    values = random.normal(0, 0.15, n)[labels] + random.normal(0, 0.2, len(labels))
    return np.where(random.random(len(labels)) < 0.6, values, 0.0), labels.tolist()


@pytest.mark.slow
@pytest.mark.parametrize(("draw", "truth"), [(flips, -0.1), (graded, -0.1), (clustered, 0.0)])
@pytest.mark.parametrize("n", [20, 50, 200])
def test_the_interval_holds_the_truth_as_often_as_it_says(draw: Draw, truth: float, n: int) -> None:
    random, repeats = np.random.default_rng(7), 400
    experiments = [draw(random, n) for _ in range(repeats)]
    rows = [totals(values, labels) for values, labels in experiments]
    low, high = bootstrap_ends(np.array([sums for sums, _ in rows]), np.array([s for _, s in rows]))
    for (values, labels), ends in zip(experiments[:20], zip(low, high, strict=True), strict=False):
        effect = paired_difference(values, np.zeros_like(values), labels)
        assert (effect.low, effect.high) == pytest.approx(ends, abs=1e-9)
    held = np.mean((low - 1e-9 <= truth) & (truth <= high + 1e-9))
    assert 0.92 <= held <= 0.98


@pytest.mark.slow
@pytest.mark.parametrize(("share", "n"), [(0.5, 20), (0.9, 20), (0.9, 50), (0.97, 200)])
def test_the_interval_of_a_share_holds_the_truth_as_often_as_it_says(share: float, n: int) -> None:
    random, repeats = np.random.default_rng(7), 2_000
    intervals = (share_interval((random.random(n) < share).astype(float)) for _ in range(repeats))
    assert 0.92 <= sum(low <= share <= high for low, high in intervals) / repeats <= 0.99


def test_equal_results_are_no_difference() -> None:
    effect = paired_difference([0.5, 1.0, 0.0], [0.5, 1.0, 0.0])
    assert (effect.difference, effect.low, effect.high, effect.n, effect.clusters) == (
        0.0,
        0.0,
        0.0,
        3,
        3,
    )


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5])
def test_a_few_equal_differences_never_exclude_zero(n: int) -> None:
    for gain in (0.1, -1.0):
        effect = paired_difference([gain] * n, [0.0] * n)
        assert effect.low <= 0 <= effect.high
        assert effect.low <= effect.difference <= effect.high


def test_six_equal_differences_exclude_zero_as_in_the_sign_test() -> None:
    assert paired_difference([1.0] * 6, [0.0] * 6).low == pytest.approx(2 * 0.025 ** (1 / 6) - 1)
    assert paired_difference([0.0] * 6, [1.0] * 6).high < 0


def test_many_cases_of_one_cluster_are_one_observation() -> None:
    effect = paired_difference(np.linspace(0.5, 0.9, 50), np.zeros(50), ["doc"] * 50)
    assert (effect.n, effect.clusters) == (50, 1)
    assert effect.low < 0 < effect.high


def test_turning_the_arms_round_turns_the_interval_round() -> None:
    random = np.random.default_rng(2)
    a, b = random.random(50), random.random(50)
    there, back = paired_difference(a, b), paired_difference(b, a)
    assert there.difference == pytest.approx(-back.difference)
    assert [there.low, there.high] == pytest.approx([-back.high, -back.low], abs=0.01)


def test_pairs_need_equal_lengths_and_at_least_one_case() -> None:
    with pytest.raises(ValueError, match="equal lengths, got 2 and 1"):
        paired_difference([1, 2], [1])
    with pytest.raises(ValueError, match="no values"):
        paired_difference([], [])
