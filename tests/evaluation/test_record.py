"""Decision records: made from the parts of a run, kept, and computed again from themselves alone."""

import copy
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tasks.errors import Damaged, LlmopsError, UsageError
from tasks.evaluation.record import changed_cases, known, listed, load, make_record, recomputed, save, sealed, verify
from tasks.evaluation.results import write_results
from tasks.evaluation.rules import Rule
from tasks.evaluation.trial import Part, Spent
from tasks.scorers import Case, Score
from tests.commandline import llmops, refused
from tests.evaluation.measured import case_set, noisy, parts_of, plus, result, settings, trial

CASES = case_set(90, groups=45)
BASE = noisy(90, 0.4)
RULE = Rule(metric="token_f1", not_worse={"latency": 0.2, "cost": 0.1})
SCORES = {"baseline": BASE, "candidate": plus(BASE, 0.15), "third": plus(BASE, -0.1)}
Record = dict[str, Any]


def decided(home: Path, rule: Rule = RULE, scores: Any = None, **more: Any) -> Record:
    made = trial(home, tuple(scores or SCORES), **more)
    return make_record(made, rule, parts_of(made, CASES, scores or SCORES), CASES, **settings(rule))


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
    assert record["difference"] == record["comparisons"]["candidate"]["metrics"]["token_f1"]["difference"]
    assert set(record["comparisons"]) == {"candidate", "third"}


def test_a_record_stands_by_itself_after_its_way_through_a_file(record: Record) -> None:
    assert recomputed(json.loads(json.dumps(record))) == []


@pytest.mark.parametrize("rule", [
    Rule(metric="token_f1", stop_early=True), Rule(metric="token_f1", rule="not_worse", margin=0.05), Rule(metric="latency"),
    Rule(metric="token_f1.precision", cluster="none", alpha=0.01),
    Rule(metric="token_f1", by=0.05, stop_early=True, not_worse={"cost": 0.1})])
def test_records_of_every_rule_stand(tmp_path: Path, rule: Rule) -> None:
    found = decided(tmp_path, rule)
    assert recomputed(json.loads(json.dumps(found))) == []
    assert found["looks"] == [] or [look["cases"] for look in found["looks"]] == [50, 90]


def test_what_is_added_later_is_not_covered_by_the_hash(record: Record) -> None:
    later = {**record, "links": {"mlflow": "x"}, "mlflow_run_id": "r", "prefect_run_id": "p", "record": "f", "promoted": {"version": 2}}
    assert recomputed(later) == []


Edit = Callable[[Record], Any]
EDITS: dict[str, Edit] = {
    "verdict": lambda r: r.update(verdict="reject"),
    "candidate": lambda r: r.update(candidate="third"),
    "difference": lambda r: r.update(difference=r["difference"] + 1e-4),
    "p value": lambda r: r.update(p_value=0.5),
    "interval": lambda r: r["interval"].__setitem__(0, -1.0),
    "a value of a pair": lambda r: r["pairs"]["values"]["candidate"]["token_f1"].__setitem__(3, 1.0),
    "a value that is no number": lambda r: r["pairs"]["values"]["candidate"]["token_f1"].__setitem__(3, "1"),
    "errors": lambda r: r["pairs"]["errors"]["candidate"].__setitem__(0, 5),
    "an arm's mean": lambda r: r["arms"]["candidate"]["metrics"]["token_f1"].update(value=0.99),
    "an arm's count": lambda r: r["arms"]["candidate"].update(answered=91),
    "an arm's cost": lambda r: r["arms"]["candidate"].update(cost_usd=0.0),
    "a percentile": lambda r: r["arms"]["candidate"]["latency_ms"].update(p95=1.0),
    "another arm's verdict": lambda r: r["comparisons"]["third"].update(verdict="promote"),
    "a guard": lambda r: r["comparisons"]["third"]["metrics"]["latency"].update(holds=False),
    "an adjusted p": lambda r: r["comparisons"]["candidate"].update(adjusted_p=1e-9),
    "a tag": lambda r: r["comparisons"]["candidate"]["tags"].pop("odd"),
    "a tag that never was": lambda r: r["comparisons"]["candidate"]["tags"].update(new=r["comparisons"]["candidate"]["tags"]["odd"]),
    "the rule": lambda r: r["rule"].update(alpha=0.4),
    "the rule's guards": lambda r: r["rule"].update(not_worse={}),
    "the config": lambda r: r["config"].update(name="another"),
    "the count of cases": lambda r: r["cases"].update(used=91),
    "a case less": lambda r: r["pairs"]["cases"].pop(),
    "a case twice": lambda r: r["pairs"]["cases"].__setitem__(1, "c0"),
    "promote": lambda r: r.update(promote={"prompt": "other", "alias": "champion"}),
    "a prompt": lambda r: r["prompts"].update(candidate="prompts/other.yaml"),
    "an untrusted judge": lambda r: r.update(untrusted={"token_f1": "never"}),
    "no pairs": lambda r: r.pop("pairs"),
    "pairs of nothing": lambda r: r.update(pairs=None),
    "arms of nothing": lambda r: r.update(arms=[]),
    "groups": lambda r: r["pairs"].update(groups=[None] * 90),
    "a look that never was": lambda r: r.update(looks=[{"cases": 5, "comparisons": {}}]),
    "an infinite value": lambda r: r["pairs"]["values"]["candidate"]["token_f1"].__setitem__(0, float("inf")),
}


@pytest.mark.parametrize("name", EDITS)
def test_an_edited_record_does_not_stand_even_with_a_new_hash(record: Record, name: str) -> None:
    edited = copy.deepcopy(record)
    EDITS[name](edited)
    assert recomputed(edited) != []
    assert recomputed(sealed(edited)) != []


def test_an_edited_reason_is_noticed_by_the_hash_alone(record: Record) -> None:
    edited = {**record, "reason": "because"}
    assert recomputed(edited) == ["the record was changed: its sha256 is not that of its content"]
    assert recomputed(sealed(edited)) == []


def test_problems_name_the_place_and_both_numbers(record: Record) -> None:
    edited = copy.deepcopy(record)
    edited["comparisons"]["candidate"]["metrics"]["token_f1"]["difference"] = 0.5
    assert any(one.startswith("comparisons.candidate.metrics.token_f1.difference: the record says 0.5, its pairs give 0.1")
               for one in recomputed(edited))


def test_repeats_are_averaged_by_case_and_calls_counted_one_by_one(tmp_path: Path) -> None:
    made = trial(tmp_path, repeats=2)
    rows = [result(case, arm, value, repeat) for place, case in enumerate(CASES.cases) for arm in ("baseline", "candidate")
            for repeat, value in enumerate((0.25, 0.75) if arm == "candidate" else (BASE[place], None))]
    found = make_record(made, Rule(metric="token_f1", max_error_rate=0.6), [kept(made, rows)], CASES,
                        **settings(Rule(metric="token_f1", max_error_rate=0.6)))
    assert set(found["pairs"]["values"]["candidate"]["token_f1"]) == {0.5}
    assert found["pairs"]["values"]["baseline"]["token_f1"] == pytest.approx(BASE)
    assert (found["arms"]["candidate"]["attempted"], found["arms"]["baseline"]["errored"], found["n"]) == (180, 90, 90)
    assert recomputed(json.loads(json.dumps(found))) == []


def kept(made: Any, rows: Any) -> Part:
    path = made.folder / "scored.parquet"
    write_results(path, rows)
    return Part(number=1, file=path, cases=len({row.case_id for row in rows}), spent=Spent())


def test_cases_that_not_every_arm_was_asked_do_not_count(tmp_path: Path) -> None:
    made = trial(tmp_path)
    rows = [result(case, arm, SCORES[arm][place]) for place, case in enumerate(CASES.cases[:60]) for arm in ("baseline", "candidate")]
    found = make_record(made, RULE, [kept(made, rows[:-1])], CASES, **settings(RULE), stopped="the budget is used up")
    assert found["cases"] == {"total": 90, "used": 59}
    assert found["stopped"] == "the budget is used up"
    assert any("1 of 60 cases were not asked of every arm" in one for one in found["warnings"])
    assert found["arms"]["baseline"]["attempted"] == 59


def test_what_could_not_be_scored_is_no_zero_and_a_broken_judge_is_counted(tmp_path: Path) -> None:
    made = trial(tmp_path)
    rows = []
    for place, case in enumerate(CASES.cases):
        for arm in ("baseline", "candidate"):
            broken = Score(value=None, reason="no usable reply", failed=True)
            score = broken if place < 9 and arm == "candidate" else Score(value=SCORES[arm][place])
            rows.append(result(case, arm, 0.5).model_copy(update={"scores": {"token_f1": score}}))
    found = make_record(made, RULE, [kept(made, rows)], CASES, **settings(RULE))
    assert (found["verdict"], found["status"]) == ("inconclusive", "failed")
    assert "10 % of the calls of candidate failed or could not be judged" in found["reason"]
    assert (found["arms"]["candidate"]["scored"], found["arms"]["candidate"]["judge_failures"], found["n"]) == (81, 9, 81)
    assert any("candidate: 10.0 %" in one for one in found["warnings"])
    assert recomputed(json.loads(json.dumps(found))) == []


def test_without_any_result_there_is_a_record_that_decides_nothing(tmp_path: Path) -> None:
    found = make_record(trial(tmp_path), RULE, [], CASES, **settings(RULE), stopped="the budget is used up")
    assert (found["verdict"], found["cases"]["used"], found["n"]) == ("inconclusive", 0, 0)
    assert recomputed(json.loads(json.dumps(found))) == []


def test_a_saved_record_is_found_again(tmp_path: Path) -> None:
    home = tmp_path / "home"
    saved = save(home, decided(home))
    assert load(Path(saved["record"])) == saved
    assert verify(Path(saved["record"])) == {"ok": True, "verdict": "promote", "id": "helpdesk-1", "name": "helpdesk", "problems": []}
    assert known(home, saved["sha256"])
    assert not known(home, "0" * 64)
    again = save(home, {**saved, "mlflow_run_id": "run"})
    assert again["sha256"] == saved["sha256"]
    assert [(one["id"], one["mlflow_run_id"]) for one in listed(home)] == [("helpdesk-1", "run")]
    assert datetime.fromisoformat(listed(home)[0]["created_at"]).tzinfo == UTC
    assert [path.name for path in (home / "decisions").iterdir()] == ["helpdesk-1.json"]


def test_asking_for_decisions_creates_nothing(tmp_path: Path) -> None:
    assert (listed(tmp_path), known(tmp_path, "x"), changed_cases(tmp_path, "helpdesk", CASES)) == ([], False, [])
    assert list(tmp_path.iterdir()) == []


def test_cases_that_changed_under_their_ids_are_named(tmp_path: Path) -> None:
    save(tmp_path, decided(tmp_path))
    assert changed_cases(tmp_path, "helpdesk", CASES) == []
    edited = [case.model_copy(update={"expected": {"answer": "another"}}) if case.id in ("c3", "c7") else case for case in CASES.cases[1:]]
    more = CASES.model_copy(update={"cases": (*edited, Case(id="new", inputs={"question": "?"}))})
    assert changed_cases(tmp_path, "helpdesk", more) == ["c3", "c7"]
    assert changed_cases(tmp_path, "another", more) == []


def test_a_case_id_that_is_no_valid_text_survives(tmp_path: Path) -> None:
    odd = CASES.model_copy(update={"cases": (CASES.cases[0].model_copy(update={"id": "\ud800c"}), *CASES.cases[1:])})
    made = trial(tmp_path)
    found = make_record(made, RULE, [], odd, **settings(RULE))
    found["warnings"] = ["the case \ud800c"]
    assert load(Path(save(tmp_path, found)["record"]))["warnings"] == ["the case \ud800c"]


def test_a_home_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "decisions").write_text("a file")
    with pytest.raises(LlmopsError, match="cannot be written"):
        save(tmp_path, decided(tmp_path))


@pytest.mark.parametrize(("content", "error", "says"), [
    ("not json", Damaged, "cut off"), ("", Damaged, "cut off"), ("[1, 2]", UsageError, "its kind is None"),
    ("{}", UsageError, "its kind is None"),
    ('{"kind": "llmops.decision/2"}', UsageError, "newer llmops"), ('{"kind": "other/1"}', UsageError, "its kind is 'other/1'"),
    ("[" * 100_000, Damaged, "cut off"), ('{"kind": "llmops.decision/x"}', UsageError, "llmops.decision/1")])
def test_what_is_no_record_is_refused_with_a_reason(tmp_path: Path, content: str, error: type[LlmopsError], says: str) -> None:
    path = tmp_path / "decision.json"
    path.write_text(content)
    with pytest.raises(error, match=says):
        verify(path)


def test_a_record_without_its_keys_does_not_stand(tmp_path: Path) -> None:
    path = tmp_path / "decision.json"
    path.write_text('{"kind": "llmops.decision/1", "verdict": "promote"}')
    found = verify(path)
    assert not found["ok"]
    assert found["problems"][0].startswith("the record lacks id, name")


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Record:
    monkeypatch.setenv("LLMOPS_HOME", str(tmp_path))
    return save(tmp_path, decided(tmp_path))


def test_the_command_verifies_shows_and_lists(office: Record, tmp_path: Path) -> None:
    assert llmops("decision", "verify", office["record"], "--json").data["ok"] is True
    assert "The decision stands: helpdesk, promote" in llmops("decision", "verify", office["record"]).out
    assert [one["id"] for one in llmops("decision", "list", "--json").data["decisions"]] == ["helpdesk-1"]
    assert llmops("decision", "list", "--name", "other").out.strip() == "No decision has been made here."
    for place in ("helpdesk-1", office["record"]):
        assert llmops("decision", "show", place, "--json").data["sha256"] == office["sha256"]
    assert "helpdesk: promote" in llmops("decision", "show", "helpdesk-1").out
    assert llmops("decision", "show", "helpdesk-1", "--markdown").out.startswith("## helpdesk: ✅ promote")


def test_the_command_ends_with_1_for_a_record_that_does_not_stand(office: Record, tmp_path: Path) -> None:
    path = tmp_path / "edited.json"
    path.write_text(json.dumps({**office, "verdict": "reject"}))
    said = llmops("decision", "verify", path)
    assert said.code == 1
    assert "does not stand" in said.out
    assert 'verdict: the record says "reject", its pairs give "promote"' in said.out


def test_the_command_says_what_is_wrong_with_a_file(office: Record, tmp_path: Path) -> None:
    path = tmp_path / "cut.json"
    path.write_text(Path(office["record"]).read_text()[:3000])
    refused(1, "cut off", "decision", "verify", path)
    refused(2, "no such file", "decision", "verify", tmp_path / "missing.json")
    refused(2, "decisions of this home: helpdesk-1", "decision", "show", "nothing")
