"""How often intervals hold the truth: tables for `benchmarks.simulations`."""

import math
from collections.abc import Iterator

import numpy as np

from benchmarks.simulated_data import CLUSTERINGS, Layout, layout, one_arm, same_arms, truth
from benchmarks.simulated_tables import SIZES, Row, percent
from benchmarks.simulated_tests import (
    ALPHA,
    bootstrap_ends,
    chunks,
    p_of_compare,
    robust_p,
    share_ends,
)
from llmops.tasks.statistics.agreement import (
    Agreement,
    agreement,
    cohen_kappa,
    krippendorff_alpha,
    reliability,
)
from llmops.tasks.statistics.arrays import Array
from llmops.tasks.statistics.intervals import wilson_interval
from llmops.tasks.statistics.sequential import FIRST_LOOK, asymptotic_half_width, bets, log_wealth

LOOKS = 1_000
RANKS = np.array([0, 0.3869, 0.5, 0.6309, 1.0])


def means(experiments: int) -> Iterator[Row]:
    """The mean of one arm, at 95 %: `mean_interval` · `share_interval`."""
    yield ["data", "clusters", *(f"n = {n}" for n in SIZES)]
    for kind in ("yes-no, half", "yes-no, 9 in 10", "yes-no, 1 in 50", "F1-like", "cost"):
        for clustering in CLUSTERINGS:
            yield [
                kind,
                clustering,
                *(" · ".join(_means(kind, clustering, n, experiments)) for n in SIZES),
            ]


def _means(kind: str, clustering: str, n: int, experiments: int) -> Row:
    held, true = np.zeros(2), truth(kind)
    for repeats, random in chunks(experiments, n, 17, *kind.encode()):
        place = layout(clustering, n, random)
        values = one_arm(kind, place, repeats, random)
        sums = place.sums(values)
        for number, ends in enumerate((bootstrap_ends, share_ends)[: 1 if kind == "cost" else 2]):
            low, high = ends(sums, place.sizes)
            held[number] += ((low - 1e-9 <= true) & (true <= high + 1e-9)).sum()
    return [percent(rate) for rate in held[: 1 if kind == "cost" else 2] / experiments]


def wilson(_: int) -> Iterator[Row]:
    """Wilson's interval at 95 %: not simulated, summed over all outcomes."""
    from scipy.stats import binom

    yield ["share", *(f"n = {n}" for n in SIZES)]
    for share in (0.5, 0.9, 0.98):
        ends = {n: [wilson_interval(k, n) for k in range(n + 1)] for n in SIZES}
        yield [
            f"{share}",
            *(
                percent(
                    sum(
                        binom.pmf(k, n, share)
                        for k, (low, high) in enumerate(ends[n])
                        if low <= share <= high
                    )
                )
                for n in SIZES
            ),
        ]


def differences(experiments: int) -> Iterator[Row]:
    """A true difference that is not 0, held by the interval of `compare` at 95 % · by the t
    interval.
    """
    yield ["differences", "clusters", "truth", *(f"n = {n}" for n in SIZES)]
    for name, clustering in (
        ("yes-no, 25 % won, 10 % lost", "none"),
        ("yes-no, 4 % won, none lost", "none"),
        ("nDCG at ranks", "none"),
        ("yes-no, half against 9 in 10", "of 5"),
        ("yes-no, half against 9 in 10", "unequal"),
        ("cost, a fifth more", "none"),
        ("cost, a fifth more", "of 5"),
    ):
        cells, true = [], 0.0
        for n in SIZES:
            held = np.zeros(2)
            for repeats, random in chunks(experiments, n, 19, *name.encode()):
                place = layout(clustering, n, random)
                values, true = _unequal_arms(name, place, repeats, random)
                plain = robust_p(place.sums(values), place.sizes, False, true)[1]
                held += [
                    (p_of_compare(values, place, "yes-no" in name, true) >= ALPHA).sum(),
                    (plain >= ALPHA).sum(),
                ]
            cells.append(" · ".join(map(percent, held / experiments)))
        yield [name, clustering, f"{true:.3f}", *cells]


def _unequal_arms(
    name: str, place: Layout, repeats: int, random: np.random.Generator
) -> tuple[Array, float]:
    """Differences, and their true mean."""
    shape = (repeats, len(place.cluster))
    if "won" in name:
        won, lost = (0.25, 0.1) if "25" in name else (0.04, 0.0)
        return random.choice([1.0, -1.0, 0.0], shape, p=[won, lost, 1 - won - lost]), won - lost
    if name == "nDCG at ranks":
        new, old = (
            random.choice(RANKS, shape, p=p)
            for p in ([0.3, 0.1, 0.2, 0.2, 0.2], [0.2, 0.1, 0.2, 0.2, 0.3])
        )
        return new - old, -0.1
    if "cost" in name:
        first, second = same_arms("cost", place, repeats, random)
        return 1.2 * first - second, 0.2 * truth("cost")
    first, second = (
        one_arm(kind, place, repeats, random) for kind in ("yes-no, half", "yes-no, 9 in 10")
    )
    return first - second, truth("yes-no, half") - truth("yes-no, 9 in 10")


def looks(experiments: int) -> Iterator[Row]:
    """1,000 cases, a look after each: told apart at any look at 5 %, and the median number of cases
    at that look.
    """
    yield [
        "differences",
        "effect",
        "betting: ever",
        "after",
        "asymptotic: ever",
        "after",
        "t test at each look: ever",
    ]
    draws = {
        "yes-no, 10 % won, 10 % lost": (0.1, 0.1),
        "yes-no, 1 % won, 1 % lost": (0.01, 0.01),
        "F1-like": None,
        "cost": None,
        "yes-no, 25 % won, 10 % lost": (0.25, 0.1),
        "yes-no, 40 % won, 10 % lost": (0.4, 0.1),
    }
    for name, shares in draws.items():
        first: list[list[Array]] = [[], [], []]
        for repeats, random in chunks(experiments, 23):
            if shares is None:
                values = np.subtract(
                    *same_arms(name, layout("none", LOOKS, random), repeats, random)
                )
            else:
                values = random.choice(
                    [1.0, -1.0, 0.0], (repeats, LOOKS), p=[*shares, 1 - sum(shares)]
                )
            for stops, found in zip(first, _first_looks(values, name != "cost"), strict=True):
                stops.append(found)
        cells = [_stops(np.concatenate(stops)) for stops in first]
        cells[0] = ["", ""] if name == "cost" else cells[0]
        yield [
            name,
            f"{shares[0] - shares[1] if shares else 0:.2f}",
            *cells[0],
            *cells[1],
            cells[2][0],
        ]


def _first_looks(values: Array, bounded: bool) -> tuple[Array, Array, Array]:
    """Of each row the first look at which 0 is outside, LOOKS where none is: by betting, by the
    asymptotic one, by t.
    """
    time = np.arange(1.0, LOOKS + 1)
    mean = np.cumsum(values, axis=1) / time
    spread = np.sqrt(np.maximum(np.cumsum(values**2, axis=1) / time - mean**2, 0))
    outside = (
        (np.abs(mean) > asymptotic_half_width(spread, time, ALPHA))
        & (spread > 1e-9)
        & (time >= FIRST_LOOK)
    )
    naive = (
        (np.abs(mean) * np.sqrt(time - 1) > 1.96 * spread) & (spread > 1e-9) & (time >= FIRST_LOOK)
    )
    lost = np.zeros_like(outside)
    if bounded:
        units, enough = values / 2 + 0.5, math.log(2 / ALPHA)
        stakes = bets(units, ALPHA)
        lost = (log_wealth(units, stakes, 0.5, 1) >= enough) | (
            log_wealth(units, stakes, 0.5, -1) >= enough
        )
    return tuple(
        np.where(one.any(axis=1), one.argmax(axis=1) + 1, LOOKS + 1)
        for one in (lost, outside, naive)
    )  # type: ignore[return-value]  # three


def _stops(found: Array) -> Row:
    ever = found <= LOOKS
    return [
        percent(float(ever.mean())),
        f"{np.median(found[ever]):.0f}" if ever.mean() > 0.5 else "",
    ]


def raters(experiments: int) -> Iterator[Row]:
    """Cohen's kappa of two raters, Krippendorff's alpha of three with a tenth missing: held at 95
    %, a tenth of the experiments.
    """
    experiments = max(10, experiments // 10)
    yield ["coefficient", "labels", "truth", *(f"n = {n}" for n in (30, 100, 300))]
    for weights, labels, copied in (
        (None, 2, 0.6),
        (None, 2, 0.95),
        (None, 5, 0.6),
        ("quadratic", 5, 0.6),
    ):
        yield held(f"kappa, {weights or 'unweighted'}", labels, copied, experiments)
    for level in ("nominal", "ordinal", "interval"):
        yield held(f"alpha, {level}", 5, 0.6, experiments)


def _measured(name: str, rows: list[list[int | None]]) -> Agreement:
    coefficient, _, scale = name.partition(", ")
    if coefficient == "kappa":
        return agreement(rows[0], rows[1], weights=None if scale == "unweighted" else scale)  # type: ignore[arg-type]  # a row of the table
    return reliability(rows, scale)  # type: ignore[arg-type]  # a row of the table


def held(name: str, labels: int, copied: float, experiments: int) -> Row:
    true = _population(name, labels, copied)
    cells = []
    for n in (30, 100, 300):
        held = 0
        for repeats, random in chunks(experiments, n, 29):
            found: list[Agreement] = [
                _measured(name, _ratings(name, labels, copied, n, random)) for _ in range(repeats)
            ]
            held += sum(
                one.value is None or (one.low or 0) - 1e-9 <= true <= (one.high or 0) + 1e-9
                for one in found
            )
        cells.append(percent(held / experiments))
    return [name, str(labels), f"{true:.2f}", *cells]


def _population(name: str, labels: int, copied: float) -> float:
    return float(
        np.mean(
            [
                _value(name, _ratings(name, labels, copied, 20_000, np.random.default_rng([31, n])))
                or 0
                for n in range(10)
            ]
        )
    )


def _value(name: str, rows: list[list[int | None]]) -> float | None:
    coefficient, _, scale = name.partition(", ")
    if coefficient == "kappa":
        return cohen_kappa(rows[0], rows[1], weights=None if scale == "unweighted" else scale)  # type: ignore[arg-type]  # a row of the table
    return krippendorff_alpha(rows, scale)  # type: ignore[arg-type]  # a row of the table


def _ratings(
    name: str, labels: int, copied: float, n: int, random: np.random.Generator
) -> list[list[int | None]]:
    """Each rater gives the true label with probability `copied`, else one at random; the first
    labels are the more frequent ones.
    """
    shares = 0.7 ** np.arange(labels)
    right = random.choice(labels, n, p=shares / shares.sum())
    rows = [
        np.where(
            random.random(n) < copied**0.5, right, random.choice(labels, n, p=shares / shares.sum())
        )
        for _ in range(3)
    ]
    if name.startswith("kappa"):
        return [row.tolist() for row in rows[:2]]
    return [
        [
            None if gone else label
            for label, gone in zip(row.tolist(), random.random(n) < 0.1, strict=True)
        ]
        for row in rows
    ]
