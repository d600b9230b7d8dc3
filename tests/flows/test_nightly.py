"""A night, as its command runs it."""

import json
import re
from pathlib import Path

import pytest

from llmops.tasks.traces import index
from llmops.tasks.traces.records import as_record
from llmops.tasks.tracking.traces import trace_store
from llmops.tasks.yaml_files import write_yaml
from tests.commandline import Office, llmops, refused
from tests.traces.made import recorded
from tests.yaml_texts import yaml_of

pytestmark = pytest.mark.slow


def project(office: Office) -> Path:
    """A knowledge base, an evaluation that asks it, and a night of both."""
    office.write("library.md", "# Library\n\nThe library opens at nine.\n")
    office.config()
    cases = [
        {"id": "1", "inputs": {"question": "When does it open?"}, "expected": {"answer": "nine"}},
        {"id": "2", "inputs": {"question": "What opens?"}, "expected": {"answer": "library"}},
    ]
    (office.folder / "cases.jsonl").write_text("".join(json.dumps(case) + "\n" for case in cases))
    prompt = {"name": "p", "messages": [{"role": "user", "content": "{{passages}} {{question}}"}]}
    (office.folder / "prompt.yaml").write_text(write_yaml(prompt))
    asked = {"prompt": "prompt.yaml", "retrieve": {"knowledge_base": office.kb, "k": 1}}
    arms = {
        name: {**asked, "llm": {"name": "extractive", "sentences": number}}
        for name, number in (("baseline", 1), ("candidate", 2))
    }
    evaluate = {"flow": "evaluate", "name": f"{office.kb}-desk", "cases": "cases.jsonl"}
    rest = {"arms": arms, "scorers": ["token_f1"], "decide": {"metric": "token_f1"}}
    (office.folder / "evaluate.yaml").write_text(write_yaml({**evaluate, **rest}))
    night = {"flow": "nightly", "name": f"{office.kb}-night"}
    listed = {"index": ["lab.yaml"], "evaluate": ["evaluate.yaml"]}
    file = office.folder / "night.yaml"
    file.write_text(write_yaml({**night, **listed}))
    return file


def test_a_night_builds_evaluates_and_goes_on_with_the_last_good_version(office: Office) -> None:
    from llmops.tasks.tracking.store import opened, tracking_uri

    file = project(office)
    first = llmops("nightly", file, "--json")
    assert first.code == 5, first.err  # two cases decide nothing
    parts = first.data["parts"]
    assert [part["status"] for part in parts] == ["published", "inconclusive"]
    assert (first.data["status"], first.data["warnings"]) == ("completed", [])
    (office.folder / "documents").rename(office.folder / "gone")
    second = llmops("nightly", file, "--json")
    assert second.code == 3, second.err
    build, evaluation = second.data["parts"]
    assert (build["status"], evaluation["status"]) == ("blocked", "inconclusive")
    assert "evaluated on version 1, the last good one" in evaluation["notes"][0]
    assert second.data["status"] == "parts_failed"
    assert f"1 of 2 parts failed: index {office.kb}: the folder" in second.data["headline"]
    with opened(office.home, tracking_uri(office.home)) as client:
        night = client.get_run(first.data["mlflow_run_id"])
        assert re.fullmatch(rf"{office.kb}-night \d{{4}}-\d\d-\d\d", night.info.run_name)
        below = client.search_runs(
            [night.info.experiment_id], f"tags.`mlflow.parentRunId` = '{night.info.run_id}'"
        )
        assert {run.data.tags["recorded_as"] for run in below} == {
            part["mlflow_run_id"] for part in parts
        }
        for part in parts:
            assert client.get_run(part["mlflow_run_id"]).data.tags["llmops.night"] == (
                night.info.run_id
            )
        assert client.get_run(second.data["mlflow_run_id"]).info.status == "FAILED"


def test_a_night_scores_what_was_answered_and_lets_old_traces_go(office: Office) -> None:
    app = f"{office.kb}-app"
    configs: dict[str, dict[str, object]] = {
        "app": {"flow": "serve", "knowledge_bases": ["any"], "traces": {"most_days": 30}},
        "live": {"flow": "score", "scorers": ["refusal"], "sample": 1},
    }
    for name, content in configs.items():
        (office.folder / f"{name}.yaml").write_text(write_yaml({**content, "app": app}))
    night = {"flow": "nightly", "name": app, "score": ["live.yaml"], "prune": ["app.yaml"]}
    (office.folder / "night.yaml").write_text(write_yaml(night))
    young, old = recorded(app=app), recorded(app=app)
    old = old.model_copy(update={"began_ns": old.began_ns - 40 * 86_400 * 10**9})
    index.enter(office.home, [young, old])
    with trace_store(office.home) as store:
        store.write(app, [as_record(young), as_record(old)])
        index.mark_stored(office.home, [young.id, old.id])
        said = llmops("nightly", office.folder / "night.yaml", "--json")
        assert said.code == 0, said.err
        assert [(part["status"], part["headline"]) for part in said.data["parts"]] == [
            ("scored", "1 of 1 traces scored"),
            ("pruned", "older than 30 days: 1 of its traces, which are gone"),
        ]
        assert store.there([young.id, old.id]) == {young.id}


def test_an_evaluation_without_any_version_is_skipped(office: Office) -> None:
    file = project(office)
    (office.folder / "documents" / "library.md").unlink()
    office.config(gate={"golden": "golden.jsonl"})
    golden = {"id": "1", "question": "When?", "relevant": [{"uri": "library.md"}]}
    (office.folder / "golden.jsonl").write_text(json.dumps(golden) + "\n")
    said = llmops("nightly", file, "--json")
    build, evaluation = said.data["parts"]
    assert build["failed"], said.data
    assert evaluation["status"] == "skipped"
    assert "has no version yet, and its build failed" in evaluation["headline"]
    assert said.data["status"] == "failed"


def test_a_config_that_is_wrong_costs_its_own_part_and_what_asks_it(office: Office) -> None:
    """As a schedule runs a night; the command refuses before anything begins."""
    from llmops.configs import read
    from llmops.configs.nightly import NightlyConfig
    from llmops.flows.running import run_connected

    file = project(office)
    wrong = (office.folder / "lab.yaml").read_text()
    (office.folder / "lab.yaml").write_text(
        f"{wrong}store: {{name: lancedb, uri: '${{UNSET_URI}}'}}\n"
    )
    good = wrong.replace(office.kb, f"{office.kb}-good")
    (office.folder / "good.yaml").write_text(good)
    content = yaml_of(file.read_text())
    file.write_text(write_yaml({**content, "index": ["lab.yaml", "gone.yaml", "good.yaml"]}))
    refused(2, "UNSET_URI", "nightly", file)
    night = run_connected(office.home, read(file, NightlyConfig))
    parts = {part["name"]: part for part in night["parts"]}
    assert [(name, part["status"]) for name, part in parts.items()] == [
        (office.kb, "error"),
        ("gone", "error"),
        (f"{office.kb}-good", "published"),
        (f"{office.kb}-desk", "skipped"),
    ]
    assert "UNSET_URI" in parts[office.kb]["headline"]
    assert "no such file" in parts["gone"]["headline"]
    assert "its build failed" in parts[f"{office.kb}-desk"]["headline"]
    assert (night["status"], night["exit_code"]) == ("parts_failed", 2)


def test_the_mistakes_of_all_that_a_night_lists_come_at_once(office: Office) -> None:
    file = project(office)
    office.config(chunk={"name": "sentence", "siz": 3})
    with (office.folder / "evaluate.yaml").open("a") as evaluate:
        evaluate.write("buget: 3\n")
    refused(2, r"chunk.siz: unknown key", "nightly", file)
    found = llmops("nightly", file, "--json").data["errors"]
    assert {Path(each["where"].partition(":")[0]).name for each in found} == {
        "lab.yaml",
        "evaluate.yaml",
    }
    refused(2, "no such file: .*gone.yaml", "nightly", file, "--set", "index.0=gone.yaml")
    nothing = ("--set", "index=[]", "--set", "evaluate=[]")
    refused(2, "nothing is listed", "nightly", file, *nothing)
    office.config()
    twice = ("--set", "index=[lab.yaml, lab.yaml]", "--set", "evaluate=[]")
    refused(2, "is listed already, as lab.yaml", "nightly", file, *twice)
