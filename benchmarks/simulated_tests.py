"""The tests and intervals of `llmops.tasks.statistics` for many experiments at once, for
`benchmarks.simulations`.

All stand on the functions that `compare` and `mean_interval` are made of, and tests hold them to
give the same.
"""

from collections.abc import Iterator
from functools import cache

import numpy as np
from scipy.special import stdtrit

from benchmarks.simulated_data import Layout
from llmops.tasks.statistics import cluster_robust, mcnemar
from llmops.tasks.statistics.arrays import Array
from llmops.tasks.statistics.intervals import RESAMPLES, expanded_tail
from llmops.tasks.statistics.sign_flips import p_of, turned

ALPHA, CHUNK = 0.05, 1_000


def chunks(experiments: int, *seed: int) -> Iterator[tuple[int, np.random.Generator]]:
    """Numbers of experiments, each with its own generator."""
    for start in range(0, experiments, CHUNK):
        yield min(CHUNK, experiments - start), np.random.default_rng([*seed, start])


def flips_p(sums: Array, sizes: Array, null: float = 0.0) -> Array:
    """The p of `SignFlips` of each experiment: the sum of the clusters turned round lies on the
    other side.
    """
    moved, below, above = sums - null * sizes, np.zeros(len(sums)), np.zeros(len(sums))
    rounding = 1e-12 * max(1.0, float(np.abs(moved).sum(axis=1).max()))
    for block in turned(len(sizes)):
        turned_round = block @ moved.T
        below += (turned_round <= rounding).sum(axis=0)
        above += (turned_round >= -rounding).sum(axis=0)
    return np.array([p_of(int(count), len(sizes)) for count in np.minimum(below, above)])


def robust_p(sums: Array, sizes: Array, binary: bool, null: float = 0.0) -> tuple[Array, Array]:
    """(p of `compare`, p of the t test alone) of each experiment with clusters, or with a metric
    that is not yes-no.
    """
    constant = np.ptp(sums / sizes, axis=1) < 1e-12
    found = cluster_robust.fit(
        np.where(constant[:, None], np.arange(len(sizes)) * 1.0, sums), sizes
    )
    plain = cluster_robust.p_value(found._replace(skewness=np.zeros_like(found.skewness)), null)
    p = np.maximum(cluster_robust.p_value(found, null), flips_p(sums, sizes, null))
    unanimous = np.where(binary & (np.abs(sums[:, 0]) > 0), 2.0 ** (1 - len(sizes)), 1.0)
    return np.where(constant, unanimous, p), np.where(constant, 1.0, plain)


@cache
def exact_p(wins: int, losses: int, n: int, null: float) -> float:
    """The p of `compare` for yes-no answers without clusters."""
    inside = null * (wins - losses) >= 0 and abs(null) * n <= abs(wins - losses)
    return max(
        mcnemar.score_p(wins, losses, n, null), mcnemar.exact_p(wins, losses) if inside else 0.0
    )


def exact_ps(differences: Array, null: float = 0.0) -> Array:
    wins, losses = (differences > 0).sum(axis=1).tolist(), (differences < 0).sum(axis=1).tolist()
    return np.array(
        [exact_p(a, b, differences.shape[1], null) for a, b in zip(wins, losses, strict=True)]
    )


def bootstrap_ends(sums: Array, sizes: Array) -> tuple[Array, Array]:
    """The ends of `mean_interval` of each experiment; `sizes`: of the clusters, the same in all
    experiments or a row for each. How often a cluster is drawn depends on their number alone.
    """
    count = sums.shape[1]
    tail = expanded_tail(count, 1 - ALPHA)
    drawn = np.random.default_rng(count).integers(0, count, (RESAMPLES, count), dtype=np.int32)
    times = np.bincount(
        (drawn + count * np.arange(RESAMPLES)[:, None]).ravel(), minlength=RESAMPLES * count
    ).reshape(RESAMPLES, count)
    times = times.T.astype(np.float64)
    means = (sums @ times) / (sizes @ times)
    low, high = np.quantile(means, [tail, 1 - tail], axis=1, overwrite_input=True)
    return low, high


def share_ends(sums: Array, sizes: Array) -> tuple[Array, Array]:
    """The ends of `share_interval` of each experiment."""
    found = cluster_robust.fit(sums, sizes)
    spread = found.error > 1e-6
    effective = np.where(
        spread, found.mean * (1 - found.mean) / np.where(spread, found.error, 1) ** 2, len(sizes)
    )
    square = stdtrit(found.freedom, 1 - ALPHA / 2) ** 2
    centre = (found.mean + square / (2 * effective)) / (1 + square / effective)
    half = np.sqrt(
        square
        * (np.maximum(found.mean * (1 - found.mean), 0) / effective + square / (4 * effective**2))
    )
    half /= 1 + square / effective
    return np.maximum(0, centre - half), np.minimum(1, centre + half)


def p_of_compare(differences: Array, place: Layout, binary: bool, null: float = 0.0) -> Array:
    """The p of `compare` of each experiment (a row of cases)."""
    if binary and len(place.sizes) == len(place.cluster):
        return exact_ps(differences, null)
    return robust_p(place.sums(differences), place.sizes, binary, null)[0]
