"""How an application does over time, in MLflow: one run per application and kind of record. Every
scoring, every look of a monitor, and every run of the feedback flow, adds a point of each number to
its own.
"""

import tempfile
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from llmops.tasks.tracking.records import TAG_LENGTH, cut, metrics
from llmops.tasks.tracking.store import (
    artifact_root,
    experiment_of,
    opened,
    sqlite_file,
    tracking_uri,
)

COMMANDS = {"live": "llmops score", "feedback": "llmops feedback", "monitor": "llmops monitor"}
APP = "llmops.app"
LOOKED = "monitored.json"
"""In the folder of each look of a monitor: what its report was made of."""


class LiveRecord(BaseModel):
    """`numbers`: nested as they like; `headline`: what the run's description says now; `about`:
    which of an application's records; `at`: the moment that the numbers are of, now where it is
    None.
    """

    model_config = ConfigDict(frozen=True)
    app: str
    numbers: Mapping[str, object]
    headline: str
    prefect_url: str | None = None
    about: Literal["live", "feedback", "monitor"] = "live"
    at: datetime | None = None


def record_live(home: Path, record: LiveRecord, uri: str | None = None) -> str:
    """Add a point to the run of the application in the experiment `<app> live`, `<app> feedback` or
    `<app> monitor`. Returns the run's id. Raises as `record_build` does.
    """
    from mlflow.entities import Metric

    uri = tracking_uri(home, uri)
    at = int((record.at.timestamp() if record.at else time.time()) * 1000)
    with opened(home, uri) as client:
        experiment = experiment_of(client, f"{record.app} {record.about}", artifact_root(uri))
        there = client.search_runs([experiment], f"tags.`{APP}` = '{record.app}'", max_results=1)
        if there:
            run = there[0]
        else:
            source = {
                "mlflow.source.name": COMMANDS[record.about],
                "mlflow.source.type": "JOB",
            }
            run = client.create_run(
                experiment, run_name=record.app, tags={APP: record.app, **source}
            )
        run_id, step = str(run.info.run_id), int(run.data.metrics.get("scorings", 0)) + 1
        numbers = {**metrics(record.numbers), "scorings": float(step)}
        points = [Metric(name, value, at, step) for name, value in numbers.items()]
        client.log_batch(run_id, metrics=points)
        client.set_tag(run_id, "mlflow.note.content", cut(record.headline, TAG_LENGTH))
        if record.prefect_url:
            client.set_tag(run_id, "prefect_url", record.prefect_url)
        client.set_terminated(run_id)
    return run_id


def attach_live(home: Path, run_id: str, folder: str, files: Mapping[str, bytes]) -> None:
    """Put files (name -> content) into a folder of such a run. Raises Unavailable."""
    with opened(home, tracking_uri(home)) as client, tempfile.TemporaryDirectory() as made:
        for name, content in files.items():
            (Path(made) / name).write_bytes(content)
        client.log_artifacts(run_id, made, folder)


def forget_looks(home: Path, app: str, named: Callable[[str], bool]) -> int:
    """Remove the files of every look of a monitor whose LOOKED makes `named` true. Returns how many
    looks that were; nothing is made where nothing was ever recorded. Raises Unavailable.
    """
    uri = tracking_uri(home)
    if (database := sqlite_file(uri)) and not database.exists():
        return 0
    with opened(home, uri) as client, tempfile.TemporaryDirectory() as made:
        from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

        experiment = client.get_experiment_by_name(f"{app} monitor")
        runs = client.search_runs([experiment.experiment_id]) if experiment else []
        gone = 0
        for run in runs:
            folders = [each.path for each in client.list_artifacts(run.info.run_id) if each.is_dir]
            for folder in folders:
                inside = {each.path for each in client.list_artifacts(run.info.run_id, folder)}
                if (path := f"{folder}/{LOOKED}") not in inside:
                    continue
                file = Path(client.download_artifacts(run.info.run_id, path, made))
                if named(file.read_text(encoding="utf-8", errors="replace")):
                    repository = get_artifact_repository(run.info.artifact_uri, uri)
                    repository.delete_artifacts(folder)  # type: ignore[no-untyped-call]
                    gone += 1
    return gone
