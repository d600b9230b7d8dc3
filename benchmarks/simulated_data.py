"""Made-up experiments for `benchmarks.simulations`: two arms that do not differ, in clusters or
not, and differences of known mean.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from scipy.special import expit, logit, ndtr

from llmops.tasks.statistics.arrays import Array

CLUSTERINGS = ("none", "of 5", "unequal")
LIKE = 0.7  # spread of what the cases of a cluster share: once in both arms, once in each


class Layout(NamedTuple):
    """The sizes of clusters, and the number of the cluster of each case."""

    sizes: Array
    cluster: np.ndarray[Any, np.dtype[np.intp]]

    def sums(self, values: Array) -> Array:
        """Of each cluster: experiments x cases to experiments x clusters."""
        if len(self.sizes) == len(self.cluster):
            return values
        starts = np.concatenate([[0], np.cumsum(self.sizes)[:-1]]).astype(int)
        return np.asarray(np.add.reduceat(values, starts, axis=1))


def layout(clustering: str, n: int, random: np.random.Generator) -> Layout:
    """`unequal`: sizes of a heavy tail (Pareto, exponent 1.2), none above a third of all cases."""
    if clustering == "none":
        sizes = [1] * n
    elif clustering == "of 5":
        sizes = [5] * (n // 5)
    else:
        sizes = []
        while sum(sizes) < n:
            sizes.append(min(int(np.ceil(random.pareto(1.2))), n // 3, n - sum(sizes)))
    return Layout(np.array(sizes, dtype=np.float64), np.repeat(np.arange(len(sizes)), sizes))


def _hidden(place: Layout, repeats: int, random: np.random.Generator) -> Array:
    """A normal effect of each cluster, one column per case."""
    return np.asarray(random.normal(0, LIKE, (repeats, len(place.sizes)))[:, place.cluster])


def yes_no(share: float) -> Callable[[Array, np.random.Generator], Array]:
    return lambda effect, random: (
        random.random(effect.shape) < expit(logit(share) + effect)
    ).astype(np.float64)


def f1_like(effect: Array, random: np.random.Generator) -> Array:
    """About 30 % are 0, 35 % are 1, the rest lies between."""
    level = ndtr((effect + random.normal(size=effect.shape)) / np.sqrt(1 + 2 * LIKE**2))
    return np.asarray(np.clip((level - 0.3) / 0.35, 0, 1).round(3))


def costs(effect: Array, random: np.random.Generator) -> Array:
    """Log-normal, as costs and latencies are."""
    return np.exp(effect + random.normal(size=effect.shape))


Draw = Callable[[tuple[int, int], np.random.Generator], Array]
ARMS: dict[str, Callable[[Array, np.random.Generator], Array]] = {
    "yes-no, half": yes_no(0.5),
    "yes-no, 9 in 10": yes_no(0.9),
    "yes-no, 1 in 10": yes_no(0.1),
    "yes-no, 1 in 50": yes_no(0.02),
    "F1-like": f1_like,
    "cost": costs,
    "F1-like, 85 % tied": f1_like,
}


def same_arms(
    kind: str, place: Layout, repeats: int, random: np.random.Generator
) -> tuple[Array, Array]:
    """Experiments x cases of two arms of one kind. Cases of a cluster are alike, and each arm has
    its own luck with a cluster.
    """
    common = _hidden(place, repeats, random)
    first, second = (ARMS[kind](common + _hidden(place, repeats, random), random) for _ in range(2))
    return first, np.where(
        random.random(first.shape) < 0.85, first, second
    ) if "tied" in kind else second


def one_arm(kind: str, place: Layout, repeats: int, random: np.random.Generator) -> Array:
    return ARMS[kind](_hidden(place, repeats, random) + _hidden(place, repeats, random), random)


def truth(kind: str) -> float:
    """The mean of an arm: by quadrature over its normal effects."""
    if kind == "cost":
        return float(np.exp((1 + 2 * LIKE**2) / 2))
    if kind.startswith("F1"):
        return 0.525
    nodes, weights = np.polynomial.hermite_e.hermegauss(80)
    share = {"half": 0.5, "9 in 10": 0.9, "1 in 10": 0.1, "1 in 50": 0.02}[
        kind.removeprefix("yes-no, ")
    ]
    return float(weights @ expit(logit(share) + nodes * LIKE * 2**0.5) / weights.sum())


def _exponential(shape: tuple[int, int], random: np.random.Generator) -> Array:
    return np.asarray(random.exponential(1, shape) - 1)


def _rare_losses(shape: tuple[int, int], random: np.random.Generator) -> Array:
    return np.where(random.random(shape) < 0.1, -0.9, 0.1)


def _seldom(shape: tuple[int, int], random: np.random.Generator) -> Array:
    return np.where(random.random(shape) < 0.6, 0.0, random.exponential(1, shape) - 1)


# Differences of mean 0 that no two equal arms have: they lean to one side.
LEANING: dict[str, Draw] = {
    "many small losses, few great gains": _exponential,
    "9 of 10 gain 0.1, 1 of 10 loses 0.9": _rare_losses,
    "60 % tied, then as the first": _seldom,
}
