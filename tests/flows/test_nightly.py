"""A night, as its command runs it."""

import json
from pathlib import Path

import pytest
import yaml

from tests.commandline import Office, llmops, refused

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
    (office.folder / "prompt.yaml").write_text(yaml.safe_dump(prompt))
    asked = {"prompt": "prompt.yaml", "retrieve": {"knowledge_base": office.kb, "k": 1}}
    arms = {
        name: {**asked, "llm": {"name": "extractive", "sentences": number}}
        for name, number in (("baseline", 1), ("candidate", 2))
    }
    evaluate = {"flow": "evaluate", "name": f"{office.kb}-desk", "cases": "cases.jsonl"}
    rest = {"arms": arms, "scorers": ["token_f1"], "decide": {"metric": "token_f1"}}
    (office.folder / "evaluate.yaml").write_text(yaml.safe_dump({**evaluate, **rest}))
    night = {"flow": "nightly", "name": f"{office.kb}-night"}
    listed = {"index": ["lab.yaml"], "evaluate": ["evaluate.yaml"]}
    file = office.folder / "night.yaml"
    file.write_text(yaml.safe_dump({**night, **listed}))
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
    assert second.data["status"] == "partly"
    assert f"1 of 2 failed: index {office.kb}: the folder" in second.data["headline"]
    with opened(office.home, tracking_uri(office.home)) as client:
        night = client.get_run(first.data["mlflow_run_id"])
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
