"""Several candidates, arms that fail, judges that are not trusted."""

from typing import Any

import numpy as np
import pytest

from llmops.tasks.decisions.decision import Verdict
from llmops.tasks.decisions.evidence import Evidence
from llmops.tasks.decisions.verdict import decide, failing
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


def with_errors(*args: Any, **more: Any) -> Verdict:
    return decide(failed(*args, **more))


def failed(arm: str, errors: int, limit: float = 0.02, **more: Any) -> Evidence:
    wrong = [1 if number < errors else 0 for number in range(120)]
    new, old = plus(BASE, 0.1), [*BASE]
    lost = {
        "baseline": [
            None if wrong[number] and arm == "baseline" else value
            for number, value in enumerate(old)
        ],
        "candidate": [
            None if wrong[number] and arm == "candidate" else value
            for number, value in enumerate(new)
        ],
    }
    return evidence(
        {name: {"token_f1": column} for name, column in lost.items()},
        {**F1, "max_error_rate": limit},
        errors={arm: wrong},
        **more,
    )


@pytest.mark.parametrize("arm", ["baseline", "candidate"])
def test_too_many_errors_of_an_arm_decide_nothing(arm: str) -> None:
    found = with_errors(arm, 4)
    assert (found.verdict, failing(failed(arm, 4)), found.content()["status"]) == (
        "inconclusive",
        (arm,),
        "failed",
    )
    assert f"3.33 % of the calls of {arm} failed" in found.reason
    assert with_errors(arm, 2).verdict == "promote"
    assert with_errors(arm, 12, limit=0.1).verdict == "promote"


def test_an_arm_that_only_fails_decides_nothing() -> None:
    found = with_errors("candidate", 120)
    assert (found.verdict, found.content()["status"]) == ("inconclusive", "failed")
    candidate = found.content()["arms"]["candidate"]
    assert (
        candidate["attempted"],
        candidate["answered"],
        candidate["errored"],
        candidate["metrics"],
    ) == (120, 0, 120, {})
    assert candidate["latency_ms"] == {"p50": None, "p95": None}


def test_failures_of_the_deciding_judge_count_as_errors_and_those_of_others_do_not() -> None:
    broken = [1] * 5 + [0] * 115
    judged = failed("candidate", 0, failures={"candidate": {"token_f1": broken}})
    assert failing(judged) == ("candidate",)
    assert (
        with_errors("candidate", 0, failures={"candidate": {"other": broken}}).verdict == "promote"
    )


def three(gains: dict[str, float]) -> Verdict:
    return decide(arms_of(gains))


def arms_of(gains: dict[str, float], errors: dict[str, Any] | None = None) -> Evidence:
    arms = {
        name: {"token_f1": plus(BASE, gain, seed=number)}
        for number, (name, gain) in enumerate(gains.items(), 1)
    }
    return evidence({"baseline": {"token_f1": BASE}, **arms}, F1, errors=errors)


def test_the_best_of_those_that_pass_wins() -> None:
    found = three({"a": 0.05, "b": 0.15, "c": -0.1})
    assert (found.verdict, found.candidate) == ("promote", "b")
    assert {name: one["verdict"] for name, one in found.content()["comparisons"].items()} == {
        "a": "promote",
        "b": "promote",
        "c": "reject",
    }
    assert "1 would pass as well, 1 rejected" in found.reason


def test_p_values_of_several_candidates_are_corrected() -> None:
    found = three({"a": 0.02, "b": 0.02, "c": 0.02})
    raw = sorted(
        one["metrics"]["token_f1"]["p_value"] for one in found.content()["comparisons"].values()
    )
    adjusted = sorted(one["adjusted_p"] for one in found.content()["comparisons"].values())
    assert adjusted[0] == pytest.approx(min(1, 3 * raw[0]))
    assert adjusted[1] >= adjusted[0]


def test_a_result_that_holds_alone_may_not_hold_among_many() -> None:
    for seed in range(100):
        values = plus(BASE, 0.02, seed=seed)
        alone = two(values)
        if alone.verdict == "promote" and alone.content()["p_value"] > 0.02:
            break
    arms = {
        "lucky": {"token_f1": values},
        **{
            f"none{number}": {"token_f1": plus(BASE, 0.0, seed=200 + number)} for number in range(3)
        },
    }
    assert decide(evidence({"baseline": {"token_f1": BASE}, **arms}, F1)).verdict == "inconclusive"


def test_all_are_worse_or_one_is_open() -> None:
    assert three({"a": -0.1, "b": -0.2}).verdict == "reject"
    found = three({"a": -0.1, "b": 0.0})
    assert (found.verdict, found.candidate) == ("inconclusive", "b")


def test_one_broken_candidate_does_not_stop_the_others() -> None:
    wrong = [1] * 20 + [0] * 100
    given = arms_of({"a": 0.1, "b": 0.2}, errors={"b": wrong})
    found = decide(given)
    assert (found.verdict, found.candidate, failing(given), found.content()["status"]) == (
        "promote",
        "a",
        ("b",),
        "decided",
    )


@pytest.mark.parametrize("metric", ["token_f1", "latency"])
def test_a_judge_that_is_not_trusted_informs_but_does_not_decide(metric: str) -> None:
    arms = {
        "baseline": {"token_f1": BASE, "latency": SLOW},
        "candidate": {"token_f1": plus(BASE, 0.1), "latency": SLOW},
    }
    found = decide(
        evidence(
            arms,
            {**F1, "not_worse": {"latency": 0.2}},
            untrusted={metric: "kappa 0.2 is below its floor 0.6"},
        )
    )
    assert found.verdict == "inconclusive"
    assert "kappa 0.2 is below its floor" in found.reason
    assert found.content()["comparisons"]["candidate"]["metrics"]["token_f1"]["difference"] > 0


def test_parts_of_a_judge_that_is_not_trusted_do_not_decide_either() -> None:
    found = decide(
        evidence(
            {"baseline": {"judge.tone": BASE}, "candidate": {"judge.tone": plus(BASE, 0.1)}},
            {"metric": "judge.tone"},
            untrusted={"judge": "never compared with people"},
        )
    )
    assert found.verdict == "inconclusive"


def test_arms_report_what_they_did() -> None:
    found = two(plus(BASE, 0.1)).content()["arms"]["candidate"]
    assert (
        found["attempted"],
        found["answered"],
        found["scored"],
        found["errored"],
        found["calls"],
        found["cached"],
    ) == (120, 120, 120, 0, 120, 0)
    assert found["latency_ms"] == {
        "p50": pytest.approx(159.5),
        "p95": pytest.approx(np.percentile(np.arange(100, 220), 95)),
    }
    assert (found["tokens"], found["cost_usd"]) == (1200, pytest.approx(0.12))
    low, high = found["metrics"]["token_f1"]["interval"]
    assert low < found["metrics"]["token_f1"]["value"] < high
