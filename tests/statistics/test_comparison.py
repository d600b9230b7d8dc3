"""Comparisons: against scipy and statsmodels, by hand where data are degenerate, and interval
against p everywhere.
"""

from collections.abc import Sequence
from importlib import import_module
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from llmops.tasks.statistics.comparison import Comparison, compare

VALUES = st.sampled_from([0.0, 0.0, 0.0, 0.25, 0.5, 1.0, 1.0, 7.5])
SHARES = st.sampled_from([0.0, 1.0])
NULLS = st.sampled_from([0.0, 0.0, -0.1, 0.05, -0.3, 0.5, 2.0])
ALPHAS = st.sampled_from([0.05, 0.05, 0.1, 0.01, 0.0004, 1e-5])


def arms(values: st.SearchStrategy[float]) -> st.SearchStrategy[list[tuple[float, float, int]]]:
    """Cases as (candidate, baseline, cluster)."""
    return st.lists(st.tuples(values, values, st.integers(0, 20)), min_size=2, max_size=30)


def compared(
    cases: Sequence[tuple[float, float, int]], alone: bool, alpha: float = 0.05, null: float = 0.0
) -> Comparison:
    new, old, labels = zip(*cases, strict=True)
    return compare(new, old, None if alone else labels, alpha=alpha, null=null)


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(st.one_of(arms(VALUES), arms(SHARES)), st.booleans(), ALPHAS, NULLS)
def test_the_interval_leaves_the_null_out_exactly_where_p_is_below_alpha(
    cases: list[tuple[float, float, int]], alone: bool, alpha: float, null: float
) -> None:
    found = compared(cases, alone, alpha, null)
    assert found.low <= found.difference <= found.high
    assert 0 <= found.p_value <= 1
    if abs(found.p_value - alpha) > 1e-9:
        assert (found.low > null or found.high < null) == (found.p_value < alpha)


@pytest.mark.slow
@settings(max_examples=30, deadline=None)
@given(st.one_of(arms(VALUES), arms(SHARES)), st.booleans(), st.randoms(use_true_random=False))
def test_neither_the_order_of_cases_nor_the_names_of_clusters_matter(
    cases: list[tuple[float, float, int]], alone: bool, random: Random
) -> None:
    mixed = [(new, old, 100 - label) for new, old, label in cases]
    random.shuffle(mixed)
    there, back = compared(cases, alone), compared(mixed, alone)
    assert (there.n, there.clusters, there.test) == (back.n, back.clusters, back.test)
    assert [there.p_value, there.low, there.high] == pytest.approx(
        [back.p_value, back.low, back.high]
    )


@pytest.mark.slow
@settings(max_examples=30, deadline=None)
@given(st.one_of(arms(VALUES), arms(SHARES)), st.booleans())
def test_turning_the_arms_round_turns_all_round(
    cases: list[tuple[float, float, int]], alone: bool
) -> None:
    there, back = (
        compared(cases, alone),
        compared([(old, new, label) for new, old, label in cases], alone),
    )
    if there.difference == 0:
        return
    assert there.p_value == pytest.approx(back.p_value)
    assert [there.low, there.high] == pytest.approx([-back.high, -back.low])


def test_symmetric_differences_have_the_p_of_the_paired_t_test_or_more() -> None:
    random = np.random.default_rng(1)
    half = random.normal(0, 1, 40)
    old = random.normal(3, 1, 80)
    new = old + np.concatenate([half, -half]) + 0.25
    theirs, ours = stats.ttest_rel(new, old), compare(new, old)
    assert ours.p_value >= theirs.pvalue - 1e-12
    assert ours.p_value == pytest.approx(theirs.pvalue, abs=0.005)
    assert ours.standard_error == pytest.approx(stats.sem(new - old))
    expected = theirs.confidence_interval()
    assert [ours.low, ours.high] == pytest.approx([expected.low, expected.high], abs=0.01)


def test_clusters_of_equal_differences_count_as_one_case_each() -> None:
    differences = np.random.default_rng(2).normal(0.2, 1, 30)
    once = compare(differences, np.zeros(30))
    fivefold = compare(
        np.repeat(differences, 5), np.zeros(150), np.repeat(np.arange(30), 5).tolist()
    )
    assert fivefold.p_value == pytest.approx(once.p_value)
    assert [fivefold.low, fivefold.high] == pytest.approx([once.low, once.high])
    assert (fivefold.n, fivefold.clusters) == (150, 30)
    assert fivefold.cases_needed == pytest.approx(5 * (once.cases_needed or 0), abs=5)


@pytest.mark.parametrize(
    ("wins", "losses"), [(0, 6), (9, 1), (8, 3), (20, 20), (0, 5), (12, 2), (1, 0)]
)
def test_yes_no_answers_have_the_exact_p_of_mcnemar(wins: int, losses: int) -> None:
    theirs = import_module("statsmodels.stats.contingency_tables").mcnemar(
        [[10, losses], [wins, 0]], exact=True
    )
    new, old = [1] * wins + [0] * losses + [1] * 10, [0] * wins + [1] * losses + [1] * 10
    found = compare(new, old)
    assert found.p_value == pytest.approx(theirs.pvalue)
    assert found.test == "exact McNemar"
    assert found.p_value == compare(new, old, range(len(new))).p_value


def test_five_clusters_never_show_anything_and_six_can() -> None:
    spread = [0.5, 0.6, 0.7, 0.8, 0.9, 1.0]
    five, six = compare(spread[:5], [0] * 5), compare(spread, [0] * 6)
    assert (five.p_value, six.p_value) == (0.0625, 0.03125)
    assert five.low <= 0 < six.low
    assert five.minimum_detectable_effect is None
    assert five.cases_needed == 6
    assert "5 clusters are too few" in five.note


def test_equal_arms_are_no_difference_and_not_a_precise_one() -> None:
    graded, yes = (
        compare([0.3, 0.9, 1.0] * 5, [0.3, 0.9, 1.0] * 5),
        compare([1, 0, 1] * 5, [1, 0, 1] * 5),
    )
    for found in (graded, yes):
        assert (found.difference, found.p_value, found.note) == (0, 1, "no case differs")
        assert found.low < -0.1
        assert found.high > 0.1
        assert found.minimum_detectable_effect is None
        assert found.cases_needed is None


@pytest.mark.parametrize("n", [6, 40, 1000])
def test_a_constant_gain_of_a_graded_metric_is_no_evidence(n: int) -> None:
    old = np.random.default_rng(n).random(n) / 2
    found = compare(old + 0.3, old)
    assert found.p_value == 1
    assert found.low <= 0 < found.high
    assert "without spread" in found.note
    assert compare(old + 0.3, old, null=-0.2).low <= -0.2


def test_a_constant_gain_of_yes_no_answers_is_decided_by_the_exact_test() -> None:
    assert compare([1] * 5, [0] * 5).p_value == pytest.approx(0.0625)
    assert compare([1] * 9, [0] * 9).low > 0
    clusters = sorted(list("abcdefgh") * 3)
    found = compare([1] * 24, [0] * 24, clusters)
    assert (found.test, found.p_value) == ("sign test over clusters", 2**-7)
    assert compare([1] * 24, [0] * 24, clusters, null=-0.1).p_value < found.p_value
    one = compare([1] * 24, [0] * 24, ["doc"] * 24)
    assert one.p_value == 1
    assert one.low <= 0


def test_many_cases_of_one_cluster_are_one_observation() -> None:
    found = compare(np.linspace(0.5, 0.9, 50), np.zeros(50), ["doc"] * 50)
    assert (found.p_value, found.clusters, found.note) == (
        1,
        1,
        "one cluster alone says nothing about others",
    )
    assert found.low <= 0


def test_rare_great_losses_behind_frequent_small_gains_are_seen() -> None:
    """The t test calls this better; its mean may well be 0: one loss of 0.9 in ten would make it
    so.
    """
    differences = [0.1] * 48 + [-0.9] * 2
    assert stats.ttest_1samp(differences, 0).pvalue < 0.05
    assert compare(np.array(differences) + 5, np.full(50, 5.0)).p_value > 0.2


def test_values_that_mean_nothing_are_errors() -> None:
    with pytest.raises(ValueError, match="equal lengths, got 2 and 1"):
        compare([1, 2], [1])
    with pytest.raises(ValueError, match="no values"):
        compare([], [])
    with pytest.raises(ValueError, match="at least two"):
        compare([1], [0])
    with pytest.raises(ValueError, match="not finite"):
        compare([1, float("nan")], [0, 0])
    with pytest.raises(ValueError, match="not finite"):
        compare([1, float("inf")], [0, float("inf")])
    with pytest.raises(ValueError, match="alpha"):
        compare([1, 0], [0, 0], alpha=1.0)
    with pytest.raises(ValueError, match="2 values, but 1 cluster labels"):
        compare([1, 0], [0, 0], ["a"])
