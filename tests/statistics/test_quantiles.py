"""A quantile lies in its interval as often as the interval says."""

import numpy as np
import pytest

from llmops.tasks.statistics.quantiles import quantile, quantile_interval


def test_the_quantile_is_a_value_that_was_observed() -> None:
    assert quantile([4, 1, 3, 2], 0.5) == 2
    assert quantile([1, 2, 3], 0.5) == 2
    assert quantile(list(range(1, 101)), 0.95) == 95
    assert quantile([7], 0.95) == 7
    with pytest.raises(ValueError, match="no values"):
        quantile([], 0.5)


@pytest.mark.parametrize(("clusters", "share"), [(60, 0.5), (150, 0.95)])
def test_the_true_quantile_is_covered_where_values_of_a_cluster_are_alike(
    clusters: int, share: float
) -> None:
    """Half of the variance is the cluster's; the true quantile is that of a normal."""
    from scipy.special import ndtri

    random, true, hits = np.random.default_rng(5), float(ndtri(share)), 0
    for _ in range(300):
        labels = np.repeat(np.arange(clusters), 1 + random.poisson(2, clusters))
        shared, own = random.normal(size=clusters)[labels], random.normal(size=len(labels))
        found = quantile_interval(np.sqrt(0.5) * (shared + own), share, labels.tolist())
        assert found is not None
        hits += found[0] <= true <= found[1]
    assert 0.91 <= hits / 300 <= 0.98


def test_too_few_clusters_have_no_interval() -> None:
    values = list(range(400))
    assert quantile_interval(values, 0.95, [each % 71 for each in values]) is None
    assert quantile_interval(values, 0.95, [each % 72 for each in values]) is not None
    assert quantile_interval([1, 2, 3, 4, 5], 0.5) is None


def test_equal_values_are_their_own_interval() -> None:
    assert quantile_interval([3.0] * 50, 0.5) == (3.0, 3.0)


def test_what_is_not_finite_is_refused() -> None:
    with pytest.raises(ValueError, match="not finite"):
        quantile_interval([1.0, float("nan")], 0.5)
