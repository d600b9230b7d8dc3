"""Intervals: by hand, against scipy, and by how often they hold the truth."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from llmops.tasks.statistics.intervals import mean_interval, share_interval, wilson_interval


@pytest.mark.parametrize(("successes", "trials"), [(0, 10), (10, 10), (8, 10), (1, 300), (50, 100)])
def test_wilson_agrees_with_scipy(successes: int, trials: int) -> None:
    theirs = stats.binomtest(successes, trials).proportion_ci(method="wilson")
    assert list(wilson_interval(successes, trials)) == pytest.approx([theirs.low, theirs.high])


def test_a_share_of_yes_and_no_is_close_to_wilson_and_never_narrower() -> None:
    for successes in range(0, 101, 5):
        low, high = share_interval([1.0] * successes + [0.0] * (100 - successes))
        wilson = wilson_interval(successes, 100)
        assert [low, high] == pytest.approx(list(wilson), abs=0.005)
        assert high - low >= wilson[1] - wilson[0] - 1e-9


def test_the_mean_of_many_normal_values_has_the_interval_of_student() -> None:
    values = np.random.default_rng(3).normal(5, 2, 60)
    theirs = stats.t.interval(0.95, 59, loc=values.mean(), scale=stats.sem(values))
    assert mean_interval(values) == pytest.approx(theirs, abs=0.06)


def test_without_spread_a_mean_is_a_point_and_a_share_is_not() -> None:
    assert list(mean_interval([0.3] * 9)) == pytest.approx([0.3, 0.3])
    assert mean_interval([4.0]) == (4.0, 4.0)
    assert list(share_interval([1.0] * 40)) == pytest.approx([0.907, 1.0], abs=0.001)
    assert share_interval([1.0]) == (0.0, 1.0)


def test_clusters_of_equal_answers_count_as_one() -> None:
    values = np.random.default_rng(5).random(30)
    tenfold, labels = np.repeat(values, 10), np.repeat(np.arange(30), 10).tolist()
    assert mean_interval(tenfold, labels) == pytest.approx(mean_interval(values))
    assert share_interval(tenfold, labels) == pytest.approx(share_interval(values))


def test_neither_order_nor_the_names_of_clusters_matter() -> None:
    values, labels = [0.1, 0.9, 0.4, 1.0, 0.0, 0.3], ["a", "b", "a", "c", "d", "d"]
    mixed = [3, 1, 5, 0, 4, 2]
    renamed = [f"x{labels[i]}" for i in mixed]
    assert mean_interval(values, labels) == mean_interval([values[i] for i in mixed], renamed)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(-1, 1), min_size=2, max_size=30), st.integers(0, 29), st.floats(0, 1))
def test_raising_a_value_lowers_neither_end(values: list[float], index: int, by: float) -> None:
    low, high = mean_interval(values)
    assert min(values) - 1e-9 <= low <= high <= max(values) + 1e-9
    values[index % len(values)] += by
    raised = mean_interval(values)
    assert raised[0] >= low - 1e-9
    assert raised[1] >= high - 1e-9


def test_values_that_mean_nothing_are_errors() -> None:
    for call in (mean_interval, share_interval):
        with pytest.raises(ValueError, match="no values"):
            call([])
        with pytest.raises(ValueError, match="not finite"):
            call([0.5, float("nan")])
        with pytest.raises(ValueError, match="2 values, but 1 cluster labels"):
            call([0.5, 0.2], ["a"])
    with pytest.raises(ValueError, match=r"shares lie in \[0, 1\], got -0.1 to 1.5"):
        share_interval([-0.1, 1.5])
    with pytest.raises(ValueError, match="trials"):
        wilson_interval(1, 0)
