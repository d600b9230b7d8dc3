"""Builds recorded in real MLflow stores, read back through MLflow's own client."""

import json
import os
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from llmops.tasks.errors import LlmopsError, Unavailable
from llmops.tasks.tracking import (
    BuildRecord,
    DocumentSet,
    prepare,
    record_build,
    run_url,
    tracking_uri,
)
from llmops.tasks.tracking.place import own_port
from llmops.tasks.tracking.store import opened

BUILD = BuildRecord(
    knowledge_base="handbook",
    config_sha256="ab" * 32,
    git_commit="c0ffee",
    prefect_run_id="p-1",
    prefect_url="http://ui/p-1",
    config={"chunk": {"size": 200}, "many": {f"option-{number}": number for number in range(230)}},
    outcome={
        "status": "published",
        "version": 3,
        "seconds": 2.5,
        "tokens": 512,
        "warnings": ["one <b>"],
        "gate": {
            "verdict": "passed",
            "metrics": {"recall@5": {"candidate": 0.9, "interval": [-0.1, 0.1]}},
        },
    },
    documents=DocumentSet(digest="d" * 64, sources=("files",), profile={"documents": 40}),
    metrics={"queue": 1.5},
    decision={"verdict": "passed"},
    worst=({"id": "q1", "question": "Wie <b>|</b>?", "got": ["a"]},),
)
RECORDER = """
import sys
from pathlib import Path
from llmops.tasks.tracking import record_build
from tests.tracking.test_build import BUILD
print(record_build(Path(sys.argv[1]), BUILD))
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("a home #1 %20")
    prepare(made)
    return made


@pytest.mark.slow
def test_a_build_is_read_back_whole(home: Path) -> None:
    from mlflow.artifacts import load_dict

    run_id = record_build(home, BUILD)
    with opened(home, tracking_uri(home)) as client:
        run = client.get_run(run_id)
        files = sorted(file.path for file in client.list_artifacts(run_id))
    assert run.info.run_name == "handbook v3"
    assert (run.info.status, run.info.end_time - run.info.start_time) == ("FINISHED", 2500)
    versions = {name for name in run.data.params if name.startswith("versions.")}
    assert len(run.data.params) - len(versions) == 231
    assert {"versions.python", "versions.prefect", "versions.lancedb"} <= versions
    assert run.data.params["chunk.size"] == "200"
    assert (
        run.data.metrics.items()
        >= {"tokens": 512.0, "gate/recall_at_5/interval_low": -0.1, "queue": 1.5}.items()
    )
    assert run.data.tags.items() >= {"prefect_run_id": "p-1", "version": "3"}.items()
    assert run.inputs
    assert [(item.dataset.name, item.dataset.digest) for item in run.inputs.dataset_inputs] == [
        ("handbook", "d" * 36)
    ]
    assert files == ["config.yaml", "decision.json", "outcome.json", "worst-questions.json"]
    assert run.info.artifact_uri.startswith((home / "mlflow" / "artifacts").as_uri())
    assert load_dict(f"{run.info.artifact_uri}/outcome.json") == BUILD.model_dump()["outcome"]
    assert load_dict(f"{run.info.artifact_uri}/worst-questions.json")["data"] == [
        ["q1", "Wie <b>|</b>?", '["a"]']
    ]
    assert (
        run_url(home, run_id)
        == f"http://127.0.0.1:{own_port(home)}/#/experiments/{run.info.experiment_id}/runs/{run_id}"
    )


@pytest.mark.slow
def test_a_blocked_build_is_a_failed_run_and_a_deleted_experiment_comes_back(home: Path) -> None:
    record_build(home, BUILD)
    with opened(home, tracking_uri(home)) as client:
        found = client.get_experiment_by_name("handbook")
        assert found
        client.delete_experiment(found.experiment_id)
    blocked = BUILD.model_copy(
        update={"outcome": {"status": "blocked", "reason": "the gate rejected it"}, "worst": ()}
    )
    run_id = record_build(home, blocked)
    with opened(home, tracking_uri(home)) as client:
        run = client.get_run(run_id)
    assert (run.info.status, run.data.tags["reason"]) == ("FAILED", "the gate rejected it")
    assert "the gate rejected it" in run.data.tags["mlflow.note.content"]


@pytest.mark.slow
@pytest.mark.parametrize("named", [False, True], ids=["home", "named"])
def test_two_processes_record_at_once_in_a_fresh_store(
    tmp_path: Path, named: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / ("records" if named else "mlflow")
    folder.mkdir()
    (folder / "mlflow.new").write_bytes(b"left behind by a killed process")
    if named:
        monkeypatch.setenv("LLMOPS_MLFLOW_TRACKING_URI", f"sqlite:///{folder / 'mlflow.db'}")
    # fresh processes: what MLflow prints while it is imported belongs to what is asserted
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", RECORDER, str(tmp_path)],
            cwd=Path(__file__).parents[2],
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for _ in range(2)
    ]
    outputs = [process.communicate(timeout=120) for process in processes]
    assert [errors for _, errors in outputs] == ["", ""]
    with closing(sqlite3.connect(folder / "mlflow.db")) as database:
        stored = database.execute("SELECT run_uuid, status, experiment_id FROM runs").fetchall()
    assert {row[0] for row in stored} == {output.strip() for output, _ in outputs}
    assert [row[1:] for row in stored] == [("FINISHED", 1)] * 2
    assert [path.name for path in tmp_path.iterdir()] == [folder.name]


@pytest.mark.slow
def test_another_process_may_enter_the_same_documents_first(home: Path) -> None:
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    documents = DocumentSet(digest="e" * 64)
    build = BUILD.model_copy(update={"documents": documents})
    quicker: list[str] = []

    def enter(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        # MLflow has just looked for the documents, and found none
        if statement.startswith("INSERT INTO datasets") and not quicker:
            quicker.append("")
            quicker.append(record_build(home, build))

    event.listen(Engine, "before_cursor_execute", enter)
    try:
        run_ids = [record_build(home, build), *quicker[1:]]
    finally:
        event.remove(Engine, "before_cursor_execute", enter)
    with opened(home, tracking_uri(home)) as client:
        inputs = [client.get_run(run_id).inputs for run_id in run_ids]
    digests = [[item.dataset.digest for item in held.dataset_inputs] for held in inputs if held]
    assert digests == [["e" * 36]] * 2


@pytest.fixture
def remote(home: Path) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "mlflow",
        "server",
        "--backend-store-uri",
        tracking_uri(home),
        "--port",
        str(port),
        "--workers",
        "1",
    ]
    environment = {
        **os.environ,
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    url = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            urllib.request.urlopen(f"{url}/health", timeout=2).close()
            break
        except OSError:
            time.sleep(0.3)
    yield url
    process.terminate()
    process.wait(20)


@pytest.mark.slow
def test_a_server_sees_what_was_recorded_directly(
    home: Path, remote: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    direct = record_build(home, BUILD)
    monkeypatch.setenv("LLMOPS_MLFLOW_TRACKING_URI", remote)
    served = record_build(home, BUILD)
    assert run_url(home, served).startswith(f"{remote}/#/experiments/")
    with opened(home, remote) as client:
        listed = {
            run: sorted(file.path for file in client.list_artifacts(run))
            for run in (direct, served)
        }
        assert client.get_run(direct).data.metrics == client.get_run(served).data.metrics
    assert (
        listed[direct]
        == listed[served]
        == ["config.yaml", "decision.json", "outcome.json", "worst-questions.json"]
    )


@pytest.mark.slow
@pytest.mark.parametrize("answers", [False, True], ids=["refused", "silent"])
def test_an_unreachable_server_is_reported(
    tmp_path: Path, answers: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("llmops.tasks.tracking.store.REACH_SECONDS", 1.0)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        uri = f"http://127.0.0.1:{silent.getsockname()[1] if answers else 9}"
        with pytest.raises(Unavailable, match="MLflow does not answer"):
            record_build(tmp_path, BUILD, uri=uri)
    assert list(tmp_path.iterdir()) == []


def test_a_home_that_cannot_be_written_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(LlmopsError, match=r"cannot be written.*LLMOPS_HOME"):
        record_build(tmp_path / "file", BUILD)
    with pytest.raises(LlmopsError, match="question mark"):
        record_build(tmp_path / "what?", BUILD)


def test_a_record_is_serialisable() -> None:
    assert BuildRecord.model_validate(json.loads(BUILD.model_dump_json())) == BUILD
