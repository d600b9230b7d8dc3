"""Coefficients of agreement from counts; each for many tables or weightings of items at once, so
that a bootstrap is one call.
"""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np

from llmops.tasks.statistics.arrays import Array

Weights = Literal["linear", "quadratic"]
Level = Literal["nominal", "ordinal", "interval"]


class Ratings(NamedTuple):
    """Items as counts of labels (items x labels, two ratings or more each), and the labels'
    numbers.
    """

    counts: Array
    numbers: Array


def table(a: Sequence[Any], b: Sequence[Any], labels: Sequence[Any] | None) -> Array:
    """Counts of items by the label that each of two raters gave. Raises ValueError as `cohen_kappa`
    says.
    """
    if len(a) != len(b) or len(a) == 0:
        raise ValueError(
            f"two raters of the same items are needed, got {len(a)} and {len(b)} ratings"
        )
    places = {
        label: place for place, label in enumerate(ordered({*a, *b}) if labels is None else labels)
    }
    unknown = [label for label in (*a, *b) if label not in places]
    if unknown:
        raise ValueError(f"label {unknown[0]!r} is not among the labels {list(places)}")
    counts = np.zeros((len(places), len(places)))
    np.add.at(counts, ([places[one] for one in a], [places[one] for one in b]), 1)
    return counts


def distances(count: int, weights: Weights | None) -> Array:
    """How much a disagreement of two labels counts, by their places."""
    apart = np.abs(np.subtract.outer(np.arange(count), np.arange(count))).astype(np.float64)
    return (
        (apart > 0).astype(np.float64)
        if weights is None
        else apart
        if weights == "linear"
        else apart**2
    )


def kappas(tables: Array, apart: Array) -> Array:
    """Of each table (any number of leading axes); nan where chance alone agrees fully."""
    n = tables.sum(axis=(-2, -1))
    seen = (tables * apart).sum(axis=(-2, -1)) / n
    rows, columns = tables.sum(axis=-1), tables.sum(axis=-2)
    chance = ((rows @ apart) * columns).sum(axis=-1) / n**2
    return _beyond_chance(seen, chance)


def ratings_of(rows: Sequence[Sequence[Any]], level: Level) -> Ratings:
    """Raises ValueError as `krippendorff_alpha` says."""
    if len({len(row) for row in rows}) > 1:
        raise ValueError(
            f"one row per rater, of one length each; got lengths {[len(row) for row in rows]}"
        )
    columns = [[one for one in item if one is not None] for item in zip(*rows, strict=True)]
    items = [item for item in columns if len(item) > 1]
    if not items:
        raise ValueError("no item has two ratings; nothing can agree")
    labels = ordered({one for item in items for one in item})
    places = {label: place for place, label in enumerate(labels)}
    counts = np.zeros((len(items), len(labels)))
    for row, item in enumerate(items):
        np.add.at(counts[row], [places[one] for one in item], 1)
    return Ratings(
        counts, np.array(labels if level == "interval" else range(len(labels)), dtype=np.float64)
    )


def alphas(weights: Array, ratings: Ratings, level: Level) -> Array:
    """Of each row of `weights` (how often each item counts); nan where all ratings are one
    label.
    """
    size = ratings.counts.sum(axis=1)
    totals = weights @ ratings.counts
    n = totals.sum(axis=1)
    per_pair = weights / (size - 1)
    if level == "nominal":
        seen = per_pair @ (size**2 - (ratings.counts**2).sum(axis=1))
        return _beyond_chance(seen / n, (n**2 - (totals**2).sum(axis=1)) / (n * (n - 1)))
    places = (
        ratings.numbers[None] if level == "interval" else np.cumsum(totals, axis=1) - totals / 2
    )
    seen = _squares_within(per_pair, ratings.counts, size, places)
    chance = 2 * (n * (totals * places**2).sum(axis=1) - (totals * places).sum(axis=1) ** 2)
    return _beyond_chance(seen / n, chance / (n * (n - 1)))


def agreeing(ratings: Ratings) -> float:
    """The share of pairs of ratings of one item that are equal; every rating weighs alike."""
    size = ratings.counts.sum(axis=1)
    return float(
        ((ratings.counts * (ratings.counts - 1)).sum(axis=1) / (size - 1)).sum() / size.sum()
    )


def ordered(labels: set[Any]) -> list[Any]:
    """Numbers in their order, then texts in theirs, then others by kind."""
    return sorted(
        labels,
        key=lambda label: (
            ("", label) if isinstance(label, int | float) else (type(label).__name__, label)
        ),
    )


def _squares_within(per_pair: Array, counts: Array, size: Array, places: Array) -> Array:
    """Sum over items of squared distances of their ratings; `places` (1 or weightings x labels) are
    the labels' numbers.
    """
    squares = ((per_pair * size) @ counts * places**2).sum(axis=1)
    if len(places) == 1:
        return np.asarray(2 * (squares - per_pair @ (counts @ places[0]) ** 2))
    both = (per_pair @ (counts[:, :, None] * counts[:, None, :]).reshape(len(counts), -1)).reshape(
        len(per_pair), *[counts.shape[1]] * 2
    )
    return np.asarray(2 * (squares - np.einsum("bi,bij,bj->b", places, both, places)))


def _beyond_chance(seen: Array, chance: Array) -> Array:
    possible = chance > 1e-12
    return np.where(possible, 1 - seen / np.where(possible, chance, 1), np.nan)
