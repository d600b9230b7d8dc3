"""Whether a mean has changed: calibrated for conversations, unequal windows and heavy tails."""

import math

import numpy as np
import pytest

from llmops.tasks.statistics.arrays import Array
from llmops.tasks.statistics.change import (
    Direction,
    bounded,
    change_p,
    level_per_look,
    unit_sums,
)
from llmops.tasks.statistics.exchanges import EXCEEDED, Labels, dealt, draws_for, exchange_p

LOOKS = 150


def conversations(
    random: np.random.Generator, units: int, rate: float = 0.2
) -> tuple[list[float], list[int]]:
    """Refusals: a conversation of up to 10 questions is refused wholly or not at all."""
    sizes = random.integers(1, 11, units)
    labels = np.repeat(np.arange(units), sizes)
    return list((random.random(units) < rate)[labels].astype(float)), [int(n) for n in labels]


def at_most(share: float, looks: int) -> float:
    """What a rate of `share` exceeds in one of 10,000 cases."""
    from scipy.stats import binom

    return float(binom.ppf(0.9999, looks, share))


def test_conversations_are_exchanged_whole() -> None:
    """By rows, as many looks are wrong as nobody would want."""
    whole, rows = [], []
    for look in range(LOOKS):
        random = np.random.default_rng(look)
        (before, labels), (now, now_labels) = (
            conversations(random, 60),
            conversations(random, 30),
        )
        whole.append(change_p(before, labels, now, now_labels, "either", level=0.05))
        rows.append(
            change_p(before, range(len(before)), now, range(len(now)), "either", level=0.05)
        )
    assert sum(p is not None and p <= 0.05 for p in whole) <= at_most(0.05, LOOKS)
    assert sum(p is not None and p <= 0.05 for p in rows) > 0.2 * LOOKS


@pytest.mark.parametrize("spreads", [(1.0, 4.0), (4.0, 1.0)])
def test_the_level_holds_where_only_the_means_are_the_same(spreads: tuple[float, float]) -> None:
    false = 0
    for look in range(LOOKS):
        random = np.random.default_rng(look)
        before, now = random.normal(5, spreads[0], 200), random.normal(5, spreads[1], 40)
        p = change_p(before, range(200), now, range(40), "either", level=0.05)
        false += p is not None and p <= 0.05
    assert false <= at_most(0.06, LOOKS)


def test_the_level_holds_for_tails_as_heavy_as_those_of_costs() -> None:
    false = 0
    for look in range(LOOKS):
        random = np.random.default_rng(look)
        before, now = random.lognormal(0, 2, 200), random.lognormal(0, 2, 40)
        p = change_p(before, range(200), now, range(40), "rises", level=0.05)
        false += p is not None and p <= 0.05
    assert 0 < false <= at_most(0.05, LOOKS)


@pytest.mark.parametrize(
    ("direction", "rate", "small"),
    [
        ("rises", 0.5, True),
        ("falls", 0.5, False),
        ("either", 0.5, True),
        ("falls", 0.0, True),
        ("rises", 0.0, False),
    ],
)
def test_a_clear_change_is_found_in_its_direction(
    direction: Direction, rate: float, small: bool
) -> None:
    random = np.random.default_rng(1)
    before, labels = conversations(random, 400)
    now, now_labels = conversations(random, 120, rate)
    p = change_p(before, labels, now, now_labels, direction)
    assert p is not None
    assert p < 0.002 if small else p > 0.5


def test_what_was_never_there_is_found() -> None:
    p = change_p([0.0] * 200, range(200), [1.0] * 20, range(20), "rises")
    assert p == pytest.approx(1 / 20_001)


def test_the_flood_of_one_person_is_no_change() -> None:
    before = [0.0, 1.0] * 100
    now, labels = [*([0.0, 1.0] * 15), *([1.0] * 3_000)], [*range(30), *(["bot"] * 3_000)]
    p = change_p(before, range(200), now, labels, "rises")
    assert p is not None
    assert p > 0.05


def test_a_flood_in_a_small_window_is_as_rare_an_alarm_as_any_other() -> None:
    """Floods come by the week: in a small one they weigh more than exchanges would have it."""
    false = 0
    for look in range(LOOKS):
        random = np.random.default_rng(look)
        before, labels = conversations(random, 400)
        now, now_labels = conversations(random, 25)
        now += [float(random.random() < 0.2)] * 500
        p = change_p(before, labels, now, [*now_labels, *([-1] * 500)], "either", level=0.05)
        false += p is not None and p <= 0.05
    assert false <= at_most(0.05, LOOKS)


def test_a_unit_counts_at_most_for_as_many_values_as_most_have() -> None:
    units = np.array([[1.0, 2.0]] * 99 + [[300.0, 600.0]])
    assert bounded(units).tolist() == [[1.0, 2.0]] * 100
    assert bounded(units[:1]).tolist() == units[:1].tolist()


@pytest.mark.parametrize(("before", "now"), [(9, 50), (50, 9), (0, 50), (50, 0)])
def test_too_few_units_tell_nothing(before: int, now: int) -> None:
    values = [float(row % 3) for row in range(60)]
    assert change_p(values[:before], range(before), values[:now], range(now), "either") is None


def test_one_unit_of_many_values_is_too_little() -> None:
    assert change_p([1.0] * 50, range(50), [2.0] * 50, ["one"] * 50, "either") is None


def test_values_that_are_no_numbers_are_left_out() -> None:
    values = [math.nan, 1.0, 2.0, math.inf, 4.0]
    assert unit_sums(values, ["a", "b", "b", "c", "d"]).tolist() == [[3.0, 2.0], [4.0, 1.0]]
    assert change_p([math.nan] * 50, range(50), [1.0] * 50, range(50), "either") is None


def test_values_without_any_spread_are_no_change() -> None:
    assert change_p([0.1] * 50, range(50), [0.1] * 70, [n // 2 for n in range(70)], "either") == 1
    assert change_p([0.0] * 50, range(50), [0.0] * 70, range(70), "rises") == 1


def test_scale_and_place_change_nothing() -> None:
    random = np.random.default_rng(5)
    before, now = random.lognormal(0, 1, 300), random.lognormal(0.3, 1, 50)
    plain = change_p(before, range(300), now, range(50), "either")
    moved = change_p(1e6 + 1e4 * before, range(300), 1e6 + 1e4 * now, range(50), "either")
    assert plain == pytest.approx(moved, abs=0.002)
    assert change_p(before, range(300), now, range(50), "either") == plain


def test_as_many_labels_as_values() -> None:
    with pytest.raises(ValueError, match="3 values, but 2 labels"):
        change_p([1.0, 2.0, 3.0], [1, 2], [1.0], [1], "either")


def test_the_level_of_a_look_is_its_part_of_the_year() -> None:
    assert level_per_look(0.1, 52) == pytest.approx(0.1 / 52)
    assert level_per_look(60, 52) == 1
    for wrong in ((0, 52), (0.1, 0), (-1, 52)):
        with pytest.raises(ValueError, match="above 0"):
            level_per_look(*wrong)


def test_every_way_to_deal_units_out_is_as_likely() -> None:
    labels = np.concatenate(list(dealt(np.array([1, 1, 0, 0, 0, 0], np.uint8), 6_000, 0)))
    assert labels.shape == (6_000, 6)
    assert (labels.sum(axis=1) == 2).all()
    pairs = np.unique(labels, axis=0, return_counts=True)[1]
    assert len(pairs) == 15
    assert (np.abs(pairs - 400) < 100).all()


def first(labels: Labels) -> Array:
    return labels[:, 0].astype(np.float64)


def test_exchanges_end_early_where_p_is_clearly_large() -> None:
    large = exchange_p(-1.0, first, dealt(np.arange(50, dtype=np.uint8) % 2, 20_000, 0))
    assert large == (1.0, EXCEEDED)
    small = exchange_p(2.0, first, dealt(np.arange(50, dtype=np.uint8) % 2, 5_000, 0))
    assert small == (1 / 5_001, 5_000)


@pytest.mark.parametrize(("level", "draws"), [(0.5, 1_000), (0.002, 20_000), (1e-9, 200_000)])
def test_a_smaller_level_wants_more_exchanges(level: float, draws: int) -> None:
    assert draws_for(level) == draws


def test_memory_is_bounded_by_blocks() -> None:
    sizes = [block.size for block in dealt(np.zeros(5_000, np.uint8), 3_000, 0)]
    assert max(sizes) <= 4_000_000
