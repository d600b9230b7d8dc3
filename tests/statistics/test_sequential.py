"""Confidence sequences: validity at every look, what a constant may show, units, errors."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmops.tasks.statistics.sequential import FIRST_LOOK, bets, confidence_sequence, log_wealth


def test_before_any_case_all_is_possible() -> None:
    assert confidence_sequence([], bound=2.0) == (-2.0, 2.0)
    assert confidence_sequence([]) == (-math.inf, math.inf)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(-1, 1), min_size=1, max_size=40), st.sampled_from([1.0, 3.0]))
def test_ends_once_reached_stay_and_the_mirror_image_mirrors(
    values: list[float], bound: float
) -> None:
    low, high = -bound, bound
    for count in range(1, len(values) + 1):
        new = confidence_sequence(values[:count], bound=bound)
        assert low - 1e-7 <= new[0] <= new[1] <= high + 1e-7
        low, high = new
    turned = confidence_sequence([-value for value in values], bound=bound)
    assert turned == pytest.approx((-high, -low), abs=1e-7)


def test_the_interval_closes_in_on_the_mean() -> None:
    values = np.random.default_rng(1).choice([1.0, 0.0, -1.0], 2000, p=[0.3, 0.6, 0.1])
    for bound in (1.0, None):
        low, high = confidence_sequence(values, bound=bound)
        assert low < 0.2 < high
        assert 0.05 < high - low < 0.15


@pytest.mark.parametrize("side", [1, -1])
def test_wealth_is_a_fair_game_under_the_true_mean(side: int) -> None:
    """Every path of eight fair yes-no units: the mean wealth is what one began with, so ever
    reaching w has probability 1/w at most.
    """
    paths = np.array(
        [[path >> step & 1 for step in range(8)] for path in range(256)], dtype=np.float64
    )
    wealth = np.exp(log_wealth(paths, bets(paths, 0.05), 0.5, side))
    assert wealth.mean(axis=0) == pytest.approx(np.ones(8))


def test_a_constant_does_not_pass_before_the_bound_allows_it() -> None:
    """Units of 1 in [0, 1]: who stakes all on the mean being above 1/2 doubles each time, so 2^n <
    2 / alpha cannot exclude it.
    """
    assert all(confidence_sequence([1.0] * n, bound=1.0)[0] <= 0 for n in range(6))
    assert confidence_sequence([1.0] * 20, bound=1.0)[0] > 0
    assert all(confidence_sequence([0.01] * n, bound=1.0)[0] <= 0 for n in (10, 50, 100))
    assert confidence_sequence([0.01] * 500) == (-math.inf, math.inf)
    low, high = confidence_sequence([0.0] * 100, bound=1.0)
    assert low < -0.02
    assert high > 0.02


def test_without_a_bound_nothing_is_said_of_few_units() -> None:
    values = np.random.default_rng(2).normal(5, 1, FIRST_LOOK)
    assert confidence_sequence(values[:-1]) == (-math.inf, math.inf)
    low, high = confidence_sequence(values)
    assert 0 < low < 5 < high


def test_clusters_are_units_in_the_order_of_their_first_case() -> None:
    values, labels = [0.5, -0.5, 1.0, 0.0, 0.25], ["b", "a", "b", "c", "a"]
    assert confidence_sequence(values, labels, bound=1.0) == confidence_sequence(
        [0.75, -0.125, 0.0], bound=1.0
    )


def test_a_higher_bound_costs_width_and_a_stricter_level_too() -> None:
    values = np.random.default_rng(3).uniform(-1, 1, 100)
    widths = [
        np.ptp(confidence_sequence(values, alpha=alpha, bound=bound))
        for alpha, bound in ((0.05, 1), (0.05, 4), (0.01, 1))
    ]
    assert widths[0] < min(widths[1:])


def test_values_that_mean_nothing_are_errors() -> None:
    with pytest.raises(ValueError, match="beyond the bound of 1"):
        confidence_sequence([0.5, -1.5], bound=1.0)
    with pytest.raises(ValueError, match="not finite"):
        confidence_sequence([float("nan")])
    with pytest.raises(ValueError, match="the bound is above 0"):
        confidence_sequence([0.5], bound=0.0)
    with pytest.raises(ValueError, match="2 values, but 1 cluster labels"):
        confidence_sequence([0.5, 0.1], ["a"])
