"""The verdict on evidence of which the truth is known."""

from typing import Any

import numpy as np
import pytest

from llmops.tasks.decisions.decision import Verdict
from llmops.tasks.decisions.evidence import Evidence
from llmops.tasks.decisions.verdict import chosen_of, decide, judge
from llmops.tasks.statistics.comparison import compare
from tests.decisions.measured import evidence, noisy, plus

BASE = noisy(120, 0.5)
SLOW = [100.0 + number % 13 for number in range(120)]
F1: dict[str, Any] = {"metric": "token_f1"}


def two(new: Any, old: Any = BASE, metric: str = "token_f1", **rule: Any) -> Verdict:
    return decide(
        evidence(
            {"baseline": {metric: old}, "candidate": {metric: new}}, {"metric": metric, **rule}
        )
    )


def test_a_better_arm_is_promoted_with_the_numbers_of_the_test() -> None:
    new = plus(BASE, 0.1)
    found, by_hand = two(new), compare(new, BASE)
    assert found.verdict == "promote"
    assert found.content()["difference"] == pytest.approx(np.mean(np.array(new) - BASE))
    assert found.content()["interval"] == pytest.approx([by_hand.low, by_hand.high])
    assert (found.content()["p_value"], found.content()["test"], found.content()["n"]) == (
        by_hand.p_value,
        by_hand.test,
        120,
    )
    assert "token_f1 rises by 0.09" in found.reason
    assert "on 120 cases" in found.reason


def test_a_worse_arm_is_rejected() -> None:
    found = two(plus(BASE, -0.1))
    assert found.verdict == "reject"
    assert found.content()["interval"][1] < 0
    assert "falls by" in found.reason


def test_what_is_too_close_says_how_many_more_cases_would_tell() -> None:
    found = two(plus(BASE, 0.012))
    assert found.verdict == "inconclusive"
    assert found.content()["cases_needed"] > 120
    assert "more cases would be needed to see a difference of" in found.reason
    assert found.content()["minimum_detectable_effect"] > abs(found.content()["difference"])


def test_identical_arms_are_inconclusive_under_every_rule() -> None:
    for rule in ({}, {"rule": "not_worse", "margin": 0.05}, {"stop_early": True}):
        found = two(BASE, **rule)
        assert found.verdict == "inconclusive"
        assert "same token_f1 on all 120 cases" in found.reason


def test_identical_yes_no_answers_are_inconclusive_too() -> None:
    answers = [float(number % 2) for number in range(200)]
    assert two(answers, answers, rule="not_worse", margin=0.1).verdict == "inconclusive"


def test_a_constant_gain_without_spread_is_no_pass() -> None:
    assert (
        two([value + 0.25 for value in [0.25, 0.5] * 30], [0.25, 0.5] * 30).verdict
        == "inconclusive"
    )


def test_a_gain_below_the_least_worth_having_is_not_promoted() -> None:
    new = plus(BASE, 0.06, spread=0.05)
    assert two(new).verdict == "promote"
    assert two(new, by=0.04).verdict == "promote"
    assert two(new, by=0.06).verdict == "inconclusive"
    assert two(new, by=0.2).verdict == "reject"


def test_not_worse_accepts_a_small_loss_within_its_margin() -> None:
    new = plus(BASE, -0.02, spread=0.05)
    assert two(new).verdict == "reject"
    assert two(new, rule="not_worse", margin=0.05).verdict == "promote"
    assert two(new, rule="not_worse", margin=0.025).verdict == "inconclusive"
    assert two(plus(BASE, -0.2), rule="not_worse", margin=0.05).verdict == "reject"


def test_where_less_is_better_a_fall_is_promoted_and_shown_as_a_fall() -> None:
    quicker = [value * 0.8 + number % 3 for number, value in enumerate(SLOW)]
    found = two(quicker, SLOW, "latency")
    assert found.verdict == "promote"
    assert found.content()["difference"] < 0
    assert (
        found.content()["interval"][0]
        < found.content()["difference"]
        < found.content()["interval"][1]
        < 0
    )
    assert "latency falls by" in found.reason
    assert "ms" in found.reason
    assert two(SLOW, quicker, "latency").verdict == "reject"


def test_bars_of_latency_are_shares_of_the_baseline() -> None:
    quicker = [value * 0.8 + number % 3 for number, value in enumerate(SLOW)]
    assert two(quicker, SLOW, "latency", by=0.15).verdict == "promote"
    assert two(quicker, SLOW, "latency", by=0.3).verdict == "reject"


def test_only_cases_with_two_values_count_and_none_is_no_zero() -> None:
    old: list[float | None] = [*BASE]
    new: list[float | None] = [*plus(BASE, 0.1)]
    for number in range(0, 120, 3):
        new[number] = None
    for number in range(0, 120, 4):
        old[number] = None
    both = [(a, b) for a, b in zip(new, old, strict=True) if a is not None and b is not None]
    found = two(new, old)
    assert found.content()["n"] == len(both) == 60
    assert found.content()["difference"] == pytest.approx(np.mean([a - b for a, b in both]))
    assert found.content()["arms"]["candidate"]["metrics"]["token_f1"]["n"] == 80


def test_no_case_or_one_case_is_inconclusive() -> None:
    for values in ([None] * 5, [0.4, *[None] * 4]):
        found = two(values, [0.1] * 5)
        assert found.verdict == "inconclusive"
        assert "cannot be compared" in found.reason


def test_cases_of_one_group_count_as_one() -> None:
    new = plus(BASE, 0.05, spread=0.2)
    arms = {"baseline": {"token_f1": BASE}, "candidate": {"token_f1": new}}
    groups = [f"g{int(40 * (a - b)) % 3}" for a, b in zip(new, BASE, strict=True)]
    assert decide(evidence(arms, F1)).verdict == "promote"
    grouped = decide(evidence(arms, F1, groups=groups))
    assert grouped.verdict == "inconclusive"
    assert grouped.content()["comparisons"]["candidate"]["metrics"]["token_f1"]["clusters"] == 3
    assert "in 3 groups" in grouped.reason
    assert decide(evidence(arms, {**F1, "cluster": "none"}, groups=groups)).verdict == "promote"


def test_cases_without_a_group_stand_for_themselves_beside_groups() -> None:
    arms = {"baseline": {"token_f1": BASE}, "candidate": {"token_f1": plus(BASE, 0.1)}}
    found = decide(
        evidence(arms, F1, groups=[None if number < 60 else "one" for number in range(120)])
    )
    assert found.content()["comparisons"]["candidate"]["metrics"]["token_f1"]["clusters"] == 61


def test_a_gain_overall_that_hides_a_loss_shows_it_by_tag() -> None:
    tags = [["rare"] if number % 6 == 0 else ["common"] for number in range(120)]
    new = [
        max(0.0, value - 0.3 + number % 5 / 50)
        if tags[number] == ["rare"]
        else min(1.0, value + 0.2 - number % 7 / 50)
        for number, value in enumerate(BASE)
    ]
    found = decide(
        evidence({"baseline": {"token_f1": BASE}, "candidate": {"token_f1": new}}, F1, tags=tags)
    )
    by_tag = found.content()["comparisons"]["candidate"]["tags"]
    assert found.verdict == "promote"
    assert by_tag["rare"]["interval"][1] < 0 < by_tag["common"]["interval"][0]
    assert (by_tag["rare"]["n"], by_tag["common"]["n"]) == (20, 100)
    assert by_tag["rare"]["adjusted_p"] >= by_tag["rare"]["p_value"]


def test_a_preference_counts_wins_against_losses() -> None:
    def judged(wins: int, ties: int, losses: int) -> Verdict:
        values = [1.0] * wins + [0.5] * ties + [0.0] * losses
        arms: dict[str, Any] = {
            "baseline": {"token_f1": [0.5] * len(values)},
            "candidate": {"preference": values},
        }
        return decide(evidence(arms, {"metric": "preference"}))

    found = judged(40, 60, 10)
    assert found.verdict == "promote"
    assert found.content()["difference"] == pytest.approx(30 / 110)
    assert found.content()["test"] == "exact McNemar"
    assert judged(10, 60, 40).verdict == "reject"
    assert judged(20, 60, 20).verdict == "inconclusive"
    assert judged(0, 60, 0).verdict == "inconclusive"
    assert judged(60, 0, 0).verdict == "promote"


def test_too_few_cases_are_said_to_be_too_few_and_not_alike() -> None:
    found = two([1.0, 1.0], [0.0, 0.0])
    assert found.verdict == "inconclusive"
    assert (
        "2 cases are too few for any difference to be told from chance, at least 6 are needed"
        in found.reason
    )
    assert "alike" not in found.reason
    arms = {"baseline": {"token_f1": [0.0] * 10}, "candidate": {"token_f1": [1.0] * 10}}
    assert "2 groups are too few" in decide(evidence(arms, F1, groups=["a", "b"] * 5)).reason
    assert two([1.0] * 10, [0.0] * 10).verdict == "promote"


def test_cases_that_all_differ_alike_are_not_called_alike() -> None:
    found = two([1.0] * 8, [0.0] * 8, by=0.6)
    assert found.verdict == "inconclusive"
    assert "all cases differ by the same amount" in found.reason
    even = two([1.0, 0.0] * 20, [0.0, 1.0] * 20)
    assert (
        "the arms are as good as alike, and no sensible number of cases would tell them apart"
        in even.reason
    )


@pytest.mark.slow
def test_without_any_effect_the_rate_of_decisions_is_the_one_that_is_promised() -> None:
    random = np.random.default_rng(5)
    wrong = 0
    for _ in range(150):
        base = np.clip(random.normal(0.5, 0.2, 40), 0, 1)
        new = np.clip(base + random.normal(0, 0.1, 40), 0, 1)
        whole = evidence(
            {"baseline": {"token_f1": base.tolist()}, "candidate": {"token_f1": new.tolist()}}, F1
        )
        wrong += chosen_of(judge(whole)).verdict != "inconclusive"
    assert wrong / 150 <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 150)


def test_evidence_of_uneven_columns_is_refused() -> None:
    whole = evidence({"baseline": {"token_f1": BASE}, "candidate": {"token_f1": BASE}}, F1)
    broken = whole.model_dump()
    broken["pairs"]["groups"] = broken["pairs"]["groups"][:-1]
    with pytest.raises(
        ValueError, match="one entry per case is wanted, for 120 cases: groups has 119"
    ):
        Evidence.model_validate(broken)
