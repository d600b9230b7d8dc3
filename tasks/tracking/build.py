"""One MLflow run per build of a knowledge base, also for those that were blocked or failed."""

import json
import os
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmops.tasks.tracking.records import (
    TABLE,
    BuildRecord,
    DocumentSet,
    key,
    metrics,
    parameters,
    table,
    tags,
)
from llmops.tasks.tracking.store import artifact_root, opened, tracking_uri
from llmops.tasks.yaml_files import write_yaml

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

PARAMETERS_PER_CALL = 100
KIND = {
    "mlflow.experimentKind": "custom_model_development"
}  # else the UI opens on a page of traces, and hides the runs
INTERFACE = "http://127.0.0.1:5000"


def record_build(home: Path, build: BuildRecord, uri: str | None = None) -> str:
    """Record a build in the experiment of its knowledge base. Returns the id of the MLflow run.

    The store is `uri`, LLMOPS_MLFLOW_TRACKING_URI, or the home's own. Safe to call from several
    processes at once. A build that was not published, or planned or unchanged, is a FAILED run.
    Raises Unavailable when the store does not answer within seconds or refuses, LlmopsError when
    the home cannot be written: the caller decides what that means.
    """
    uri = tracking_uri(home, uri)
    with opened(home, uri) as client:
        experiment = _experiment(client, build.knowledge_base, artifact_root(uri))
        ended = int(time.time() * 1000)
        began = ended - int(1000 * float(build.outcome.get("seconds") or 0))
        run = client.create_run(experiment, start_time=began, tags=tags(build), run_name=build.name)
        status = "KILLED"  # should the record stay incomplete
        try:
            _log(client, run.info.run_id, build, ended)
            status = "FINISHED" if build.succeeded else "FAILED"
        finally:
            client.set_terminated(run.info.run_id, status, ended)
    return str(run.info.run_id)


def run_url(home: Path, run_id: str, uri: str | None = None) -> str:
    """Where a browser shows the run: below LLMOPS_MLFLOW_URL, else the tracking server, else the
    port of `mlflow ui`.

    Raises Unavailable when the store does not answer or knows no such run.
    """
    uri = tracking_uri(home, uri)
    base = os.environ.get("LLMOPS_MLFLOW_URL") or (uri if uri.startswith("http") else INTERFACE)
    with opened(home, uri) as client:
        experiment = client.get_run(run_id).info.experiment_id
    return f"{base.rstrip('/')}/#/experiments/{experiment}/runs/{run_id}"


def _experiment(client: "MlflowClient", name: str, artifacts: str | None) -> str:
    """The experiment's id; made when missing, brought back when somebody deleted it in the UI."""
    from mlflow.exceptions import MlflowException

    found = client.get_experiment_by_name(name)
    location = f"{artifacts}/{name}" if artifacts else None
    if found is None:
        try:
            return str(client.create_experiment(name, location, tags=KIND))
        except MlflowException as error:
            found = client.get_experiment_by_name(name)  # another process was quicker
            if found is None:
                raise error
    if found.lifecycle_stage == "deleted":
        client.restore_experiment(found.experiment_id)
    return str(found.experiment_id)


def _log(client: "MlflowClient", run: str, build: BuildRecord, now: int) -> None:
    from mlflow.entities import Metric, Param

    given = {key(name): float(value) for name, value in build.metrics.items()}
    numbers = [
        Metric(name, value, now, 0) for name, value in {**metrics(build.outcome), **given}.items()
    ]
    options = [Param(name, value) for name, value in parameters(build.config).items()]
    client.log_batch(run, metrics=numbers, params=options[:PARAMETERS_PER_CALL])
    for start in range(PARAMETERS_PER_CALL, len(options), PARAMETERS_PER_CALL):
        client.log_batch(run, params=options[start : start + PARAMETERS_PER_CALL])
    if build.documents is not None:
        _log_documents(client, run, build.knowledge_base, build.documents)
    _log_files(client, run, build)


def _log_documents(client: "MlflowClient", run: str, name: str, documents: DocumentSet) -> None:
    """The entities themselves: mlflow.data would want the rows, to hash and profile them again."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    source = _json({"sources": documents.sources})
    entity = Dataset(
        name, documents.digest[:36], "llmops", source[:65_000], None, _json(documents.profile)
    )
    client.log_inputs(run, [DatasetInput(entity, [InputTag("mlflow.data.context", "documents")])])


def _log_files(client: "MlflowClient", run: str, build: BuildRecord) -> None:
    with tempfile.TemporaryDirectory() as folder:
        texts = {
            "outcome.json": _json(build.outcome),
            "decision.json": _json(build.decision) if build.decision else "",
            TABLE: _json(table(build.worst)) if build.worst else "",
            "config.yaml": write_yaml(json.loads(_json(build.config))),
        }
        for name, text in texts.items():
            if text:
                (Path(folder) / name).write_text(text, encoding="utf-8")
        client.log_artifacts(run, folder)


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2, default=str)
