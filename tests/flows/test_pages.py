"""What the pages of Prefect and MLflow show of builds: through the command, read back through both
APIs.
"""

import json
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from llmops.tasks.yaml_files import write_yaml
from tests.commandline import Office, llmops

pytestmark = pytest.mark.slow

COLOURS = ("amber", "crimson", "indigo", "olive", "teal", "scarlet", "ivory", "mauve")


def prepared(office: Office, k: int = 3) -> Path:
    """A document per colour, a golden set that asks for each, and a document that cannot be
    read.
    """
    docs = office.folder / "docs"
    docs.mkdir()
    for colour in COLOURS:
        (docs / f"{colour}.md").write_text(f"The {colour} lantern hangs in the {colour} room.\n")
    (docs / "broken.pdf").write_bytes(b"%PDF-1.4 cut off")
    asked = [
        {
            "id": colour,
            "question": f"Where does the {colour} lantern hang?",
            "relevant": [{"uri": f"{colour}.md"}],
        }
        for colour in COLOURS
    ]
    (office.folder / "golden.jsonl").write_text("\n".join(map(json.dumps, asked)))
    content = {
        "flow": "index",
        "knowledge_base": office.kb,
        "sources": [{"name": "files", "path": "docs"}],
        "embed": "hash",
        "gate": {"golden": "golden.jsonl", "k": k, "metrics": {"recall": {"margin": 0.05}}},
        "limits": {"failure_budget": 0.5},
    }
    (office.folder / "index.yaml").write_text(write_yaml(content))
    return office.folder / "index.yaml"


def prefect(office: Office, path: str, body: dict[str, Any]) -> Any:
    from llmops.flows import server

    found = server.find(office.home)
    assert found is not None
    data, kind = json.dumps(body).encode(), {"content-type": "application/json"}
    request = urllib.request.Request(f"{found.url}/{path}", data, kind)
    with urllib.request.urlopen(request, timeout=10) as response:
        return json.load(response)


def of_run(
    office: Office, run: str, *wanted: str
) -> tuple[dict[str, Any], dict[str, Any], list[str]]:
    """The run, its task runs by name, and the lines of its log. The server hears of tasks, of their
    ends, and of the last lines, a moment later: it waits for those of `wanted`.
    """
    mine, end = {"id": {"any_": [run]}}, time.monotonic() + 60
    (flow,) = prefect(office, "flow_runs/filter", {"flow_runs": mine})
    tasks = prefect(office, "task_runs/filter", {"flow_runs": mine})
    while time.monotonic() < end and (
        any(each["state_type"] in (None, "PENDING", "RUNNING") for each in tasks)
        or not {*wanted} <= {each["name"] for each in tasks}
    ):
        time.sleep(0.3)
        tasks = prefect(office, "task_runs/filter", {"flow_runs": mine})
    said: list[str] = []
    while not any(each.startswith("Finished in state") for each in said) and time.monotonic() < end:
        time.sleep(0.3)
        logs = prefect(office, "logs/filter", {"logs": {"flow_run_id": {"any_": [run]}}})
        said = [each["message"] for each in logs]
    return flow, {each["name"]: each for each in tasks}, said


def test_a_build_can_be_followed_charted_and_run_again(office: Office) -> None:
    config = prepared(office)
    first = llmops("index", config, "--json").data
    assert (first["status"], first["documents"]["quarantined"]) == ("published", 1)
    steps = {"recover", "plan", "gate", "publish"}
    flow, tasks, _ = of_run(office, first["prefect_run_id"], *steps)
    assert {"flow:index", f"kb:{office.kb}", "source:files"} <= set(flow["tags"])
    assert steps <= set(tasks)
    assert [name for name in tasks if name.startswith("collect 1 of") and "files" in name]
    assert tasks["gate"]["state"]["name"] == "Passed"
    held = prefect(
        office, "artifacts/filter", {"artifacts": {"key": {"any_": [f"{office.kb}-quarantine"]}}}
    )
    assert [row["uri"] for row in json.loads(held[0]["data"])] == ["broken.pdf"]
    measured = llmops(
        "kb", "measure", office.kb, "--golden", office.folder / "golden.jsonl", "-k", "3"
    )
    assert (measured.code, measured.err) == (0, "")
    again = recorded(office, first["mlflow_run_id"])
    elsewhere = office.folder / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "config.yaml").write_text(again)
    second = llmops("index", elsewhere / "config.yaml", "--json")
    assert second.code == 0, second.err
    assert (second.data["status"], second.data["embeddings"]["computed"]) == ("unchanged", 0)


def recorded(office: Office, run_id: str) -> str:
    """The config of a build in MLflow, after a look at what else is recorded."""
    from llmops.tasks.tracking import tracking_uri
    from llmops.tasks.tracking.store import opened

    with opened(office.home, tracking_uri(office.home)) as client:
        run = client.get_run(run_id)
        name = f"tags.`llmops.quality_of` = '{office.kb}'"
        (curve,) = client.search_runs([run.info.experiment_id], name)
        points = client.get_metric_history(curve.info.run_id, "quality/ndcg_at_3")
        about = client.get_experiment(run.info.experiment_id).tags
        text = Path(client.download_artifacts(run_id, "config.yaml", str(office.folder)))
    assert {point.step for point in points} == {1}
    assert len(points) == 2  # of the build, and of `kb measure`
    assert {
        "quality/recall_at_3",
        "quality interval/recall_at_3_low",
        "quality/mrr_at_3",
        "size/documents_quarantined",
    } <= set(curve.data.metrics)
    assert run.data.metrics["quality/ndcg_at_3"] == points[0].value
    assert office.kb in about["mlflow.note.content"]
    assert run.data.params["chunk.name"] == "sentence"
    assert "chunk.overlap" in run.data.params  # nobody wrote it down
    assert not [name for name in run.data.params if name.startswith(("facts", "folder"))]
    assert run.data.tags["golden_sha256"]
    return text.read_text()


def test_a_gate_that_rejects_is_not_green(office: Office) -> None:
    config = prepared(office, k=1)
    first = llmops("index", config, "--json")
    assert first.data["status"] == "published", first.err
    for colour in COLOURS[:6]:
        (office.folder / "docs" / f"{colour}.md").write_text("This page was moved.\n")
    second = llmops("index", config, "--json")
    assert (second.code, second.data["status"]) == (3, "blocked")
    flow, tasks, lines = of_run(office, second.data["prefect_run_id"], "gate")
    state = tasks["gate"]["state"]
    assert (state["type"], state["name"]) == ("FAILED", "Rejected")
    assert flow["state"]["name"] == "Blocked"
    assert any(line.startswith("rejected: recall@1 went from") for line in lines), lines
    assert [line for line in lines if "Finished in state Completed()" in line] == []
    told = [line for line in lines if "ndcg@" in line or "recall@1 went from" in line]
    assert not [line for line in told if line.startswith("Task run failed")]
    page = second.data["links"]["data docs"].removeprefix("file://")
    assert "1 document was in quarantine" in Path(page).read_text(encoding="utf-8")
    assert "1 at collect" in Path(page).read_text(encoding="utf-8")
