"""Judges compared with people: numbers worked out by hand, and a judge that may decide only where
it is shown to agree.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from llmops.tasks.evaluation.calibration import trust
from tests.evaluation.calibrations import Body, Office, grades, says
from tests.openai_server import Service, serving


@pytest.fixture
def service() -> Iterator[Service]:
    with serving(says) as found:
        yield found


@pytest.fixture
def office(tmp_path: Path, service: Service) -> Office:
    return Office(tmp_path, service)


def test_kappa_and_confusion_are_those_of_the_book(office: Office, service: Service) -> None:
    """20, 5, 10 and 15 of 50: observed 0.70, by chance 0.50, so kappa is 0.40 (Cohen 1960)."""
    office.labels(grades([(1, 1)] * 20 + [(1, 0)] * 5 + [(0, 1)] * 10 + [(0, 0)] * 15))
    found = office.calibrate(office.judge(scale="binary", floor=0.3))
    one = found["judges"]["judge"]
    assert (one["n"], one["agreement"], one["kappa"]) == (
        50,
        pytest.approx(0.7),
        pytest.approx(0.4),
    )
    assert one["confusion"] == [[15, 5], [10, 20]]  # rows people, columns judge
    assert one["bias"] == pytest.approx(-0.1)
    low, high = one["interval"]
    assert low < 0.4 < high
    assert found["spent"]["calls"] == len(service.requests) == 50
    assert (one["alpha"], one["people"]) == (None, None)


def test_the_low_end_of_the_interval_counts_not_the_estimate(office: Office) -> None:
    office.labels(grades([(1, 1)] * 20 + [(1, 0)] * 5 + [(0, 1)] * 10 + [(0, 0)] * 15))
    strict, lenient = (
        office.judge(scale="binary", floor=0.35),
        office.judge(scale="binary", floor=0.1),
    )
    one = office.calibrate(strict)["judges"]["judge"]
    assert one["kappa"] > 0.35 > one["interval"][0] > 0.1
    assert one["trusted"] is False
    assert "does not reach its floor of 0.35" in one["reason"]
    assert one["reason"] in (trust(office.home, strict) or "")
    assert trust(office.home, lenient) is None  # another floor needs no other measurement


def test_a_few_labels_that_agree_are_no_proof(office: Office) -> None:
    spec = office.judge(scale="binary", floor=0.6)
    office.labels(grades([(1, 1), (0, 0), (1, 1)]))
    one = office.calibrate(spec)["judges"]["judge"]
    assert (one["agreement"], one["kappa"], one["trusted"]) == (1, 1, False)
    office.labels(grades([(1, 1), (0, 0)] * 30))
    assert office.calibrate(spec)["judges"]["judge"]["trusted"] is True
    assert trust(office.home, spec) is None


def test_one_grade_for_everything_proves_nothing(office: Office) -> None:
    office.labels(grades([(1, 1)] * 50))
    one = office.calibrate(office.judge(scale="binary", floor=0.1))["judges"]["judge"]
    assert (one["kappa"], one["interval"], one["trusted"]) == (None, None, False)
    assert "cannot be computed" in one["reason"]


def test_near_misses_weigh_less_on_a_scale(office: Office) -> None:
    office.labels(grades([(1, 1), (2, 1), (2, 2), (3, 3), (4, 3), (4, 4), (5, 5), (5, 4)] * 5))
    near = office.calibrate(office.judge(floor=0.6))["judges"]["judge"]
    office.labels(grades([(1, 1), (5, 1), (2, 2), (3, 3), (1, 3), (4, 4), (5, 5), (1, 4)] * 5))
    far = office.calibrate(office.judge(floor=0.6))["judges"]["judge"]
    assert near["agreement"] == far["agreement"] == 0.625
    assert (near["trusted"], far["trusted"]) == (True, False)
    assert near["kappa"] > 0.85
    assert far["kappa"] < 0.3
    assert near["bias"] == pytest.approx(3 / 8 / 4)


def test_a_scale_of_words_has_labels_of_words(office: Office) -> None:
    office.labels(grades([("bad", "Bad"), ("fair", "fair"), ("good", "good")] * 10))
    one = office.calibrate(office.judge(scale=["bad", "fair", "good"], floor=0.5))["judges"][
        "judge"
    ]
    assert (one["grades"], one["trusted"]) == (["bad", "fair", "good"], True)
    assert one["confusion"] == [[10, 0, 0], [0, 10, 0], [0, 0, 10]]


def test_several_raters_are_one_by_their_median_and_their_own_agreement_is_told(
    office: Office,
) -> None:
    said = [(5, [5, 5, 4]), (1, [1, 2, 1]), (3, [3, None, 4]), (2, [2, 2, 2])] * 8
    office.labels(
        [
            {"answer": f"{number} judge={mine}", "labels": theirs}
            for number, (mine, theirs) in enumerate(said)
        ]
    )
    one = office.calibrate(office.judge(floor=0.6))["judges"]["judge"]
    assert (one["agreement"], one["kappa"], one["trusted"]) == (
        1,
        1,
        True,
    )  # of 3 and 4 the worse one counts
    assert 0.5 < one["people"]["alpha"] < one["alpha"] < 1
    assert one["people"]["interval"][0] <= one["people"]["alpha"] <= one["people"]["interval"][1]
    assert one["people"]["n"] == 32


@pytest.mark.slow
def test_pairs_are_compared_with_whom_people_preferred(office: Office) -> None:
    rows: list[Body] = [
        {"a": f"x{number} judge=2", "b": f"y{number} judge=1", "preferred": "a"}
        for number in range(20)
    ]
    rows += [
        {"a": f"x{number} judge=1", "b": f"z{number} judge=2", "preferred": "b"}
        for number in range(20)
    ]
    rows += [
        {"a": f"v{number} judge=1", "b": f"w{number} judge=1", "labels": ["a", "b", "tie"]}
        for number in range(10)
    ]
    rows += [
        {"a": f"x{number} judge=first", "b": f"u{number} judge=first", "labels": ["a", "a", "tie"]}
        for number in range(10)
    ]
    office.labels(rows)
    one = office.calibrate(office.judge("pairwise_judge", floor=0.5))["judges"]["pairwise_judge"]
    assert (one["n"], one["grades"]) == (60, ["b", "tie", "a"])
    assert one["confusion"] == [[20, 0, 0], [0, 10, 0], [0, 10, 20]]
    assert one["parts"] == {"disagreement": pytest.approx(1 / 6), "first": pytest.approx(1 / 6)}
    assert one["trusted"] is True


def test_what_a_judge_cannot_judge_counts_against_it(office: Office) -> None:
    office.labels(grades([(1, 1), (0, 0)] * 30 + [("mute", 1)] * 5))
    one = office.calibrate(office.judge(scale="binary", floor=0.5))["judges"]["judge"]
    assert (one["n"], one["failed"], one["kappa"], one["trusted"]) == (60, 5, 1, False)
    assert "no usable reply for 5 of 65" in one["reason"]
