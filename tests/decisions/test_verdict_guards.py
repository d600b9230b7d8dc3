"""Metrics that must not suffer, and stopping early."""

from typing import Any

import numpy as np
import pytest

from llmops.tasks.decisions.decision import Verdict
from llmops.tasks.decisions.record import settled
from llmops.tasks.decisions.rules import Rule
from llmops.tasks.decisions.verdict import chosen_of, decide, judge
from llmops.tasks.evaluation.cases import parted
from llmops.tasks.statistics.multiple import holm
from llmops.tasks.statistics.noninferiority import noninferior
from tests.decisions.measured import case_set, evaluation_run, evidence, noisy, parts_of, plus

BASE = noisy(150, 0.5)
BETTER = plus(BASE, 0.1)
SLOW = [100.0 + number % 13 for number in range(150)]


def slower(times: float) -> list[float]:
    return [times * value + number % 5 for number, value in enumerate(SLOW)]


def guarded(guards: dict[str, float], **columns: Any) -> tuple[Verdict, dict[str, Any]]:
    """`columns`: metric = (baseline, candidate)."""
    arms = {
        arm: {"token_f1": values, **{name: both[place] for name, both in columns.items()}}
        for place, (arm, values) in enumerate((("baseline", BASE), ("candidate", BETTER)))
    }
    found = decide(evidence(arms, {"metric": "token_f1", "not_worse": guards}))
    return found, found.content()["comparisons"]["candidate"]["metrics"]


@pytest.mark.parametrize(
    ("times", "verdict"), [(1.05, "promote"), (0.7, "promote"), (1.5, "reject")]
)
def test_a_guard_of_latency_is_a_share_of_the_baseline(times: float, verdict: str) -> None:
    found, metrics = guarded({"latency": 0.2}, latency=(SLOW, slower(times)))
    assert found.verdict == verdict
    assert (metrics["latency"]["holds"], metrics["latency"]["violated"]) == (
        verdict == "promote",
        verdict == "reject",
    )
    assert "20 % is accepted" in found.reason


def test_a_guard_that_cannot_be_shown_to_hold_is_inconclusive_and_says_what_would_help() -> None:
    random = np.random.default_rng(2)
    new = [
        value * 1.1 + float(noise)
        for value, noise in zip(SLOW, random.normal(0, 120, 150), strict=True)
    ]
    found, metrics = guarded({"latency": 0.2}, latency=(SLOW, new))
    assert found.verdict == "inconclusive"
    assert not metrics["latency"]["holds"]
    assert not metrics["latency"]["violated"]
    assert "that latency stays within its margin is not shown" in found.reason
    assert "more cases would tell" in found.reason


def test_guards_are_corrected_by_holm() -> None:
    others = {
        "grounded": (BASE, plus(BASE, -0.02, seed=8)),
        "citations": (BASE, plus(BASE, -0.01, seed=9)),
    }
    _, metrics = guarded({"grounded": 0.04, "citations": 0.04}, **others)
    by_hand = [noninferior(new, old, 0.04).p_value for old, new in others.values()]
    assert [metrics[name]["p_value"] for name in others] == pytest.approx(by_hand)
    assert [metrics[name]["adjusted_p"] for name in others] == pytest.approx(holm(by_hand))
    assert [metrics[name]["holds"] for name in others] == [p < 0.025 for p in holm(by_hand)]


def test_a_violated_guard_rejects_a_better_arm() -> None:
    found, _ = guarded({"grounded": 0.02}, grounded=(BASE, plus(BASE, -0.2)))
    assert found.verdict == "reject"
    assert found.reason.startswith("grounded falls by")


def test_what_is_equal_on_many_cases_holds_and_on_few_it_does_not() -> None:
    found, metrics = guarded({"citations": 0.05}, citations=([1.0] * 150, [1.0] * 150))
    assert found.verdict == "promote"
    few, _ = guarded({"citations": 0.01}, citations=([0.9] * 150, [0.9] * 150))
    assert few.verdict == "inconclusive"
    assert metrics["citations"]["difference"] == 0


def test_a_margin_of_nothing_is_never_shown_by_equality() -> None:
    found, _ = guarded({"citations": 0.0}, citations=([0.9] * 150, [0.9] * 150))
    assert found.verdict == "inconclusive"


def test_what_costs_nothing_in_both_arms_holds_and_what_began_to_cost_does_not() -> None:
    free, _ = guarded({"cost": 0.1}, cost=([0.0] * 150, [0.0] * 150))
    assert free.verdict == "promote"
    paid, _ = guarded(
        {"cost": 0.1}, cost=([0.0] * 150, [0.001 + number % 3 / 1000 for number in range(150)])
    )
    assert paid.verdict == "reject"


def test_a_guard_without_values_holds_nothing() -> None:
    found, metrics = guarded({"grounded": 0.1})
    assert found.verdict == "inconclusive"
    assert metrics["grounded"]["n"] == 0


def test_guards_do_not_save_an_arm_that_is_not_better() -> None:
    arms = {
        "baseline": {"token_f1": BASE, "latency": SLOW},
        "candidate": {"token_f1": plus(BASE, 0.0), "latency": slower(0.5)},
    }
    assert (
        decide(evidence(arms, {"metric": "token_f1", "not_worse": {"latency": 0.2}})).verdict
        == "inconclusive"
    )


EARLY = Rule(metric="token_f1", stop_early=True)


def test_an_easy_decision_is_settled_after_some_parts(tmp_path: Any) -> None:
    cases, run = case_set(400), evaluation_run(tmp_path)
    base = noisy(400, 0.3)
    parts = parts_of(run, cases, {"baseline": base, "candidate": plus(base, 0.4)}, size=50)
    seen = [settled(run, EARLY, parts[:count], cases, {}) for count in range(1, 9)]
    first = next(count for count, one in enumerate(seen, 1) if one)
    assert first <= 3
    assert "promote" in (seen[first - 1] or "")
    assert all(seen[first - 1 :])
    assert settled(run, Rule(metric="token_f1"), parts, cases, {}) is None


def test_nothing_is_settled_between_equal_arms(tmp_path: Any) -> None:
    cases, run = case_set(200), evaluation_run(tmp_path)
    base = noisy(200, 0.5)
    parts = parts_of(run, cases, {"baseline": base, "candidate": plus(base, 0.0)}, size=50)
    assert [settled(run, EARLY, parts[:count], cases, {}) for count in range(1, 5)] == [None] * 4


def test_the_interval_of_a_run_that_may_stop_is_the_wider_one_of_all_looks() -> None:
    arms = {"baseline": {"token_f1": BASE}, "candidate": {"token_f1": BETTER}}
    fixed, early = (
        decide(evidence(arms, {"metric": "token_f1"})),
        decide(evidence(arms, EARLY, looks=(50, 100, 150))),
    )
    assert early.content()["p_value"] is None
    assert early.content()["test"] == "confidence sequence (betting)"
    widths = [one["interval"][1] - one["interval"][0] for one in (fixed.content(), early.content())]
    assert widths[1] > widths[0]
    looks = early.content()["looks"]
    assert [look["cases"] for look in looks] == [50, 100, 150]
    assert looks[-1]["comparisons"]["candidate"]["interval"] == early.content()["interval"]
    assert (
        looks[0]["comparisons"]["candidate"]["interval"]
        != looks[1]["comparisons"]["candidate"]["interval"]
    )


@pytest.mark.slow
def test_looking_often_does_not_find_what_is_not_there() -> None:
    random, wrong = np.random.default_rng(11), 0
    for _ in range(80):
        base = np.clip(random.normal(0.5, 0.25, 150), 0, 1)
        new = np.clip(base + random.normal(0, 0.25, 150), 0, 1)
        whole = evidence(
            {"baseline": {"token_f1": base.tolist()}, "candidate": {"token_f1": new.tolist()}},
            EARLY,
        )
        wrong += any(
            chosen_of(judge(whole.first(count))).verdict != "inconclusive"
            for count in (50, 100, 150)
        )
    assert wrong / 80 <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 80)


def test_latency_may_guard_a_run_that_stops_early() -> None:
    def early(times: float) -> Verdict:
        arms = {
            "baseline": {"token_f1": BASE, "latency": SLOW},
            "candidate": {"token_f1": plus(BASE, 0.3), "latency": slower(times)},
        }
        return decide(evidence(arms, EARLY.model_copy(update={"not_worse": {"latency": 0.2}})))

    assert early(1.0).verdict == "promote"
    assert early(2.0).verdict == "reject"


def test_parts_of_a_run_that_may_stop_keep_groups_together_in_a_drawn_order() -> None:
    cases = case_set(100, groups=30).cases
    parts = parted(cases, 20, seed="seed")
    assert sorted(case.id for part in parts for case in part) == sorted(case.id for case in cases)
    homes = {case.group: number for number, part in enumerate(parts) for case in part}
    assert all(homes[case.group] == number for number, part in enumerate(parts) for case in part)
    assert all(len(part) >= 20 for part in parts[:-1])
    turned = parted(tuple(reversed(cases)), 20, seed="seed")
    assert [{case.id for case in part} for part in turned] == [
        {case.id for case in part} for part in parts
    ]
    assert parted(cases, 20, seed="another") != parts
    assert parted(cases, 30)[0] == list(cases[:30])
