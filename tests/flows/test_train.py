"""`llmops train` through the command, with MLflow and Prefect behind it."""

import json
from pathlib import Path

import pytest

from llmops.tasks.yaml_files import write_yaml
from tests.commandline import Office, llmops, refused
from tests.training.test_ranking import ASKED, DOCUMENTS, corpus, golden

pytestmark = pytest.mark.slow


def written(office: Office) -> Path:
    """Documents as JSON lines, questions about them, and both configs."""
    texts, said = corpus()
    rows = [json.dumps({"uri": uri, "title": "", "text": text}) for uri, text in texts.items()]
    (office.folder / "docs.jsonl").write_text("\n".join(rows))
    golden(office.folder / "golden.jsonl", list(range(DOCUMENTS)), said)
    source = {"name": "jsonl", "path": "docs.jsonl"}
    source |= {"fields": {"uri": "uri", "title": "title", "text": "text"}}  # type: ignore[dict-item]
    index = {"flow": "index", "knowledge_base": office.kb, "sources": [source], "embed": "hash"}
    (office.folder / "index.yaml").write_text(write_yaml(index))
    train = {"name": "retrieval", "knowledge_base": office.kb, "questions": "golden.jsonl"}
    config = office.folder / "train.yaml"
    config.write_text(write_yaml({"flow": "train", "name": "words", "train": train}))
    return config


def test_a_ranking_is_trained_searched_with_recorded_and_rolled_back(office: Office) -> None:
    from llmops.tasks.tracking.store import opened, tracking_uri

    config = written(office)
    refused(2, "no knowledge base", "train", config)
    assert llmops("index", office.folder / "index.yaml", "--json").code == 0
    question = " ".join(ASKED[word] for word in corpus()[1][0])
    search = ("search", question, "--kb", office.kb, "--json")
    before = llmops(*search).out

    plan = llmops("train", config, "--plan", "--json").data
    assert (plan["status"], plan["labels"]["judged"], plan["ranking"]) == ("planned", 110, None)
    few = llmops("train", config, "--set", "train.adapter=false", "--json")
    assert few.code in (3, 5), few.out
    assert llmops(*search).out == before

    done = llmops("train", config, "--json")
    assert done.code == 0, done.err
    assert (done.data["status"], done.data["live"]) == ("promoted", 2)
    assert done.data["warnings"] == []
    assert llmops(*search).out != before
    with opened(office.home, tracking_uri(office.home)) as client:
        run = client.get_run(done.data["mlflow_run_id"])
        steps = client.get_metric_history(run.info.run_id, "steps/loss")
        files = {file.path for file in client.list_artifacts(run.info.run_id)}
    assert len(steps) > 3
    assert steps[-1].value < steps[0].value
    assert {"adapter.safetensors", "report.md"} <= files
    assert run.inputs is not None
    assert run.inputs.dataset_inputs[0].dataset.digest == done.data["dataset_sha256"][:36]
    assert "What got worse" in run.data.tags["mlflow.note.content"]

    shown = llmops("kb", "ranking", office.kb, "--json").data
    assert (shown["ranking"], [one["ranking"] for one in shown["rankings"]]) == (2, [2, 1])
    assert llmops("kb", "status", office.kb, "--json").data["ranking"] == 2
    back = llmops("kb", "ranking", office.kb, "--rollback", "--json").data
    assert (back["ranking"], back["previous_ranking"]) == (None, 2)
    assert llmops(*search).out == before
    refused(2, "add --rollback", "kb", "ranking", office.kb, "--to", "2")
    assert "rank" in llmops("audit", "list", "--subject", f"ranking/{office.kb}", "--json").out
