"""From the results of a run to numbers: which values, which directions, which cases."""

import random
from pathlib import Path
from typing import Any

import pytest

from llmops.tasks.calls.budget import Spent
from llmops.tasks.decisions.evidence import Evidence, Metric
from llmops.tasks.decisions.gathering import gathered
from llmops.tasks.decisions.rules import Rule
from llmops.tasks.evaluation.calibration import untrusted_metrics
from llmops.tasks.evaluation.results import Result, RunPart, write_results
from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.scorers import Score
from tests.decisions.measured import case_set, evaluation_run, result

RULE = Rule(metric="token_f1")
CASES = case_set(12)
JUDGE = {
    "llm": {"name": "openai", "model": "m", "base_url": "http://127.0.0.1:9/v1"},
    "rubric": "Is it right?",
}
SCORERS = (
    Spec(name="token_f1"),
    Spec(name="latency", options={"id": "speed"}),
    Spec(name="judge", options=JUDGE),
    Spec(name="pairwise_judge", options=JUDGE | {"id": "preferred"}),
)


def scored(arm: str, place: int) -> dict[str, Score]:
    scores = {
        "token_f1": Score(value=place / 12, parts={"recall": 0.5}),
        "speed": Score(value=100.0 + place),
        "judge": Score(value=0.75, parts={"tone": 1.0}),
        "retrieval.recall@5": Score(value=1.0),
    }
    return scores | (
        {"preferred": Score(value=1.0, parts={"first": -1.0})} if arm != "baseline" else {}
    )


def evidence_of(
    home: Path, rows: list[Result] | None = None, files: int = 1, **more: Any
) -> Evidence:
    run = evaluation_run(home, scorers=SCORERS, **more)
    rows = (
        rows
        if rows is not None
        else [
            result(case, arm.name, 0.5).model_copy(update={"scores": scored(arm.name, place)})
            for place, case in enumerate(CASES.cases)
            for arm in run.arms
        ]
    )
    parts, size = [], len(rows) // files
    for number in range(files):
        path = run.folder / f"scored-{number}.parquet"
        write_results(path, rows[number * size : (number + 1) * size])
        parts.append(RunPart(number=number + 1, file=path, cases=12 // files, spent=Spent()))
    random.Random(1).shuffle(parts)
    return gathered(run, RULE, parts, CASES, {})


def test_directions_and_kinds_are_those_of_the_scorers(tmp_path: Path) -> None:
    found = evidence_of(tmp_path).metrics
    assert (
        found["token_f1"]
        == found["token_f1.recall"]
        == found["judge.tone"]
        == found["retrieval.recall@5"]
        == Metric(bounded=True)
    )
    assert (
        found["speed"]
        == found["latency"]
        == Metric(higher_is_better=False, relative=True, timed=True, unit="ms")
    )
    assert found["cost"].unit == "USD"
    assert (
        found["preferred"].pairwise,
        found["preferred.first"].pairwise,
        found["preferred.first"].bounded,
    ) == (True, False, False)


def test_latency_and_cost_are_measured_without_a_scorer(tmp_path: Path) -> None:
    values = evidence_of(tmp_path).pairs.values["candidate"]
    assert values["latency"] == [100.0 + number % 7 for number in range(12)]
    assert values["cost"] == [0.0001] * 12


def test_cases_keep_the_order_of_the_parts_whatever_order_the_files_come_in(tmp_path: Path) -> None:
    found = evidence_of(tmp_path, files=4)
    assert found.pairs.cases == [case.id for case in CASES.cases]
    assert found.pairs.sha256 == [CASES.hashes()[case] for case in found.pairs.cases]
    assert found.pairs.tags[:2] == [["even"], ["odd", "all"]]


def test_metrics_that_an_arm_has_no_value_of_are_left_out_of_it(tmp_path: Path) -> None:
    found = evidence_of(tmp_path)
    assert "preferred" not in found.pairs.values["baseline"]
    assert found.selected("candidate", "judge").candidate.tolist() == [0.75] * 12
    assert found.selected("candidate", "preferred").baseline.tolist() == [0.0] * 12
    assert len(found.selected("candidate", "preferred.first").candidate) == 0


def test_failed_calls_have_no_values_and_cases_of_one_arm_alone_do_not_count(
    tmp_path: Path,
) -> None:
    rows = [
        result(case, arm, None if (place, arm) == (0, "candidate") else 0.5)
        for place, case in enumerate(CASES.cases[:6])
        for arm in ("baseline", "candidate")
    ]
    found = evidence_of(tmp_path, rows[:-1])
    assert found.pairs.cases == [f"c{number}" for number in range(5)]
    assert found.pairs.values["candidate"]["token_f1"] == [None, 0.5, 0.5, 0.5, 0.5]
    assert found.pairs.errors == {"baseline": [0] * 5, "candidate": [1, 0, 0, 0, 0]}
    assert found.pairs.calls["candidate"].latency_ms[0] == []


def test_what_was_there_at_a_look_can_be_seen_again(tmp_path: Path) -> None:
    found = evidence_of(tmp_path)
    then = found.first(5)
    assert then.pairs.cases == found.pairs.cases[:5]
    assert (
        then.column("candidate", "token_f1").tolist()
        == found.column("candidate", "token_f1").tolist()[:5]
    )


def test_a_judge_with_a_floor_that_nobody_measured_may_not_decide(tmp_path: Path) -> None:
    (tmp_path / "labels.jsonl").write_text("")
    judge = Spec(
        name="judge", options={**JUDGE, "floor": 0.6, "labels": str(tmp_path / "labels.jsonl")}
    )
    found = untrusted_metrics(evaluation_run(tmp_path, scorers=(Spec(name="token_f1"), judge)))
    assert list(found) == ["judge"]
    assert "never been compared with people" in found["judge"]
    assert untrusted_metrics(evaluation_run(tmp_path)) == {}


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (lambda raw: raw.update(baseline="nobody"), "a baseline and a candidate are wanted"),
        (
            lambda raw: raw["pairs"]["errors"].pop("candidate"),
            r"pairs.errors has the arms baseline; wanted: baseline, candidate",
        ),
        (lambda raw: raw["metrics"].pop("judge"), "nothing is said of the metrics judge"),
        (lambda raw: raw["pairs"]["cases"].__setitem__(1, "c0"), "a case stands there twice"),
        (
            lambda raw: raw["pairs"]["values"]["candidate"]["judge"].pop(),
            "values.candidate.judge has 11",
        ),
    ],
)
def test_evidence_that_does_not_fit_together_is_refused(
    tmp_path: Path, edit: Any, says: str
) -> None:
    raw = evidence_of(tmp_path).model_dump()
    edit(raw)
    with pytest.raises(ValueError, match=says):
        Evidence.model_validate(raw)
