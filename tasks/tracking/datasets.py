"""One MLflow run per version of a data set of training rows, with card, manifest and lineage."""

import json
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field

from llmops.tasks.tracking.records import (
    TAG_LENGTH,
    as_json,
    cut,
    log,
    log_dataset,
    metrics,
    parameters,
)
from llmops.tasks.tracking.store import artifact_root, experiment_of, opened, tracking_uri
from llmops.tasks.yaml_files import write_yaml

if TYPE_CHECKING:
    from mlflow.entities import Dataset
    from mlflow.tracking import MlflowClient

PLACES = 65_000
"""Characters of a data set's source that MLflow keeps."""


class DatasetRecord(BaseModel):
    """A version of a data set. `sha256`: of its content; `sources`: rows by where they come from;
    `artifacts`: files of the version that people look at, by name; `outcome`: what the command
    prints.
    """

    model_config = ConfigDict(frozen=True)
    name: str
    version: int
    sha256: str
    folder: str
    headline: str
    outcome: Mapping[str, Any]
    config: Mapping[str, object]
    config_sha256: str
    sources: Mapping[str, object] = Field(default_factory=dict)
    artifacts: tuple[Path, ...] = ()
    prefect_run_id: str | None = None
    prefect_url: str | None = None


def record_dataset(home: Path, record: DatasetRecord, uri: str | None = None) -> str:
    """Record a version in the experiment `<name> finetune`. A version that is there already keeps
    its run, which is named again. Returns its id. Raises as `record_build` does.
    """
    uri = tracking_uri(home, uri)
    with opened(home, uri) as client:
        experiment = experiment_of(client, f"{record.name} finetune", artifact_root(uri))
        same = f"tags.content_sha256 = '{record.sha256}'"
        if there := client.search_runs([experiment], same, max_results=1):
            return str(there[0].info.run_id)
        ended = int(time.time() * 1000)
        began = ended - int(1000 * float(record.outcome.get("seconds") or 0))
        name = f"{record.name} v{record.version}"
        run = client.create_run(experiment, start_time=began, tags=_tags(record), run_name=name)
        run_id, status = str(run.info.run_id), "KILLED"  # should the record stay incomplete
        try:
            log(client, run_id, metrics(record.outcome), parameters(record.config), ended)
            log_dataset(client, run_id, _dataset(record), "training")
            _log_files(client, run_id, record)
            status = "FINISHED"
        finally:
            client.set_terminated(run_id, status, ended)
    return run_id


def _tags(record: DatasetRecord) -> dict[str, str]:
    found = {
        "dataset": record.name,
        "version": record.version,
        "content_sha256": record.sha256,
        "folder": record.folder,
        "config_sha256": record.config_sha256,
        "prefect_run_id": record.prefect_run_id,
        "prefect_url": record.prefect_url,
        "mlflow.source.name": "llmops finetune",
        "mlflow.source.type": "JOB",
        "mlflow.note.content": record.headline,
    }
    return {name: cut(str(value), TAG_LENGTH) for name, value in found.items() if value is not None}


def _dataset(record: DatasetRecord) -> "Dataset":
    from mlflow.entities import Dataset

    source = as_json({"folder": record.folder, "sources": dict(record.sources)})[:PLACES]
    profile = as_json(record.outcome.get("rows") or {})
    name = f"{record.name} v{record.version}"
    return Dataset(name, record.sha256[:36], "llmops", source, None, profile)


def _log_files(client: "MlflowClient", run_id: str, record: DatasetRecord) -> None:
    with tempfile.TemporaryDirectory() as folder:
        texts = {
            "outcome.json": as_json(record.outcome),
            "config.yaml": write_yaml(json.loads(as_json(record.config))),
        }
        for name, text in texts.items():
            (Path(folder) / name).write_text(text, encoding="utf-8")
        client.log_artifacts(run_id, folder)
    for path in record.artifacts:
        client.log_artifact(run_id, str(path))
