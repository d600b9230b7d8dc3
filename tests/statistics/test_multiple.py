"""Corrections for several tests."""

import numpy as np
import pytest

from llmops.tasks.statistics.multiple import holm, tarone


def test_holm_is_that_of_the_paper() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([]) == []


@pytest.mark.parametrize(
    ("p_values", "least", "adjusted"),
    [
        ([], [], []),
        ([0.01], [0.001], [0.01]),
        # two could be below 0.05, and one below 0.05 / 2: it is corrected for two, not for three
        ([0.01, 0.5, 0.5], [0.001, 0.04, 0.3], [0.02, 1.0, 1.0]),
        ([0.01, 0.5, 0.5], [0.001, 0.06, 0.3], [0.01, 1.0, 1.0]),
        ([0.01, 0.02, 0.9], [0.001, 0.002, 0.003], [0.03, 0.06, 1.0]),
        ([0.5, 0.5], [0.5, 0.5], [1.0, 1.0]),
    ],
)
def test_tests_that_can_never_reject_cost_the_others_nothing(
    p_values: list[float], least: list[float], adjusted: list[float]
) -> None:
    assert tarone(p_values, least, 0.05) == pytest.approx(adjusted)


def test_tarone_is_never_stricter_than_bonferroni_and_holds_the_rate() -> None:
    """Binomial tests of a fair coin, of 3 to 12 throws: what they can reach differs."""
    from scipy.stats import binom

    random, false = np.random.default_rng(1), 0
    for _ in range(400):
        n = random.integers(3, 13, 40)
        p = binom.sf(random.binomial(n, 0.5) - 1, n, 0.5)
        adjusted = tarone(p.tolist(), (0.5**n).tolist(), 0.05)
        assert all(a <= min(1, 40 * b) + 1e-12 for a, b in zip(adjusted, p, strict=True) if a < 1)
        false += min(adjusted) <= 0.05
    assert false <= 33  # 20 expected at most; more than 33 in 1 of 1,000 cases


@pytest.mark.parametrize(
    ("p_values", "least"), [([1.1], [0.1]), ([0.1], [-0.1]), ([0.1], [0.1, 0.2])]
)
def test_what_is_no_p_value_is_refused(p_values: list[float], least: list[float]) -> None:
    with pytest.raises(ValueError, match="p values"):
        tarone(p_values, least, 0.05)
