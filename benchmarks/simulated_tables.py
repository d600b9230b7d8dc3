"""The tables of `benchmarks.simulations`: each is rows of text, computed from seeded
experiments.
"""

from collections.abc import Iterator

import numpy as np
from scipy.special import ndtri

from benchmarks.simulated_data import ARMS, CLUSTERINGS, LEANING, Draw, layout, same_arms
from benchmarks.simulated_tests import (
    ALPHA,
    bootstrap_ends,
    chunks,
    exact_ps,
    p_of_compare,
    robust_p,
)
from llmops.tasks.statistics.arrays import Array
from llmops.tasks.statistics.cluster_robust import degrees_of_freedom
from llmops.tasks.statistics.multiple import holm
from llmops.tasks.statistics.power import power_of

SIZES = (20, 50, 200)
Row = list[str]


def percent(rate: float) -> str:
    return f"{100 * rate:.1f}"


def false_positives(experiments: int) -> Iterator[Row]:
    """Arms that do not differ, told apart at 5 %: `compare` · the t test alone · the expanded
    bootstrap.
    """
    yield ["data", "clusters", *(f"n = {n}" for n in SIZES)]
    for kind in ARMS:
        for clustering in CLUSTERINGS:
            yield [
                kind,
                clustering,
                *(" · ".join(map(percent, wrong(kind, clustering, n, experiments))) for n in SIZES),
            ]


def leaning(experiments: int) -> Iterator[Row]:
    """Differences that are 0 in the mean and lean to one side, taken for a difference at 5 %: the
    same three.
    """
    yield ["differences", *(f"n = {n}" for n in (10, *SIZES))]
    for kind in LEANING:
        yield [
            kind,
            *(" · ".join(map(percent, wrong(kind, "none", n, experiments))) for n in (10, *SIZES)),
        ]


def wrong(kind: str, clustering: str, n: int, experiments: int) -> Array:
    """Rates of `compare`, of the t test alone, of the bootstrap (of a fifth of the experiments)."""
    counts = np.zeros(3)
    for repeats, random in chunks(experiments, n, CLUSTERINGS.index(clustering), *kind.encode()):
        place = layout(clustering, n, random)
        differences = (
            LEANING[kind]((repeats, n), random)
            if kind in LEANING
            else np.subtract(*same_arms(kind, place, repeats, random))
        )
        sums, fifth = place.sums(differences), -(-repeats // 5)
        p, plain = robust_p(sums, place.sizes, "yes-no" in kind)
        if "yes-no" in kind and clustering == "none":
            p = exact_ps(differences)
        low, high = bootstrap_ends(sums[:fifth], place.sizes)
        outside = np.mean((low > 1e-12) | (high < -1e-12))
        counts += [(p < ALPHA).sum(), (plain < ALPHA).sum(), outside * repeats]
    return counts / experiments


def several(experiments: int) -> Iterator[Row]:
    """Five correlated metrics of arms that do not differ: at least one told apart at 5 %."""
    yield ["n", "Holm", "uncorrected"]
    for n in SIZES:
        found = np.zeros(2)
        for repeats, random in chunks(experiments, n, 5):
            common, place = random.normal(size=(repeats, n)), layout("none", n, random)
            p = np.array(
                [
                    p_of_compare(common + random.normal(size=(repeats, n)), place, False)
                    for _ in range(5)
                ]
            )
            found += [
                sum(min(holm(row)) < ALPHA for row in p.T.tolist()),
                (p.min(axis=0) < ALPHA).sum(),
            ]
        yield [str(n), *map(percent, found / experiments)]


def margins(experiments: int) -> Iterator[Row]:
    """A candidate that is worse by just the margin of 0.1, passed as not worse (allowed: 2.5 %)."""
    yield ["differences", *(f"n = {n}" for n in SIZES)]
    draws: dict[str, Draw] = {
        "yes-no, 90 % and 80 %": lambda shape, random: (
            (random.random(shape) < 0.8).astype(float) - (random.random(shape) < 0.9)
        ),
        "yes-no, 10 % lost, none won": lambda shape, random: (
            -(random.random(shape) < 0.1).astype(float)
        ),
        "normal": lambda shape, random: random.normal(-0.1, 0.4, shape),
        "9 of 10 equal, 1 of 10 loses 0 to 2": lambda shape, random: (
            -np.clip(random.random(shape) * 20 - 18, 0, None)
        ),
    }
    for name, draw in draws.items():
        cells = []
        for n in SIZES:
            passed = 0.0
            for repeats, random in chunks(experiments, n, 7):
                differences = draw((repeats, n), random)
                p = p_of_compare(differences, layout("none", n, random), "yes-no" in name, -0.1)
                passed += ((p < ALPHA) & (differences.mean(axis=1) > -0.1)).sum()
            cells.append(percent(passed / experiments))
        yield [name, *cells]


def power(experiments: int) -> Iterator[Row]:
    """A true difference found at 5 %."""
    yield ["differences", "effect", "n", "textbook", "compare", "t alone"]
    for effect, n in ((0.2, 199), (0.5, 34), (0.8, 15), (0.5, 20)):
        yield [
            "normal",
            f"{effect} sd",
            str(n),
            percent(power_of(effect, n**-0.5, n - 1)),
            *_found("none", n, effect, experiments),
        ]
    for clusters in (12, 40, 100):
        error = (0.5 / clusters + 0.5 / (5 * clusters)) ** 0.5
        effect = 2.802 * error
        cells = _found("of 5", 5 * clusters, effect, experiments)
        yield [
            "normal, half of the spread between clusters of 5",
            f"{effect:.2f} sd",
            str(5 * clusters),
            percent(power_of(effect, error, clusters - 1)),
            *cells,
        ]
    for kind, clustering in (
        ("F1-like", "none"),
        ("F1-like", "unequal"),
        ("cost", "none"),
        ("cost", "unequal"),
    ):
        yield _moved(kind, clustering, 100, experiments)
    for won, lost in ((0.25, 0.1), (0.1, 0.02), (0.4, 0.2)):
        yield _yes_no_power(won, lost, experiments)


def _found(clustering: str, n: int, effect: float, experiments: int) -> Row:
    counts = np.zeros(2)
    for repeats, random in chunks(experiments, n, 11, round(1000 * effect)):
        place = layout(clustering, n, random)
        own = random.normal(size=(repeats, n))
        if clustering != "none":
            own = np.sqrt(0.5) * (
                own + random.normal(size=(repeats, len(place.sizes)))[:, place.cluster]
            )
        p, plain = robust_p(place.sums(own + effect), place.sizes, False)
        counts += [(p < ALPHA).sum(), (plain < ALPHA).sum()]
    return [percent(rate) for rate in counts / experiments]


def _moved(kind: str, clustering: str, n: int, experiments: int) -> Row:
    """Differences of equal arms, moved by 2.8 of their standard errors; the textbook's power is
    that of normal data in such clusters.
    """
    found, expected, shift = np.zeros(2), 0.0, 0.0
    for repeats, random in chunks(experiments, n, 37, *kind.encode()):
        place = layout(clustering, n, random)
        differences = np.subtract(*same_arms(kind, place, repeats, random))
        error = float(differences.mean(axis=1).std())
        p, plain = robust_p(place.sums(differences + 2.8 * error), place.sizes, False)
        found += [(p < ALPHA).sum(), (plain < ALPHA).sum()]
        expected += repeats * power_of(2.8, 1.0, float(degrees_of_freedom(place.sizes)))
        shift += repeats * 2.8 * error / float(differences.std())
    name = f"{kind}, {'no clusters' if clustering == 'none' else 'clusters of unequal size'}"
    return [
        name,
        f"{shift / experiments:.2f} sd",
        str(n),
        *map(percent, [expected / experiments, *(found / experiments)]),
    ]


def _yes_no_power(won: float, lost: float, experiments: int) -> Row:
    """The textbook's n for 80 % (Connor 1987, Sample size for testing differences in proportions
    for the paired-sample design).
    """
    gap, differing = won - lost, won + lost
    n = int(
        np.ceil(
            (ndtri(0.975) * differing**0.5 + ndtri(0.8) * (differing - gap**2) ** 0.5) ** 2 / gap**2
        )
    )
    found = np.zeros(2)
    for repeats, random in chunks(experiments, n, 13):
        differences = random.choice([1.0, -1.0, 0.0], (repeats, n), p=[won, lost, 1 - differing])
        plain = robust_p(differences, np.ones(n), False)[1]
        found += [(exact_ps(differences) < ALPHA).sum(), (plain < ALPHA).sum()]
    return [
        f"yes-no, {won:.0%} won, {lost:.0%} lost",
        f"{gap:.2f}",
        str(n),
        "80",
        *map(percent, found / experiments),
    ]
