"""Power: against statsmodels and the textbook; Holm against statsmodels; non-inferiority against
the interval.
"""

from importlib import import_module

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmops.tasks.statistics.multiple import holm
from llmops.tasks.statistics.noninferiority import noninferior
from llmops.tasks.statistics.power import (
    cases_needed,
    detectable_effect,
    least_clusters,
    minimum_detectable_effect,
    power_of,
)


def unit(n: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """n values of standard deviation 1."""
    values = np.random.default_rng(n).normal(size=n)
    return np.asarray((values - values.mean()) / values.std(ddof=1))


@pytest.mark.parametrize("n", [5, 10, 34, 199])
@pytest.mark.parametrize("alpha", [0.05, 0.01])
def test_power_and_the_least_effect_are_those_of_statsmodels(n: int, alpha: float) -> None:
    theirs = import_module("statsmodels.stats.power").TTestPower()
    assert power_of(0.4, n**-0.5, n - 1, alpha) == pytest.approx(
        theirs.power(0.4, n, alpha), abs=1e-5
    )
    assert detectable_effect(n**-0.5, n - 1, alpha) == pytest.approx(
        theirs.solve_power(nobs=n, alpha=alpha, power=0.8), rel=1e-4
    )
    assert minimum_detectable_effect(3 * unit(n), alpha=alpha, power=0.9) == pytest.approx(
        3 * theirs.solve_power(nobs=n, alpha=alpha, power=0.9), rel=1e-4
    )


@pytest.mark.parametrize(("effect", "n"), [(0.2, 199), (0.5, 34), (0.8, 15)])
def test_cases_needed_are_those_of_the_textbook(effect: float, n: int) -> None:
    """Cohen (1988): small, medium and large effects, paired, 80 % at 5 %."""
    assert cases_needed(unit(50), effect) == n
    assert cases_needed(unit(50), -effect) == n


def test_clusters_that_are_one_case_each_need_as_many_clusters() -> None:
    labels = np.repeat(np.arange(50), 4).tolist()
    assert cases_needed(np.repeat(unit(50), 4), 0.5, labels) == pytest.approx(4 * 34, abs=3)
    assert minimum_detectable_effect(np.repeat(unit(50), 4), labels) == pytest.approx(
        minimum_detectable_effect(unit(50))
    )


def test_no_number_of_cases_is_below_what_can_be_significant() -> None:
    assert [least_clusters(alpha) for alpha in (0.1, 0.05, 0.03125, 0.01)] == [5, 6, 7, 8]
    assert cases_needed(unit(50), 50.0) == 6
    assert cases_needed(unit(50), 1e-9) == 10**9


def test_the_least_effect_has_a_value_for_the_fewest_clusters_and_the_strictest_levels() -> None:
    effects = [
        detectable_effect(1, freedom, alpha)
        for freedom in (0.3, 1, 5, 10_000)
        for alpha in (0.05, 1e-6)
    ]
    assert all(np.isfinite(effects))
    assert effects[0] > effects[2] > effects[4] > effects[6] > 2.8


def test_what_cannot_be_computed_is_an_error() -> None:
    with pytest.raises(ValueError, match="other than 0"):
        cases_needed(unit(50), 0)
    with pytest.raises(ValueError, match="no spread"):
        cases_needed([0.3] * 9, 0.1)
    with pytest.raises(ValueError, match="one cluster"):
        minimum_detectable_effect([0.3, 0.4], ["a", "a"])
    with pytest.raises(ValueError, match="power"):
        minimum_detectable_effect(unit(9), power=0.01)
    with pytest.raises(ValueError, match="above 0"):
        detectable_effect(0, 5)


@pytest.mark.slow
def test_holm_is_that_of_statsmodels() -> None:
    multipletests = import_module("statsmodels.stats.multitest").multipletests
    random = np.random.default_rng(5)
    for count in (1, 2, 5, 40):
        values = (random.random(count) ** 3).round(3).tolist()
        assert holm(values) == pytest.approx(multipletests(values, method="holm")[1].tolist())


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=30), st.floats(0.01, 0.5))
def test_holm_rejects_what_the_procedure_rejects_step_by_step(
    values: list[float], alpha: float
) -> None:
    rejected = 0
    for step, value in enumerate(sorted(values)):
        if value * (len(values) - step) >= alpha:
            break
        rejected += 1
    assert sum(value < alpha for value in holm(values)) == rejected


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([]) == []
    with pytest.raises(ValueError, match=r"\[1.5\]"):
        holm([0.5, 1.5])
    with pytest.raises(ValueError, match="nan"):
        holm([float("nan")])


@pytest.mark.slow
@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=2, max_size=16),
    st.sampled_from([0.0, 0.1, 0.4]),
    st.booleans(),
)
def test_not_worse_is_that_the_interval_lies_within_the_margin(
    cases: list[tuple[float, float]], margin: float, higher: bool
) -> None:
    new, old = zip(*cases, strict=True)
    found = noninferior(new, old, margin, higher_is_better=higher)
    turned = noninferior(old, new, margin, higher_is_better=not higher)
    assert found.holds == (found.bound > -margin if higher else found.bound < margin)
    assert found.holds == (found.p_value < 0.025)
    if found.comparison.difference != 0:
        assert turned.p_value == pytest.approx(found.p_value)


def test_not_worse_by_example() -> None:
    new, old = [1] * 180 + [0] * 20, [1] * 190 + [0] * 10
    assert noninferior(new, old, 0.1).holds
    assert not noninferior(new, old, 0.05).holds
    assert noninferior(
        [1.0, 1.2, 0.9] * 20, [1.0, 1.1, 1.0] * 20, 0.1, higher_is_better=False
    ).holds
    assert not noninferior([0.7] * 50, [0.5] * 50, 0.1).holds
    with pytest.raises(ValueError, match="must not be below 0"):
        noninferior(new, old, -0.1)
