"""How far raters agree beyond chance: Cohen's kappa, Krippendorff's alpha, with intervals over
items.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from llmops.tasks.statistics import coefficients
from llmops.tasks.statistics.arrays import Array
from llmops.tasks.statistics.coefficients import Level, Weights
from llmops.tasks.statistics.intervals import expanded_tail

RESAMPLES = 2_000
ONE_LABEL = (
    "undefined: all ratings are one and the same label, so chance alone would agree as fully"
)
NO_DISAGREEMENT = (
    "no rating differs: the low end supposes as many disagreements as could have stayed unseen"
)
NO_SPREAD = (
    "all items, or one rater's labels, are alike: nothing is known of the spread, and the "
    "interval is the whole range"
)
OFTEN_UNDEFINED = (
    "more than 5 % of the resamples have one label alone: the interval leaves them out"
)


@dataclass(frozen=True)
class Agreement:
    """`value` of the `coefficient` (kappa or alpha) with its interval over items; `agreement`: the
    plain share of equal pairs.

    `value`, `low` and `high` are None where the coefficient is undefined. `n`: items that count.
    `note` is empty, or a sentence.
    """

    coefficient: str
    value: float | None
    low: float | None
    high: float | None
    agreement: float
    n: int
    note: str = ""


def cohen_kappa(
    a: Sequence[Any],
    b: Sequence[Any],
    labels: Sequence[Any] | None = None,
    weights: Weights | None = None,
) -> float | None:
    """Cohen's kappa of two raters of the same items; None where it is undefined: both gave one and
    the same label alone.

    `labels`: all labels in order; None: those seen, sorted. `weights`: a disagreement counts by the
    distance of the labels' places in that order, or by its square. Cohen (1960), A coefficient of
    agreement for nominal scales; Cohen (1968), Weighted kappa. Raises ValueError without items, for
    unequal lengths, or for a label that is not among `labels`.
    """
    counts = coefficients.table(a, b, labels)
    return _number(coefficients.kappas(counts, coefficients.distances(len(counts), weights)))


def krippendorff_alpha(ratings: Sequence[Sequence[Any]], level: Level = "nominal") -> float | None:
    """Krippendorff's alpha of `ratings`: one row per rater, one column per item, None where a rater
    gave none.

    Items with fewer than two ratings do not count. Labels of level `ordinal` are sorted, of level
    `interval` they are numbers. None where it is undefined: one label alone. Krippendorff (2011),
    Computing Krippendorff's Alpha-Reliability. Raises ValueError where no item has two ratings, or
    rows differ in length.
    """
    parts = coefficients.ratings_of(ratings, level)
    return _number(coefficients.alphas(np.ones((1, len(parts.counts))), parts, level)[0])


def agreement(
    a: Sequence[Any],
    b: Sequence[Any],
    labels: Sequence[Any] | None = None,
    weights: Weights | None = None,
    *,
    confidence: float = 0.95,
) -> Agreement:
    """Cohen's kappa with the interval of the expanded percentile bootstrap over items (Hesterberg
    2015). Raises as `cohen_kappa`.

    Deterministic; the order of items does not matter. Items are taken as independent of each other.
    """
    counts = coefficients.table(a, b, labels)
    apart = coefficients.distances(len(counts), weights)
    worst = np.zeros_like(counts)
    worst[0, -1] = worst[-1, 0] = len(a) / 2
    return _summary(
        "kappa",
        lambda tables: coefficients.kappas(tables.reshape(-1, *counts.shape), apart),
        counts.ravel(),
        worst.ravel(),
        float(np.trace(counts)) / len(a),
        confidence,
    )


def reliability(
    ratings: Sequence[Sequence[Any]], level: Level = "nominal", *, confidence: float = 0.95
) -> Agreement:
    """Krippendorff's alpha with the same interval. Raises as `krippendorff_alpha`."""
    parts = coefficients.ratings_of(ratings, level)
    kinds, times = np.unique(parts.counts, axis=0, return_counts=True)
    extremes = np.zeros_like(kinds[:1])
    np.add.at(extremes, (0, [0, -1]), 1)
    weighed = parts._replace(counts=np.concatenate([kinds, extremes]))
    return _summary(
        "alpha",
        lambda weights: coefficients.alphas(weights, weighed, level),
        np.append(times, 0.0),
        np.append(np.zeros(len(kinds)), len(parts.counts)),
        coefficients.agreeing(parts),
        confidence,
    )


def _summary(
    name: str,
    coefficient: Callable[[Array], Array],
    counts: Array,
    worst: Array,
    equal: float,
    confidence: float,
) -> Agreement:
    """`counts`: how often each kind of item came; `worst`: as many items of the greatest
    disagreement.
    """
    n = round(float(counts.sum()))
    value = _number(coefficient(counts[None])[0])
    if value is None:
        return Agreement(name, None, None, None, equal, n, ONE_LABEL)
    seen = ((1 - confidence) / 2) ** (1 / n)
    if equal == 1:
        return Agreement(
            name,
            value,
            _number(coefficient((seen * counts + (1 - seen) * worst)[None])[0]),
            value,
            equal,
            n,
            NO_DISAGREEMENT,
        )
    drawn = coefficient(
        np.random.default_rng(n).multinomial(n, counts / n, RESAMPLES).astype(np.float64)
    )
    drawn, defined = drawn[~np.isnan(drawn)], float(np.mean(~np.isnan(drawn)))
    if n == 1 or np.ptp(drawn) < 1e-12:
        return Agreement(name, value, -1.0, 1.0, equal, n, NO_SPREAD)
    tail = expanded_tail(n, confidence)
    low, high = (float(end) for end in np.quantile(drawn, [tail, 1 - tail]))
    return Agreement(
        name,
        value,
        min(low, value),
        max(high, value),
        equal,
        n,
        "" if defined >= 0.95 else OFTEN_UNDEFINED,
    )


def _number(value: Array | float) -> float | None:
    return None if np.isnan(value) else float(value)
