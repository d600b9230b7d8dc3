"""What others would do with the same weeks, for `benchmarks.drift`: thresholds that were set once
for all data, and other points to compare.

The thresholds are the defaults of Evidently's methods for embeddings (`distance`, `mmd`, `model` in
`embedding_drift_methods.py`); PSI above .2 is the rule of thumb of credit scoring.
"""

import numpy as np
from scipy.stats import rankdata

from llmops.tasks.schemas import Vectors
from llmops.tasks.statistics.arrays import Array
from llmops.tasks.statistics.drift import UnitPool, points_of

FEATURES = 512


def distance(now: Vectors, before: Vectors) -> bool:
    """Euclidean distance of the mean vectors above .2."""
    return bool(np.linalg.norm(now.mean(axis=0) - before.mean(axis=0)) > 0.2)


def mmd(now: Vectors, before: Vectors) -> bool:
    """Unbiased MMD² with a Gaussian kernel of the median distance above .015."""
    every = np.concatenate([now, before])
    squares = np.maximum(2 - 2 * every @ every.T, 0)
    n, m = len(now), len(before)
    kernel = np.exp(-squares / np.median(squares[:n, n:]))
    np.fill_diagonal(kernel, 0)
    within = kernel[:n, :n].sum() / (n * (n - 1)) + kernel[n:, n:].sum() / (m * (m - 1))
    return bool(within - 2 * kernel[:n, n:].mean() > 0.015)


def classifier(now: Vectors, before: Vectors) -> bool:
    """A linear classifier of the two windows has an AUC above .55 on the half not learnt from."""
    every = np.concatenate([now, before]).astype(np.float64)
    target = np.concatenate([np.ones(len(now)), np.zeros(len(before))])
    order = np.random.default_rng(42).permutation(len(every))
    learnt, held = order[::2], order[1::2]
    mean = every[learnt].mean(axis=0)
    centred = every[learnt] - mean
    ridge = centred.T @ centred + np.eye(every.shape[1])
    weights = np.linalg.solve(ridge, centred.T @ (target[learnt] - target[learnt].mean()))
    ranks, new = rankdata((every[held] - mean) @ weights), target[held] == 1
    pairs = new.sum() * (~new).sum()
    return bool(pairs and (ranks[new].sum() - new.sum() * (new.sum() + 1) / 2) / pairs > 0.55)


def psi(now: Vectors, before: Vectors) -> bool:
    """The population stability index of the likeness to the mean before, in ten bins, above .2."""
    mean = before.mean(axis=0)
    edges = np.quantile(before @ mean, np.linspace(0.1, 0.9, 9))
    shares = [
        (np.bincount(np.searchsorted(edges, each @ mean), minlength=10) + 0.5) / (len(each) + 5)
        for each in (now, before)
    ]
    return bool(((shares[0] - shares[1]) * np.log(shares[0] / shares[1])).sum() > 0.2)


OTHERS = {
    "distance of means above .2": distance,
    "MMD² above .015": mmd,
    "AUC of a classifier above .55": classifier,
    "PSI above .2": psi,
}


def means(pool: UnitPool, unlike: Array) -> Array:
    """The distance of means alone."""
    return points_of(pool, np.zeros_like(unlike))


def alone(pool: UnitPool, unlike: Array) -> Array:
    """How unlike the others, alone."""
    return points_of(pool, unlike)[:, -1:]


def gaussian(pool: UnitPool, unlike: Array) -> Array:
    """Random Fourier features of a Gaussian kernel of the median distance (Rahimi & Recht 2007)."""
    del unlike
    random = np.random.default_rng(0)
    vectors = pool.vectors[pool.starts].astype(np.float64)
    squares = 2 - 2 * vectors[:300] @ vectors[:300].T
    width = np.sqrt(2 / np.median(squares[np.triu_indices(len(squares), 1)]))
    angles = vectors @ random.normal(0, width, (vectors.shape[1], FEATURES))
    features = np.cos(angles + random.uniform(0, 2 * np.pi, FEATURES))
    return np.asarray(features - features.mean(axis=0), np.float64)


def whitened(pool: UnitPool, unlike: Array) -> Array:
    """Means, each direction in units of its spread."""
    points = points_of(pool, np.zeros_like(unlike))[:, :-1]
    spread = points.var(axis=0)
    return np.asarray(points / np.sqrt(spread + spread.mean()), np.float64)


POINTS = {
    "means and unlikeness (ours)": points_of,
    "means": means,
    "unlikeness": alone,
    "Gaussian kernel": gaussian,
    "whitened means": whitened,
}
