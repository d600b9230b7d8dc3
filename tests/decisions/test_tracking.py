"""Decisions recorded in a real MLflow store, read back through MLflow's own client."""

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from llmops.tasks.decisions.decision import Decision
from llmops.tasks.decisions.record import load, make_record
from llmops.tasks.decisions.rules import Rule
from llmops.tasks.decisions.tracking import track
from llmops.tasks.decisions.verify import recomputed
from llmops.tasks.errors import Unavailable
from llmops.tasks.evaluation.results import RunPart
from llmops.tasks.prompts import Resolved
from llmops.tasks.tracking import prepare, tracking_uri
from llmops.tasks.tracking.store import opened
from tests.decisions.measured import case_set, evaluation_run, noisy, parts_of, plus, settings

CASES = case_set(60, groups=20)
RULE = Rule(metric="token_f1", not_worse={"latency": 0.2})


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("a home #1 %20")
    prepare(made)
    return made


def decided(home: Path, **more: Any) -> tuple[Decision, list[RunPart]]:
    run = evaluation_run(home, ("baseline", "candidate", "third"), **more)
    scores = {
        "baseline": noisy(60, 0.5),
        "candidate": plus(noisy(60, 0.5), 0.2),
        "third": noisy(60, 0.3, seed=3),
    }
    parts = parts_of(run, CASES, scores, size=25)
    record = make_record(run, RULE, parts, CASES, **settings(RULE), prefect_run_id="p-1")
    return record.model_copy(update={"links": {"prefect": "http://ui/p-1"}}), parts


@pytest.mark.slow
def test_a_decision_is_read_back_whole(home: Path, tmp_path: Path) -> None:
    record, parts = decided(home)
    tracked = track(home, record, parts, CASES)
    run_id = tracked.mlflow_run_id or ""
    with opened(home, tracking_uri(home)) as client:
        run = client.get_run(run_id)
        arms = client.search_runs([run.info.experiment_id], f"tags.mlflow.parentRunId = '{run_id}'")
        folder = Path(client.download_artifacts(run_id, "", str(tmp_path)))
        experiment = client.get_experiment(run.info.experiment_id).name
    assert experiment == "helpdesk evaluation"
    assert (run.info.status, run.info.run_name) == ("FINISHED", "▲ 1 promote")
    assert (
        run.data.tags.items()
        >= {
            "verdict": "promote",
            "candidate": "candidate",
            "prefect_run_id": "p-1",
            "decision_sha256": record.sha256,
        }.items()
    )
    assert run.data.metrics["decision/difference"] == pytest.approx(record.difference)
    assert record.interval is not None
    assert run.data.metrics["decision/interval_low"] == pytest.approx(record.interval[0])
    assert run.data.params["decide.metric"] == "token_f1"
    assert run.inputs
    assert run.inputs.dataset_inputs[0].dataset.digest == CASES.sha256[:36]
    assert {file.name for file in folder.iterdir()} == {
        "cases.jsonl",
        "decision.json",
        "report.html",
        "results.json",
        "results.parquet",
    }
    names = {"1 1 baseline", "2 1 candidate", "3 1 third"}
    assert {arm.info.run_name for arm in arms} == names
    candidate = next(arm for arm in arms if arm.data.tags["arm"] == "candidate")
    assert run.data.tags["deciding_metric"] == "token_f1"
    assert run.data.metrics["token_f1"] == candidate.data.metrics["token_f1"]
    assert "\\" not in run.data.tags["mlflow.note.content"]
    assert candidate.data.metrics["metric/token_f1/value"] == pytest.approx(
        record.arms["candidate"].metrics["token_f1"].value
    )
    assert candidate.data.params["prompt.uri"] == "prompts/candidate.yaml"
    assert candidate.data.params["llm.api_key"] == "${KEY}"
    assert f"/runs/{run_id}" in tracked.links["mlflow"]
    assert tracked.links["prefect"] == "http://ui/p-1"


@pytest.mark.slow
def test_the_record_in_mlflow_stands_and_no_result_is_lost(home: Path, tmp_path: Path) -> None:
    record, parts = decided(home, id="helpdesk-2", repeats=2)
    tracked = track(home, record, parts, CASES)
    with opened(home, tracking_uri(home)) as client:
        folder = Path(client.download_artifacts(tracked.mlflow_run_id or "", "", str(tmp_path)))
    kept = load(folder / "decision.json")
    assert recomputed(kept) == []
    assert (kept["mlflow_run_id"], kept["sha256"]) == (tracked.mlflow_run_id, record.sha256)
    table = json.loads((folder / "results.json").read_text())
    assert len(table["data"]) == pq.read_table(folder / "results.parquet").num_rows == 60 * 3 * 2
    assert {tuple(row[:3]) for row in table["data"]} == {
        (case.id, arm, repeat)
        for case in CASES.cases
        for arm in ("baseline", "candidate", "third")
        for repeat in (0, 1)
    }
    assert table["columns"][:3] == ["case_id", "arm", "repeat"]
    assert [
        json.loads(line)["id"] for line in (folder / "cases.jsonl").read_text().splitlines()
    ] == [case.id for case in CASES.cases]


@pytest.mark.slow
def test_registered_prompts_are_linked_with_their_runs(home: Path) -> None:
    from mlflow.tracing.constant import TraceTagKey

    version = 3
    run = evaluation_run(home, id="helpdesk-3")
    prompt = Resolved(
        prompt=run.arms[0].prompt.prompt, uri=f"prompts:/help/{version}", version=version
    )
    run = run.model_copy(
        update={"arms": (run.arms[0], run.arms[1].model_copy(update={"prompt": prompt}))}
    )
    parts = parts_of(run, CASES, {"baseline": noisy(60, 0.5), "candidate": noisy(60, 0.5, seed=4)})
    tracked = track(home, make_record(run, RULE, parts, CASES, **settings(RULE)), parts, CASES)
    with opened(home, tracking_uri(home)) as client:
        experiment = client.get_run(tracked.mlflow_run_id or "").info.experiment_id
        runs = client.search_runs(
            [experiment], f"tags.mlflow.parentRunId = '{tracked.mlflow_run_id}'"
        )
    linked = {run.data.tags["arm"]: run.data.tags.get("mlflow.linkedPrompts", "") for run in runs}
    assert linked == {"baseline": "", "candidate": json.dumps([{"name": "help", "version": "3"}])}
    assert TraceTagKey.LINKED_PROMPTS == "mlflow.linkedPrompts"


@pytest.mark.slow
def test_a_store_that_does_not_answer_says_so(home: Path) -> None:
    record, parts = decided(home, id="helpdesk-4")
    with pytest.raises(Unavailable, match="does not answer"):
        track(home, record, parts, CASES, uri="http://127.0.0.1:9")
