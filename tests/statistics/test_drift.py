"""Windows of vectors: calibrated where they differ by chance, and sure where they do not."""

import numpy as np
import pytest

from llmops.tasks.schemas import Vectors
from llmops.tasks.statistics.drift import (
    LEAST_UNITS,
    UnitPool,
    WindowDrift,
    pooled,
    surroundings,
    topic_p,
    usable,
    window_drift,
)
from tests.statistics.test_change import at_most

SIDES, NEAR, LOOKS = 12, 0.5, 60
Window = list[Vectors]


def units(random: np.random.Generator, count: int, rows: int = 1, towards: int = 0) -> Window:
    """Units around directions of their own, their rows near each other; `towards`: an axis that
    nobody else looks along.
    """
    made = []
    for _ in range(count):
        centre = random.normal(0, 1, SIDES)
        centre[-1] = 0
        if towards:
            centre = centre / 4
            centre[-1] = towards
        made.append((centre + random.normal(0, 0.1, (rows, SIDES))).astype(np.float32))
    return made


def looked(windows: list[Window], level: float = 0.05) -> WindowDrift:
    pool = pooled(windows)
    drift = window_drift(pool, surroundings(pool, NEAR).unlike, level=level)
    assert drift is not None
    return drift


def test_the_level_holds_whatever_the_sizes_of_windows() -> None:
    false = 0
    for look in range(LOOKS):
        random = np.random.default_rng(look)
        windows = [units(random, int(random.integers(20, 40))) for _ in range(4)]
        false += looked(windows).p <= 0.05
    assert false <= at_most(0.05, LOOKS)


def test_units_are_exchanged_whole() -> None:
    """By rows, conversations that stay with one thing would be a drift nearly every week."""
    whole = rows = 0
    for look in range(12):
        random = np.random.default_rng(look)
        windows = [units(random, 20, rows=6) for _ in range(2)]
        whole += looked(windows).p <= 0.05
        rows += (
            looked([[row[None] for unit in window for row in unit] for window in windows]).p <= 0.05
        )
    assert whole <= at_most(0.05, 12)
    assert rows >= 9


def test_a_shock_is_found_and_told_as_that_of_the_newest_window() -> None:
    random = np.random.default_rng(0)
    quiet = [units(random, 60) for _ in range(8)]
    drift = looked([[*units(random, 40), *units(random, 20, towards=3)], *quiet], level=0.01)
    assert drift.p < 0.001
    assert drift.newest == 1
    assert drift.distance > 2 * drift.usual
    assert len(drift.distances) == 9
    assert drift.distances[0] == pytest.approx(drift.distance)
    assert drift.distances[-1] is None
    assert max(each for each in drift.distances[1:-1] if each is not None) < drift.distance


def test_a_small_shift_that_stays_is_found_by_the_windows_since() -> None:
    random = np.random.default_rng(3)

    def week(share: float) -> Window:
        foreign = int(60 * share)
        return [*units(random, 60 - foreign), *units(random, foreign, towards=3)]

    drift = looked([*(week(0.2) for _ in range(4)), *(week(0.0) for _ in range(5))], level=0.01)
    assert drift.p < 0.01
    assert drift.newest == 4


def test_the_flood_of_one_unit_is_no_drift() -> None:
    random = np.random.default_rng(5)
    flood = np.tile(units(random, 1, towards=3)[0], (500, 1))
    drift = looked([[*units(random, 40), flood], *(units(random, 40) for _ in range(5))])
    assert drift.p > 0.05


def test_windows_of_one_vector_alone_are_the_same() -> None:
    row = np.eye(1, SIDES, dtype=np.float32)
    drift = looked([[row] * 30, [row] * 30])
    assert (drift.p, drift.distance, drift.usual) == (1, 0, 0)


def test_order_within_windows_and_seeds_of_draws_change_little() -> None:
    random = np.random.default_rng(7)
    windows = [units(random, 40) for _ in range(4)]
    first, again = looked(windows), looked([window[::-1] for window in windows])
    assert first.distance == pytest.approx(again.distance, abs=1e-3)
    assert first == looked(windows)


@pytest.mark.parametrize(("current", "before"), [(LEAST_UNITS - 1, 90), (90, LEAST_UNITS - 1)])
def test_too_few_units_tell_nothing(current: int, before: int) -> None:
    random = np.random.default_rng(0)
    pool = pooled([units(random, current), units(random, before)])
    assert window_drift(pool, surroundings(pool, NEAR).unlike, level=0.05) is None


@pytest.mark.parametrize("windows", [[], [[]], [[], []]])
def test_nothing_tells_nothing(windows: list[Window]) -> None:
    pool = pooled(windows)
    assert (pool.units, pool.current) == (0, 0)
    assert window_drift(pool, np.empty(0), level=0.05) is None


def test_vectors_that_are_zero_or_no_numbers_are_left_out() -> None:
    good = np.array([[3.0, 4.0]], np.float32)
    bad = np.array([[0.0, 0.0], [np.nan, 1.0], [np.inf, 0.0]], np.float32)
    pool = pooled([[np.concatenate([bad, good]), bad], [good, good]])
    assert pool.units == 3
    assert pool.vectors.tolist() == [pytest.approx([0.6, 0.8])] * 3
    assert pool.ages.tolist() == [0, 1, 1]
    assert usable(np.concatenate([bad, good])).tolist() == [3]


def test_what_lies_around_a_unit() -> None:
    def unit(*degrees: float) -> Vectors:
        turned = np.radians(np.asarray(degrees))
        return np.stack([np.cos(turned), np.sin(turned)], axis=1).astype(np.float32)

    pool = pooled([[unit(0, 10), unit(20), unit(180)], [unit(90), unit(95)]])
    around = surroundings(pool, NEAR)
    assert around.alike.tolist() == [2, 2, 2, 1, 2, 2]
    assert around.best_before == pytest.approx(
        [np.cos(np.radians(each)) for each in (90, 80, 70, 85, 0, 0)], abs=1e-6
    )
    assert int(around.unlike.argmax()) == 2


def test_all_pairs_are_looked_at_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    from llmops.tasks.statistics import drift

    random = np.random.default_rng(2)
    pool = pooled([units(random, 30, rows=3), units(random, 40, rows=2)])
    whole = surroundings(pool, NEAR)
    monkeypatch.setattr(drift, "BLOCK", 7)
    for one, other in zip(whole, surroundings(pool, NEAR), strict=True):
        assert np.allclose(one, other, atol=1e-6)


def test_a_topic_of_one_or_two_questions_is_chance_and_one_of_many_is_not() -> None:
    alike = np.array([1] * 500 + [4] * 4 + [9] * 9)
    assert topic_p(1, alike, 100, 900) == 1
    chance = np.prod([(100 - n) / (900 - n) for n in range(9)])
    assert topic_p(9, alike, 100, 900) == pytest.approx(9 * chance)
    assert topic_p(4, alike, 100, 900) > topic_p(9, alike, 100, 900)
    assert topic_p(10, alike, 100, 900) == 0


def test_topics_are_new_by_chance_no_more_often_than_is_said() -> None:
    """The statistic itself, exchanged: the largest neighbourhood that is wholly of the window."""
    random = np.random.default_rng(0)
    pool = pooled([units(random, 60), units(random, 180)])
    around = surroundings(pool, 0.8)
    near = pool.vectors @ pool.vectors.T >= 0.8
    told = 0
    for _ in range(400):
        ages = random.permutation(pool.ages)
        whole = ~near[:, ages == 1].any(axis=1)
        size = int(around.alike[whole].max(initial=1))
        told += topic_p(size, around.alike, 60, 240) <= 0.1
    assert told <= at_most(0.1, 400)


def test_rows_know_their_unit() -> None:
    pool = UnitPool(np.ones((4, 2), np.float32), np.array([0, 3]), np.array([0, 1]))
    assert pool.unit_of_row.tolist() == [0, 0, 0, 1]
