"""Times of answers: compared only where both arms were asked at about the same time, which
remembered replies need not be.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from llmops.tasks.calls.budget import Spent
from llmops.tasks.decisions.decision import Verdict
from llmops.tasks.decisions.rules import Rule
from llmops.tasks.decisions.verdict import decide
from llmops.tasks.decisions.verify import recomputed
from llmops.tasks.evaluation.answering import answer_part
from llmops.tasks.evaluation.results import RunPart, read_results, write_results
from tests.decisions.decided import CASES, RULE, SCORES
from tests.decisions.measured import (
    NOW,
    evaluation_run,
    evidence,
    noisy,
    parts_of,
    plus,
    recorded,
    result,
    sealed,
    settings,
)
from tests.evaluation.runs import cases as some_cases
from tests.evaluation.runs import evaluation_run as small_run
from tests.evaluation.runs import model
from tests.openai_server import serving

BASE = noisy(60, 0.4)
SLOW = [100.0 + number % 13 for number in range(60)]
QUICK = [0.5 * value + number % 3 for number, value in enumerate(SLOW)]
DAY = 24 * 3600.0


def timed(gap: float | list[float], rule: dict[str, Any], new: Any = QUICK) -> Verdict:
    """`gap`: how many seconds before the candidate the baseline was asked; None: nobody knows."""
    gaps = gap if isinstance(gap, list) else [gap] * 60
    arms = {
        "baseline": {"token_f1": BASE, "latency": SLOW},
        "candidate": {"token_f1": plus(BASE, 0.2), "latency": new},
    }
    return decide(
        evidence(
            arms, rule, asked={"baseline": [NOW - one for one in gaps], "candidate": [NOW] * 60}
        )
    )


def test_a_latency_that_was_measured_at_another_time_decides_nothing() -> None:
    assert (
        timed(0.0, {"metric": "latency"}).verdict
        == timed(800.0, {"metric": "latency"}).verdict
        == "promote"
    )
    for rule in ({"metric": "latency"}, {"metric": "latency", "stop_early": True}):
        found = timed(DAY, rule)
        assert (found.verdict, found.content()["n"]) == ("inconclusive", 0)
        assert (
            "60 of 60 cases are left out: their arms were asked at different times "
            "(remembered replies)" in found.reason
        )
        assert "ask all arms anew" in (found.hint or "")


@pytest.mark.parametrize("more", [{}, {"stop_early": True}])
def test_a_guard_of_latency_neither_holds_nor_breaks_by_times_of_another_day(
    more: dict[str, Any],
) -> None:
    rule = {"metric": "token_f1", "not_worse": {"latency": 0.2}, **more}
    for new in (QUICK, [3 * value for value in SLOW]):
        found = timed(DAY, rule, new)
        guard = found.content()["comparisons"]["candidate"]["metrics"]["latency"]
        assert (found.verdict, guard["holds"], guard["violated"], guard["n"]) == (
            "inconclusive",
            False,
            False,
            0,
        )
        assert "ask all arms anew" in (found.hint or "")
    assert (
        timed(0.0, rule, [3 * value + number % 5 for number, value in enumerate(SLOW)]).verdict
        == "reject"
    )


def test_a_comparison_takes_the_cases_that_were_asked_together_and_says_how_many_it_leaves_out() -> (  # noqa: E501
    None
):
    found = timed([DAY] * 20 + [0.0] * 40, {"metric": "token_f1"}).content()["comparisons"][
        "candidate"
    ]["metrics"]
    assert (found["latency"]["n"], found["token_f1"]["n"]) == (40, 60)
    assert "20 of 60 cases are left out" in found["latency"]["note"]
    assert "note" not in found["token_f1"]
    assert (
        timed(DAY, {"metric": "token_f1"}).content()["comparisons"]["candidate"]["metrics"][
            "latency"
        ]["n"]
        == 0
    )


def test_what_nobody_knows_the_time_of_was_not_asked_together() -> None:
    assert timed(NOW, {"metric": "latency"}).content()["n"] == 0


def test_a_record_keeps_the_times_warns_and_is_computed_again_with_them(tmp_path: Path) -> None:
    run = evaluation_run(tmp_path, tuple(SCORES))
    together, apart = (
        recorded(run, RULE, parts_of(run, CASES, SCORES, asked_at=at), CASES, **settings(RULE))
        for at in (NOW, 0.0)
    )
    assert together["verdict"] == "promote"
    assert together["pairs"]["calls"]["third"]["asked_at"] == [NOW] * 90
    assert together["warnings"] == []
    assert apart["verdict"] == "inconclusive"
    assert (
        "latency of candidate compares 0 of 90 cases: in the others the arms were asked at "
        "different times (remembered replies)" in apart["warnings"]
    )
    assert (
        recomputed(json.loads(json.dumps(together)))
        == recomputed(json.loads(json.dumps(apart)))
        == []
    )
    together["pairs"]["calls"]["candidate"]["asked_at"] = [NOW - DAY] * 90
    assert 'verdict: the record says "promote", its pairs give "inconclusive"' in recomputed(
        sealed(together)
    )


def test_a_remembered_answer_keeps_the_time_at_which_it_was_asked(tmp_path: Path) -> None:
    with serving(lambda messages: "answer") as service:
        run = small_run(tmp_path, service.base_url)
        first, again = (
            list(read_results(answer_part(run, number, some_cases(3), Spent()).file))
            for number in (1, 2)
        )
        labelled = [
            one.model_copy(update={"llm": model(service.base_url, label="again")})
            for one in run.arms
        ]
        anew = list(
            read_results(
                answer_part(
                    small_run(tmp_path, service.base_url, arms=labelled),
                    3,
                    some_cases(3),
                    Spent(),
                ).file
            )
        )
    assert [one.cached for one in again] == [True] * len(first)
    assert [one.asked_at for one in first] == [one.asked_at for one in again]
    assert min(one.asked_at for one in first) > NOW
    assert [one.cached for one in anew] == [False] * len(first)  # what the hint says helps


def test_an_unknown_repeat_makes_the_time_of_a_case_unknown(tmp_path: Path) -> None:
    run, rule = evaluation_run(tmp_path, repeats=2), Rule(metric="latency")
    times = {("c1", 0): 0.0, ("c2", 0): NOW, ("c2", 1): NOW + 100}
    rows = [
        result(case, arm, 0.5, repeat, asked_at=times.get((case.id, repeat), NOW))
        for case in CASES.cases[:3]
        for arm in ("baseline", "candidate")
        for repeat in range(2)
    ]
    write_results(run.folder / "scored.parquet", rows)
    part = RunPart(number=1, file=run.folder / "scored.parquet", cases=3, spent=Spent())
    found = recorded(run, rule, [part], CASES, **settings(rule))
    assert found["pairs"]["calls"]["candidate"]["asked_at"] == [NOW, 0.0, NOW + 50]
    assert found["comparisons"]["candidate"]["metrics"]["latency"]["n"] == 2
