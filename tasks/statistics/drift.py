"""Whether the texts of a window are like those of the windows before, by their vectors.

Units (persons, conversations) are points: the mean of a unit's vectors, and one coordinate more
that says how unlike those of all other units they are. The distance of two windows is that of the
means of their units (the MMD of a linear kernel; Gretton et al. 2012, A kernel two-sample test).
The test asks for the newest window alone, for the two newest together, the four newest, … up to
half of all: so a small shift that stays is found when the windows since can tell it together. It
exchanges whole units between all windows, and compares the largest of these statistics with the
largest of each exchange, so the level is that of all of them.

Why so: docs/monitoring-statistics.md has the power that was measured. A Gaussian kernel, the energy
distance and nearest neighbours found foreign questions later than the coordinate of unlikeness.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import rankdata

from llmops.tasks.schemas import Vectors
from llmops.tasks.statistics.arrays import Array
from llmops.tasks.statistics.exchanges import Labels, dealt, draws_for, exchange_p

LEAST_UNITS = 20
"""Of the window, and of those before it together."""
COMPONENTS = 128
"""Principal components that are looked at: the others are noise, and cost time."""
NEIGHBOURS = 0.05
"""The share of all units that a unit is compared with: the nearest."""
USUAL_DRAWS = 400
BLOCK = 1_024

Counts = np.ndarray[Any, np.dtype[np.int64]]


class UnitPool(NamedTuple):
    """`vectors`: rows of length 1, those of a unit beside each other; `starts`: the first row of
    each unit; `ages`: of each unit, 0 for the newest window, 1 for the one before.
    """

    vectors: Vectors
    starts: Counts
    ages: Counts

    @property
    def units(self) -> int:
        return len(self.starts)

    @property
    def current(self) -> int:
        """Units of the newest window."""
        return int((self.ages == 0).sum())

    @property
    def unit_of_row(self) -> Counts:
        return np.repeat(np.arange(self.units), np.diff([*self.starts, len(self.vectors)]))


class Surroundings(NamedTuple):
    """`unlike`: of each unit, between 0 (as all others) and 2; `alike`: of each row, units with a
    vector near it, its own included; `best_before`: of each row, the largest similarity to a
    vector of an older window than the newest.
    """

    unlike: Array
    alike: Counts
    best_before: Array


class WindowDrift(NamedTuple):
    """`newest`: how many windows together differ most; `distances`: of each window, the newest
    first, to all that are older, None where there is too little.
    """

    p: float
    distance: float
    usual: float
    newest: int
    distances: tuple[float | None, ...]


def pooled(windows: Sequence[Sequence[Vectors]]) -> UnitPool:
    """Windows, the newest first, of units, of vectors. Vectors that are zero or no numbers are left
    out, and units of which nothing is left.
    """
    rows: list[Vectors] = []
    starts: list[int] = []
    ages: list[int] = []
    count = 0
    for age, units in enumerate(windows):
        for vectors in units:
            good = vectors[usable(vectors)]
            if len(good):
                rows.append(good / np.linalg.norm(good, axis=1, keepdims=True))
                starts.append(count)
                ages.append(age)
                count += len(good)
    matrix = np.concatenate(rows) if rows else np.empty((0, 1), np.float32)
    return UnitPool(matrix, np.array(starts, np.int64), np.array(ages, np.int64))


def usable(vectors: Vectors) -> Counts:
    """The rows that are numbers, and not zero."""
    lengths = np.linalg.norm(vectors, axis=1)
    return np.flatnonzero(np.isfinite(lengths) & (lengths > 1e-6))


def surroundings(pool: UnitPool, near: float) -> Surroundings:
    """What lies around each unit, by all pairs of rows, in blocks. At least two units, and no
    window is told from another but for `best_before`.
    """
    owner, most = pool.unit_of_row, max(5, round(NEIGHBOURS * pool.units))
    most = min(most, pool.units - 1)
    unlike, alike, best = [], [], []
    for start in range(0, len(pool.vectors), BLOCK):
        part = pool.vectors[start : start + BLOCK]
        nearest = np.maximum.reduceat(part @ pool.vectors.T, pool.starts, axis=1)
        own = (np.arange(len(part)), owner[start : start + BLOCK])
        nearest[own] = 1
        alike.append((nearest >= near).sum(axis=1))
        older = nearest[:, pool.ages > 0]
        best.append(older.max(axis=1) if older.shape[1] else np.full(len(part), -1.0))
        nearest[own] = -1
        top = np.partition(nearest, pool.units - most, axis=1)[:, pool.units - most :]
        unlike.append(1 - top.mean(axis=1, dtype=np.float64))
    rows = np.diff([*pool.starts, len(pool.vectors)])
    by_unit = np.add.reduceat(np.concatenate(unlike), pool.starts) / rows
    return Surroundings(by_unit, np.concatenate(alike), np.concatenate(best))


def window_drift(
    pool: UnitPool, unlike: Array, *, level: float, seed: int = 0
) -> WindowDrift | None:
    """The test of the newest window, and of the newest few together, at a level that p will be
    compared with. None where fewer than 20 units are in the newest window or in those before.
    """
    if min(pool.current, pool.units - pool.current) < LEAST_UNITS:
        return None
    points = points_of(pool, unlike)
    p, newest = scan(points, pool.ages, draws_for(level), seed)
    return WindowDrift(
        p=p,
        distance=float(_distance(points, (pool.ages == 0).astype(np.uint8)[None])[0]),
        usual=_usual(points, pool.current, seed),
        newest=newest,
        distances=_distances(points, pool.ages),
    )


def scan(points: Array, ages: Counts, draws: int, seed: int = 0) -> tuple[float, int]:
    """p of the newest windows together, and how many of them differ most from the others. `ages`:
    of each point, 0 for the newest window; at least 20 there, and 20 elsewhere.
    """
    newest = _lengths(int(ages.max()) + 1)
    labels = np.searchsorted(newest, ages, "right").astype(np.uint8)
    test = _Scan(points, labels)
    observed = test.each(labels[None])[0]
    p = exchange_p(float(observed.max()), test, dealt(labels, draws, seed)).p
    return p, int(newest[int(observed.argmax())])


def _lengths(windows: int) -> Counts:
    """1, 2, 4, … up to half of the windows."""
    return 2 ** np.arange(max(1, int(np.log2(max(1, windows // 2))) + 1))


def points_of(pool: UnitPool, unlike: Array) -> Array:
    """Units x coordinates, centred. The coordinate of unlikeness is the Savage score of a unit's
    rank (Savage 1956: most power where a few are far more unlike than the others), and weighs as
    much as all others' noise together.
    """
    sizes = np.diff([*pool.starts, len(pool.vectors)])
    means = np.add.reduceat(pool.vectors, pool.starts, axis=0) / sizes[:, None]
    means = (means - means.mean(axis=0)).astype(np.float64)
    values, axes = np.linalg.eigh(means.T @ means / pool.units)
    scores = -np.log1p(-rankdata(unlike) / (pool.units + 1))
    scores -= scores.mean()
    spread = float(scores.std())
    weight = float((np.maximum(values, 0) ** 2).sum()) ** 0.25
    coordinate = scores / spread * weight if spread > 1e-12 else np.zeros_like(scores)
    return np.concatenate([means @ axes[:, ::-1][:, :COMPONENTS], coordinate[:, None]], axis=1)


class _Scan:
    """The statistics of many exchanges: for each number of newest windows, the squared distance of
    their mean to that of the others, in units of its variance.
    """

    def __init__(self, points: Array, labels: Labels) -> None:
        self.points = points.astype(np.float32)
        counts = np.cumsum(np.bincount(labels))[:-1].astype(np.float64)
        total = len(points)
        self.scales = total / (counts * (total - counts))
        self.usable = np.minimum(counts, total - counts) >= LEAST_UNITS

    def each(self, labels: Labels) -> Array:
        """Draws x numbers of newest windows; -1 where there are too few units."""
        sums = np.zeros((len(labels), self.points.shape[1]), np.float32)
        made = np.full((len(labels), len(self.scales)), -1.0)
        for age in range(len(self.scales)):
            sums += (labels == age).astype(np.float32) @ self.points
            if self.usable[age]:
                made[:, age] = self.scales[age] * (sums.astype(np.float64) ** 2).sum(axis=1)
        return made

    def __call__(self, labels: Labels) -> Array:
        return np.asarray(self.each(labels).max(axis=1), np.float64)


def _distance(points: Array, labels: Labels) -> Array:
    """Of each draw, between the mean of the units labelled 1 and that of those labelled 0, less
    what chance adds: 0 is expected at most where both are of one distribution.
    """
    inside = labels.astype(np.float32)
    first = float(inside[0].sum())
    counts = np.array([first, len(points) - first])
    squares = np.einsum("ij,ij->i", points, points)
    sums = (inside @ points.astype(np.float32)).astype(np.float64)
    within = inside.astype(np.float64) @ squares
    lengths = np.einsum("ij,ij->i", sums, sums)
    around = points.sum(axis=0) - sums
    others = np.einsum("ij,ij->i", around, around)
    apart = ((sums / counts[0] - around / counts[1]) ** 2).sum(axis=1)
    noise = (within - lengths / counts[0]) / (counts[0] - 1) / counts[0]
    noise += (squares.sum() - within - others / counts[1]) / (counts[1] - 1) / counts[1]
    return np.asarray(np.sqrt(np.maximum(0, apart - noise)), np.float64)


def _usual(points: Array, current: int, seed: int) -> float:
    """The distance that windows of this size keep to in 95 of 100 exchanges."""
    labels = (np.arange(len(points)) < current).astype(np.uint8)
    blocks = dealt(labels, USUAL_DRAWS, seed + 1)
    return float(np.quantile(np.concatenate([_distance(points, each) for each in blocks]), 0.95))


def _distances(points: Array, ages: Counts) -> tuple[float | None, ...]:
    made: list[float | None] = []
    for age in range(int(ages.max()) + 1):
        kept = ages >= age
        labels = (ages[kept] == age).astype(np.uint8)
        enough = min(labels.sum(), (1 - labels).sum()) >= LEAST_UNITS
        made.append(float(_distance(points[kept], labels[None])[0]) if enough else None)
    return tuple(made)


def topic_p(size: int, alike: Counts, current: int, units: int) -> float:
    """The chance that in the newest window stands any question with `size` or more units near it,
    all of that window, if windows differ by chance alone. `alike`: of each row of all windows.

    Which questions are near each other does not depend on how units are dealt out; that all t units
    near one are dealt to the newest window has the probability of drawing without replacement; the
    sum over all questions is at least the chance of any (Boole).
    """
    sizes, counts = np.unique(alike[alike >= size], return_counts=True)
    whole = np.arange(int(sizes.max()) if len(sizes) else 0)
    steps = np.maximum(current - whole, 0) / np.maximum(units - whole, 1)
    chances = np.concatenate([[1.0], np.cumprod(steps)])
    return min(1.0, float((chances[sizes] * counts).sum()))
