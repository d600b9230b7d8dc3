"""Decision records: made from the parts of a run, kept, and found again."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from llmops.tasks.calls.budget import Spent
from llmops.tasks.decisions.record import (
    changed_cases,
    known,
    listed,
    load,
)
from llmops.tasks.decisions.rules import Rule
from llmops.tasks.decisions.verify import recomputed, verify
from llmops.tasks.errors import LlmopsError
from llmops.tasks.evaluation.results import RunPart, write_results
from llmops.tasks.plugins.scorers import Case, Score
from tests.decisions.decided import BASE, CASES, RULE, SCORES, Record, decided
from tests.decisions.measured import (
    evaluation_run,
    parts_of,
    plus,
    recorded,
    result,
    saved,
    settings,
)


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Record:
    return decided(tmp_path_factory.mktemp("home"))


def test_a_record_says_all_that_was_promised(record: Record) -> None:
    assert (record["kind"], record["flow"]) == ("llmops.decision/1", "evaluate")
    assert (record["verdict"], record["candidate"]) == ("promote", "candidate")
    assert record["cases"] == {"total": 90, "used": 90}
    assert record["spent"] == {"calls": 180, "cached": 0, "tokens": 20, "cost_usd": 0.5}
    assert record["prompts"]["candidate"] == "prompts/candidate.yaml"
    arm = record["arms"]["candidate"]
    assert arm["llm"] == {"name": "openai", "model": "m", "api_key": "${KEY}"}
    assert (arm["attempted"], arm["answered"], arm["scored"], arm["errored"]) == (90, 90, 90, 0)
    assert arm["metrics"]["token_f1"]["higher_is_better"] is True
    assert arm["metrics"]["latency"]["higher_is_better"] is False
    assert arm["metrics"]["token_f1"]["value"] == pytest.approx(np.mean(SCORES["candidate"]))
    assert record["pairs"]["values"]["baseline"]["token_f1"] == pytest.approx(BASE)
    assert len(record["pairs"]["sha256"]) == 90
    assert {"python", "numpy", "llmops-pipelines"} <= set(record["versions"])
    assert (
        record["difference"]
        == record["comparisons"]["candidate"]["metrics"]["token_f1"]["difference"]
    )
    assert set(record["comparisons"]) == {"candidate", "third"}


def test_a_record_stands_by_itself_after_its_way_through_a_file(record: Record) -> None:
    assert recomputed(json.loads(json.dumps(record))) == []


@pytest.mark.parametrize(
    "rule",
    [
        Rule(metric="token_f1", stop_early=True),
        Rule(metric="token_f1", rule="not_worse", margin=0.05),
        Rule(metric="latency"),
        Rule(metric="token_f1.precision", cluster="none", alpha=0.01),
        Rule(metric="token_f1", by=0.05, stop_early=True, not_worse={"cost": 0.1}),
    ],
)
def test_records_of_every_rule_stand(tmp_path: Path, rule: Rule) -> None:
    found = decided(tmp_path, rule)
    assert recomputed(json.loads(json.dumps(found))) == []
    assert found["looks"] == [] or [look["cases"] for look in found["looks"]] == [50, 90]


def test_repeats_are_averaged_by_case_and_calls_counted_one_by_one(tmp_path: Path) -> None:
    run = evaluation_run(tmp_path, repeats=2)
    rows = [
        result(case, arm, value, repeat)
        for place, case in enumerate(CASES.cases)
        for arm in ("baseline", "candidate")
        for repeat, value in enumerate((0.25, 0.75) if arm == "candidate" else (BASE[place], None))
    ]
    found = recorded(
        run,
        Rule(metric="token_f1", max_error_rate=0.6),
        [kept(run, rows)],
        CASES,
        **settings(Rule(metric="token_f1", max_error_rate=0.6)),
    )
    assert set(found["pairs"]["values"]["candidate"]["token_f1"]) == {0.5}
    assert found["pairs"]["values"]["baseline"]["token_f1"] == pytest.approx(BASE)
    assert (
        found["arms"]["candidate"]["attempted"],
        found["arms"]["baseline"]["errored"],
        found["n"],
    ) == (180, 90, 90)
    assert recomputed(json.loads(json.dumps(found))) == []


def kept(run: Any, rows: Any) -> RunPart:
    path = run.folder / "scored.parquet"
    write_results(path, rows)
    return RunPart(number=1, file=path, cases=len({row.case_id for row in rows}), spent=Spent())


def test_cases_that_not_every_arm_was_asked_do_not_count(tmp_path: Path) -> None:
    run = evaluation_run(tmp_path)
    rows = [
        result(case, arm, SCORES[arm][place])
        for place, case in enumerate(CASES.cases[:60])
        for arm in ("baseline", "candidate")
    ]
    found = recorded(
        run,
        RULE,
        [kept(run, rows[:-1])],
        CASES,
        **settings(RULE),
        stopped="the budget is used up",
    )
    assert found["cases"] == {"total": 90, "used": 59}
    assert found["stopped"] == "the budget is used up"
    assert found["verdict"] == "inconclusive"
    assert "the run ended early (the budget is used up): 59 of 90 cases" in found["reason"]
    assert recomputed(json.loads(json.dumps(found))) == []
    assert any("1 of 60 cases were not asked of every arm" in one for one in found["warnings"])
    assert found["arms"]["baseline"]["attempted"] == 59


def test_a_run_that_may_stop_early_decides_with_the_cases_that_it_has(tmp_path: Path) -> None:
    run, rule = evaluation_run(tmp_path), Rule(metric="token_f1", stop_early=True)
    easy = {"baseline": [value / 4 for value in BASE], "candidate": plus(BASE, 0.5)}
    rows = [
        result(case, arm, easy[arm][place])
        for place, case in enumerate(CASES.cases[:60])
        for arm in easy
    ]
    found = recorded(
        run,
        rule,
        [kept(run, rows)],
        CASES,
        **settings(rule),
        stopped="the answer is clear after 60 cases: promote",
    )
    assert (
        found["verdict"],
        found["cases"]["used"],
        [look["cases"] for look in found["looks"]],
    ) == ("promote", 60, [60])
    assert recomputed(json.loads(json.dumps(found))) == []


def test_a_budget_that_ends_while_judges_are_asked_decides_nothing(tmp_path: Path) -> None:
    run = evaluation_run(tmp_path)
    parts = [
        part.model_copy(update={"stopped": "the budget is used up"})
        for part in parts_of(run, CASES, SCORES, size=90)
    ]
    found = recorded(run, RULE, parts, CASES, **settings(RULE), stopped="the budget is used up")
    assert (found["verdict"], found["cases"]["used"], found["stopped"]) == (
        "inconclusive",
        90,
        "the budget is used up",
    )


def test_what_could_not_be_scored_is_no_zero_and_a_broken_judge_is_counted(tmp_path: Path) -> None:
    run = evaluation_run(tmp_path)
    rows = []
    for place, case in enumerate(CASES.cases):
        for arm in ("baseline", "candidate"):
            broken = Score(value=None, reason="no usable reply", failed=True)
            score = broken if place < 9 and arm == "candidate" else Score(value=SCORES[arm][place])
            rows.append(result(case, arm, 0.5).model_copy(update={"scores": {"token_f1": score}}))
    found = recorded(run, RULE, [kept(run, rows)], CASES, **settings(RULE))
    assert (found["verdict"], found["status"]) == ("inconclusive", "failed")
    assert "10 % of the calls of candidate failed or could not be judged" in found["reason"]
    assert (
        found["arms"]["candidate"]["scored"],
        found["arms"]["candidate"]["judge_failures"],
        found["n"],
    ) == (81, 9, 81)
    assert any("candidate: 10.0 %" in one for one in found["warnings"])
    assert recomputed(json.loads(json.dumps(found))) == []


def test_without_any_result_there_is_a_record_that_decides_nothing(tmp_path: Path) -> None:
    found = recorded(
        evaluation_run(tmp_path), RULE, [], CASES, **settings(RULE), stopped="the budget is used up"
    )
    assert (found["verdict"], found["cases"]["used"], found["n"]) == ("inconclusive", 0, 0)
    assert recomputed(json.loads(json.dumps(found))) == []


def test_a_saved_record_is_found_again(tmp_path: Path) -> None:
    home = tmp_path / "home"
    kept = saved(home, decided(home))
    assert load(Path(kept["record"])) == kept
    assert verify(Path(kept["record"])) == {
        "ok": True,
        "verdict": "promote",
        "id": "helpdesk-1",
        "name": "helpdesk",
        "problems": [],
    }
    assert known(home, kept["sha256"])
    assert not known(home, "0" * 64)
    again = saved(home, {**kept, "mlflow_run_id": "run"})
    assert again["sha256"] == kept["sha256"]
    assert [(one["id"], one["mlflow_run_id"]) for one in listed(home)] == [("helpdesk-1", "run")]
    assert datetime.fromisoformat(listed(home)[0]["created_at"]).tzinfo == UTC
    assert [path.name for path in (home / "decisions").iterdir()] == ["helpdesk-1.json"]


def test_asking_for_decisions_creates_nothing(tmp_path: Path) -> None:
    assert (listed(tmp_path), known(tmp_path, "x"), changed_cases(tmp_path, "helpdesk", CASES)) == (
        [],
        False,
        [],
    )
    assert list(tmp_path.iterdir()) == []


def test_cases_that_changed_under_their_ids_are_named(tmp_path: Path) -> None:
    saved(tmp_path, decided(tmp_path))
    assert changed_cases(tmp_path, "helpdesk", CASES) == []
    edited = [
        case.model_copy(update={"expected": {"answer": "another"}})
        if case.id in ("c3", "c7")
        else case
        for case in CASES.cases[1:]
    ]
    more = CASES.model_copy(update={"cases": (*edited, Case(id="new", inputs={"question": "?"}))})
    assert changed_cases(tmp_path, "helpdesk", more) == ["c3", "c7"]
    assert changed_cases(tmp_path, "another", more) == []


def test_a_case_id_that_is_no_valid_text_survives(tmp_path: Path) -> None:
    odd = CASES.model_copy(
        update={"cases": (CASES.cases[0].model_copy(update={"id": "\ud800c"}), *CASES.cases[1:])}
    )
    run = evaluation_run(tmp_path)
    found = recorded(run, RULE, [], odd, **settings(RULE))
    found["warnings"] = ["the case \ud800c"]
    assert load(Path(saved(tmp_path, found)["record"]))["warnings"] == ["the case \ud800c"]


def test_a_home_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "decisions").write_text("a file")
    with pytest.raises(LlmopsError, match="cannot be written"):
        saved(tmp_path, decided(tmp_path))
