"""Agreement: published examples, scikit-learn, and data that have no coefficient."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmops.tasks.statistics.agreement import (
    NO_DISAGREEMENT,
    NO_SPREAD,
    ONE_LABEL,
    Agreement,
    agreement,
    cohen_kappa,
    reliability,
)
from llmops.tasks.statistics.agreement import krippendorff_alpha as alpha_of

# Krippendorff (2011), Computing Krippendorff's Alpha-Reliability, section C: four raters, twelve
# items, some ratings missing.
PUBLISHED: list[list[int | None]] = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, None, None, None],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, None, 3],
    [None, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, None],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, None],
]


@pytest.mark.parametrize(
    ("level", "alpha"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)]
)
def test_alpha_is_the_published_one(level: Any, alpha: float) -> None:
    assert alpha_of(PUBLISHED, level) == pytest.approx(alpha, abs=0.0005)
    found = reliability(PUBLISHED, level)
    assert found.value == alpha_of(PUBLISHED, level)
    assert found.n == 11
    assert found.low is not None
    assert found.low < alpha < (found.high or 0)


def test_alpha_of_yes_and_no_is_the_published_one() -> None:
    """Section A of the same paper: two raters, ten items."""
    assert alpha_of(
        [[0, 1, 0, 0, 0, 0, 0, 0, 1, 0], [1, 1, 1, 0, 0, 1, 0, 0, 0, 0]]
    ) == pytest.approx(0.095, abs=0.0005)


def test_kappa_is_cohens() -> None:
    """Cohen (1960), table 1: two judges, 200 items, three categories, in percent 25 13 12 / 12 2 16
    / 3 15 2.
    """
    table = [[25, 13, 12], [12, 2, 16], [3, 15, 2]]
    pairs = [
        (row, column)
        for row in range(3)
        for column in range(3)
        for _ in range(2 * table[row][column])
    ]
    a, b = zip(*pairs, strict=True)
    assert cohen_kappa(a, b) == pytest.approx(-0.09, abs=0.005)
    assert agreement(a, b).agreement == pytest.approx(0.29)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=2, max_size=40),
    st.sampled_from([None, "linear", "quadratic"]),
)
def test_kappa_is_that_of_scikit_learn(pairs: list[tuple[int, int]], weights: Any) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    a, b = zip(*pairs, strict=True)
    found = cohen_kappa(a, b, labels=range(5), weights=weights)
    if len({*a, *b}) == 1:
        assert found is None
    else:
        assert found == pytest.approx(
            metrics.cohen_kappa_score(a, b, labels=range(5), weights=weights)
        )


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.lists(st.sampled_from([None, 1, 2, 4, 8]), min_size=3, max_size=3),
        min_size=2,
        max_size=12,
    ),
    st.sampled_from(["nominal", "ordinal", "interval"]),
)
def test_alpha_is_the_sum_over_all_pairs_written_out(
    items: list[list[int | None]], level: Any
) -> None:
    units = [[one for one in item if one is not None] for item in items]
    units = [unit for unit in units if len(unit) > 1]
    ratings = [list(row) for row in zip(*items, strict=True)]
    if not units:
        with pytest.raises(ValueError, match="no item has two ratings"):
            alpha_of(ratings, level)
        return
    every = [one for unit in units for one in unit]

    def apart(a: int, b: int) -> float:
        if level == "ordinal":
            low, high = sorted((a, b))
            return float(
                (sum(low <= one <= high for one in every) - (every.count(a) + every.count(b)) / 2)
                ** 2
            )
        return float((a - b) ** 2 if level == "interval" else a != b)

    seen = sum(apart(a, b) / (len(unit) - 1) for unit in units for a in unit for b in unit) / len(
        every
    )
    chance = sum(apart(a, b) for a in every for b in every) / len(every) / (len(every) - 1)
    expected = None if chance == 0 else pytest.approx(1 - seen / chance)
    assert alpha_of(ratings, level) == expected


def test_one_label_alone_is_undefined_and_not_perfect() -> None:
    for found in (agreement(["good"] * 9, ["good"] * 9), reliability([[1] * 9, [1] * 9])):
        assert (found.value, found.low, found.high, found.agreement, found.note) == (
            None,
            None,
            None,
            1.0,
            ONE_LABEL,
        )
    assert cohen_kappa([1, 1], [1, 1], labels=[0, 1]) is None
    assert alpha_of([[1, 1], [1, 1]], "interval") is None


@pytest.mark.parametrize(
    "measure",
    [
        lambda labels: agreement(labels, labels),
        lambda labels: reliability([labels, labels], "ordinal"),
    ],
)
def test_agreeing_on_all_of_a_few_items_is_not_certain(measure: Any) -> None:
    few, many = measure([1, 2, 3] * 3), measure([1, 2, 3] * 100)
    assert (few.value, few.high, few.note) == (1.0, 1.0, NO_DISAGREEMENT)
    assert few.low < 0.6
    assert 0.9 < many.low < 1


def test_a_rater_of_one_label_says_nothing_of_the_spread() -> None:
    found = agreement(["good"] * 20, ["good", "bad"] * 10)
    assert (found.value, found.low, found.high, found.note) == (0.0, -1.0, 1.0, NO_SPREAD)
    assert agreement([1], [0]).note == NO_SPREAD


def test_the_interval_narrows_with_items_and_knows_no_order() -> None:
    random = np.random.default_rng(1)

    def rated(n: int) -> tuple[list[int], list[int]]:
        a = random.integers(0, 3, n)
        return a.tolist(), np.where(random.random(n) < 0.7, a, random.integers(0, 3, n)).tolist()

    def width(found: Agreement) -> float:
        return (found.high or 0) - (found.low or 0)

    few, many = rated(30), rated(1000)
    assert width(agreement(*few)) > 2 * width(agreement(*many))
    assert width(agreement(*few, confidence=0.99)) > width(agreement(*few))
    assert agreement(*few) == agreement(few[0][::-1], few[1][::-1])
    assert reliability(few) == reliability([few[1][::-1], few[0][::-1]])


def test_labels_of_any_kind_and_in_any_order_given() -> None:
    a, b = ["low", "high", "mid", "low"], ["low", "mid", "mid", "high"]
    ordered = cohen_kappa(a, b, labels=["low", "mid", "high"], weights="quadratic")
    assert ordered == pytest.approx(cohen_kappa([0, 2, 1, 0], [0, 1, 1, 2], weights="quadratic"))
    assert cohen_kappa([True, False, True], [True, False, False]) == cohen_kappa(
        [1, 0, 1], [1, 0, 0]
    )
    assert cohen_kappa(["yes", 1, None], ["yes", 1, 1]) is not None


def test_ratings_that_do_not_fit_are_errors() -> None:
    with pytest.raises(ValueError, match="got 2 and 1 ratings"):
        cohen_kappa([1, 2], [1])
    with pytest.raises(ValueError, match="got 0 and 0 ratings"):
        agreement([], [])
    with pytest.raises(ValueError, match="'c' is not among the labels"):
        cohen_kappa(["a", "c"], ["a", "b"], labels=["a", "b"])
    with pytest.raises(ValueError, match="of one length each; got lengths"):
        alpha_of([[1, 2], [1]])
