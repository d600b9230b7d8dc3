"""The parts of the cluster-robust test: against matrices written out, scipy's permutation test, and
published intervals.
"""

import math

import numpy as np
import pytest
from scipy import optimize, stats

from llmops.tasks.statistics import cluster_robust, mcnemar
from llmops.tasks.statistics.arrays import Array
from llmops.tasks.statistics.sign_flips import SignFlips, draws, turned

SIZES = np.array([1, 1, 2, 5, 9, 30.0])


def test_variance_and_degrees_of_freedom_are_those_of_the_matrices() -> None:
    """CR2 and Satterthwaite as Pustejovsky & Tipton (2018) write them, for a regression on a
    constant.
    """
    labels = np.repeat(np.arange(len(SIZES)), SIZES.astype(int))
    values = np.random.default_rng(1).normal(size=len(labels)) + labels
    n, ones = len(labels), np.ones((len(labels), 1))
    hat = ones @ ones.T / n
    rows, meat = [], 0.0
    for cluster in range(len(SIZES)):
        chosen = labels == cluster
        inverse_root = _inverse_root(np.eye(chosen.sum()) - hat[np.ix_(chosen, chosen)])
        residuals = values[chosen] - values.mean()
        meat += (inverse_root @ residuals).sum() ** 2 / n**2
        rows.append(((np.eye(n) - hat)[chosen].T @ inverse_root @ ones[chosen] / n).ravel())
    parts = np.array(rows) @ np.array(rows).T
    found = cluster_robust.fit(
        np.asarray(np.bincount(labels, weights=values), dtype=np.float64), SIZES
    )
    assert float(found.error) ** 2 == pytest.approx(meat)
    assert float(found.freedom) == pytest.approx(np.trace(parts) ** 2 / np.trace(parts @ parts))


def _inverse_root(matrix: Array) -> Array:
    values, vectors = np.linalg.eigh(matrix)
    return np.asarray(vectors @ np.diag(values**-0.5) @ vectors.T)


def test_without_skewness_it_is_the_t_test_and_the_interval_is_the_p_inverted() -> None:
    values = np.random.default_rng(2).exponential(1, (50, 25))
    ones = np.ones(25)
    found = cluster_robust.fit(values, ones)
    straight = found._replace(skewness=np.zeros(50))
    assert cluster_robust.p_value(straight, 1.1) == pytest.approx(
        stats.ttest_1samp(values, 1.1, axis=1).pvalue
    )
    for end in cluster_robust.interval(found, 0.05):
        assert cluster_robust.p_value(found, end) == pytest.approx(0.05)
    low, high = cluster_robust.interval(straight, 0.05)
    assert np.stack([low, high], axis=1) == pytest.approx(
        np.stack(stats.ttest_1samp(values, 0, axis=1).confidence_interval(0.95), axis=1)
    )


@pytest.mark.parametrize("null", [0.0, 0.3, -0.2])
def test_sign_flips_of_few_clusters_are_all_of_them(null: float) -> None:
    sums = np.random.default_rng(3).normal(0.4, 1, 11)
    theirs = stats.permutation_test(
        (sums - null,), np.mean, permutation_type="samples", n_resamples=np.inf
    )
    assert SignFlips(sums, np.ones(11)).p_value(null) == pytest.approx(theirs.pvalue)


def test_sign_flips_of_more_clusters_are_drawn_and_near_the_t_test() -> None:
    sums = np.random.default_rng(4).normal(0.25, 1, 150)
    flips = SignFlips(sums, np.ones(150))
    assert flips.p_value(0) == pytest.approx(stats.ttest_1samp(sums, 0).pvalue, abs=0.0005)
    expected = stats.ttest_1samp(sums, 0).confidence_interval()
    assert flips.interval(0.05) == pytest.approx((expected.low, expected.high), abs=0.01)
    assert SignFlips(sums + 5, np.ones(150)).p_value(0) == 0


@pytest.mark.parametrize("count", [1, 2, 5, 13, 14, 300, 12_345])
def test_each_draw_turns_some_clusters_round(count: int) -> None:
    blocks = [(len(block), block.shape[1], block.any(axis=1).all()) for block in turned(count)]
    assert sum(rows for rows, _, _ in blocks) == draws(count) - 1
    assert all(columns == count and some for _, columns, some in blocks)


def test_the_score_interval_is_the_published_one() -> None:
    """Fagerland, Lydersen & Laake (2014), Recommended tests and confidence intervals for paired
    binomial proportions, table V.
    """
    assert mcnemar.score_interval(1, 7, 21, 0.05) == pytest.approx((-0.517, -0.026), abs=0.0005)


@pytest.mark.parametrize(
    ("wins", "losses", "n", "difference"),
    [(1, 7, 21, 0.1), (0, 1, 44, -0.2), (12, 3, 40, -0.05), (0, 0, 30, 0.08)],
)
def test_the_score_test_stands_on_the_likelihood_under_the_null(
    wins: int, losses: int, n: int, difference: float
) -> None:
    def lost(share: float) -> float:
        terms = zip(
            (wins, losses, n - wins - losses),
            (share + difference, share, 1 - 2 * share - difference),
            strict=True,
        )
        return -sum(count * math.log(max(p, 1e-300)) for count, p in terms if count)

    bounds = (max(0.0, -difference), (1 - difference) / 2)
    best = optimize.minimize_scalar(
        lost, bounds=bounds, method="bounded", options={"xatol": 1e-12}
    ).x
    expected = (wins - losses - n * difference) / np.sqrt(
        n * (2 * best + difference - difference**2)
    )
    assert mcnemar.score(wins, losses, n, difference) == pytest.approx(expected, rel=1e-4)


def test_the_score_test_of_no_difference_is_mcnemars_without_correction() -> None:
    assert mcnemar.score(12, 2, 44, 0.0) == pytest.approx(10 / 14**0.5)
    assert mcnemar.score_p(5, 0, 5, 1.0) == 1
    assert mcnemar.score_p(4, 0, 5, 1.0) == 0
