"""The simulations in small: they run what `compare` runs, and the rates stay within what chance
allows.
"""

import numpy as np
import pytest
from scipy import stats

from benchmarks import simulated_intervals, simulated_tables, simulated_tests
from benchmarks.simulated_data import ARMS, CLUSTERINGS, LEANING, layout, one_arm, same_arms, truth
from benchmarks.simulations import TABLES
from llmops.tasks.statistics.comparison import compare
from llmops.tasks.statistics.intervals import mean_interval, share_interval
from llmops.tasks.statistics.sequential import confidence_sequence

EXPERIMENTS = 400
MOST_WRONG = stats.binom.ppf(0.9999, EXPERIMENTS, 0.05) / EXPERIMENTS
LEAST_HELD = stats.binom.ppf(0.0001, EXPERIMENTS, 0.95) / EXPERIMENTS


@pytest.mark.parametrize("clustering", CLUSTERINGS)
@pytest.mark.parametrize("kind", ["yes-no, 9 in 10", "F1-like", "F1-like, 85 % tied"])
def test_many_experiments_at_once_are_the_same_as_one_by_one(kind: str, clustering: str) -> None:
    random = np.random.default_rng(1)
    for n in (20, 50):
        place = layout(clustering, n, random)
        new, old = same_arms(kind, place, 6, random)
        labels = None if clustering == "none" else place.cluster.tolist()
        one_by_one = [compare(a, b, labels).p_value for a, b in zip(new, old, strict=True)]
        differences = new - old
        if (
            clustering == "none"
            # in the order that `compare` draws in; clusters of other sizes are drawn in another
            # order
        ):
            differences = np.sort(
                np.where(differences.mean(axis=1, keepdims=True) < 0, -1, 1) * differences, axis=1
            )
        found = simulated_tests.p_of_compare(differences, place, "yes-no" in kind)
        assert found == pytest.approx(
            one_by_one, abs=1e-9 if clustering == "none" or len(place.sizes) <= 13 else 0.05
        )


@pytest.mark.parametrize("clustering", ["none", "of 5"])
def test_intervals_at_once_are_the_same_as_one_by_one(clustering: str) -> None:
    place = layout(clustering, 60, np.random.default_rng(2))
    for kind in ("F1-like", "yes-no, 1 in 50"):
        values = one_arm(kind, place, 4, np.random.default_rng(2))
        values[0] = 0
        labels, sums = place.cluster.tolist(), np.sort(place.sums(values), axis=1)
        for ends, interval in (
            (simulated_tests.bootstrap_ends, mean_interval),
            (simulated_tests.share_ends, share_interval),
        ):
            expected = np.array([interval(row, labels) for row in values])
            assert np.stack(ends(sums, place.sizes), axis=1) == pytest.approx(expected, abs=1e-9)


def test_the_true_means_are_true() -> None:
    random = np.random.default_rng(3)
    place = layout("none", 500, random)
    for kind in ARMS:
        values = one_arm(kind, place, 500, random)
        assert values.mean() == pytest.approx(truth(kind), abs=6 * values.std() / 500)
    for draw in LEANING.values():
        values = draw((500, 500), random)
        assert abs(values.mean()) < 6 * values.std() / 500


@pytest.mark.slow
@pytest.mark.parametrize("clustering", CLUSTERINGS)
@pytest.mark.parametrize("kind", list(ARMS))
def test_arms_that_do_not_differ_are_seldom_told_apart(kind: str, clustering: str) -> None:
    for n in simulated_tables.SIZES:
        assert simulated_tables.wrong(kind, clustering, n, EXPERIMENTS)[0] <= MOST_WRONG


@pytest.mark.slow
def test_power_is_near_the_textbooks() -> None:
    rows = list(simulated_tables.power(EXPERIMENTS))[1:]
    assert len(rows) == 14
    chance = 4 * 100 * (0.2 / EXPERIMENTS) ** 0.5
    for name, _, _, textbook, found, plain in rows:
        unlike_the_textbook = "unequal" in name or "cost" in name
        assert float(found) > float(textbook) - (25 if unlike_the_textbook else 5) - chance, name
        assert unlike_the_textbook or float(plain) == pytest.approx(float(textbook), abs=chance + 4)


@pytest.mark.slow
def test_intervals_of_differences_hold_the_truth() -> None:
    rows = list(simulated_intervals.differences(EXPERIMENTS))[1:]
    assert len(rows) == 7
    assert {
        row[0]: cell
        for row in rows
        for cell in row[3:]
        if float(cell.split(" · ")[0]) < 100 * LEAST_HELD
    } == {}


@pytest.mark.slow
def test_looking_after_each_case_is_wrong_no_more_often_and_finds_what_is_there() -> None:
    rows = {row[0]: row for row in list(simulated_intervals.looks(EXPERIMENTS))[1:]}
    for name in ("yes-no, 10 % won, 10 % lost", "yes-no, 1 % won, 1 % lost", "F1-like", "cost"):
        _, _, betting, _, asymptotic, _, naive = rows[name]
        assert float(betting or 0) <= 100 * MOST_WRONG
        assert float(asymptotic) <= 100 * MOST_WRONG
        assert float(naive) > 15
    assert float(rows["yes-no, 40 % won, 10 % lost"][2]) > 95


def test_the_first_look_is_the_first_interval_without_0() -> None:
    values = np.random.default_rng(4).choice(
        [1.0, -1.0, 0.0], (1, simulated_intervals.LOOKS), p=[0.4, 0.1, 0.5]
    )
    betting, asymptotic, _ = simulated_intervals._first_looks(values, True)
    for bound, look in ((1.0, int(betting[0])), (None, int(asymptotic[0]))):
        assert confidence_sequence(values[0, :look], bound=bound)[0] > 0
        assert confidence_sequence(values[0, : look - 1], bound=bound)[0] <= 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "labels"), [("kappa, unweighted", 2), ("kappa, quadratic", 5), ("alpha, ordinal", 5)]
)
def test_raters_are_held_as_often_as_the_interval_says(name: str, labels: int) -> None:
    row = simulated_intervals.held(name, labels, 0.6, 100)
    assert all(float(cell) >= 84 for cell in row[3:])


def test_each_table_has_a_name() -> None:
    assert {"false-positives", "power", "differences", "means", "looks", "raters"} <= set(TABLES)
    assert next(iter(TABLES["wilson"](0)))[0] == "share"
