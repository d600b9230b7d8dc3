"""A training in MLflow, while it runs: its steps as curves, then its figures, the model's file and
the version of the data set.
"""

import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from pydantic import BaseModel, ConfigDict, Field

from llmops.tasks.tracking.records import (
    TAG_LENGTH,
    as_json,
    cut,
    key,
    log,
    log_dataset,
    metrics,
    parameters,
)
from llmops.tasks.tracking.store import artifact_root, experiment_of, opened, tracking_uri

PARENT = "mlflow.parentRunId"
EVERY = 1.0
"""Seconds between two reports: a report costs more than a step of a small training."""


class TrainingRecord(BaseModel):
    """What a training came to. `note`: Markdown for the run's page; `files`: name -> content, the
    model's among them; `tags`: what a run can be found by.
    """

    model_config = ConfigDict(frozen=True)
    numbers: Mapping[str, object]
    note: str
    tags: Mapping[str, str] = Field(default_factory=dict)
    files: Mapping[str, bytes] = Field(default_factory=dict)
    dataset: str
    dataset_sha256: str
    dataset_profile: Mapping[str, object] = Field(default_factory=dict)


class TrainingTracker:
    """`with TrainingTracker(home, experiment, name, config) as tracker`: one run, from the start of
    a training to its end. `step` is told every step; what is left without `end` is a FAILED run.
    Raises Unavailable where the store does not answer.
    """

    def __init__(
        self,
        home: Path,
        experiment: str,
        name: str,
        config: Mapping[str, object],
        parent: str = "",
    ) -> None:
        """`parent`: the run of a sweep, below which this one stands."""
        self._parent = parent
        self._home, self._uri = home, tracking_uri(home)
        self._experiment, self._name, self._config = experiment, name, config
        self._waiting: list[tuple[int, Mapping[str, float], int]] = []
        self._told, self._ended = 0.0, False
        self.run_id = ""

    def __enter__(self) -> "TrainingTracker":
        source = {"mlflow.source.name": "llmops train", "mlflow.source.type": "JOB"}
        source |= {PARENT: self._parent} if self._parent else {}
        with opened(self._home, self._uri) as client:
            experiment = experiment_of(client, self._experiment, artifact_root(self._uri))
            run = client.create_run(experiment, run_name=self._name, tags=source)
            self.run_id = str(run.info.run_id)
            log(client, self.run_id, {}, parameters(self._config))
        return self

    def step(self, number: int, numbers: Mapping[str, float]) -> None:
        """A step's metrics, which MLflow gets with those of the next second."""
        self._waiting.append((number, numbers, int(time.time() * 1000)))
        if time.monotonic() - self._told >= EVERY:
            self.flush()

    def flush(self) -> None:
        """Report what is waiting."""
        from mlflow.entities import Metric

        points = [
            Metric(key(f"steps/{name}"), value, at, number)
            for number, numbers, at in self._waiting
            for name, value in metrics(numbers).items()
        ]
        if points:
            with opened(self._home, self._uri) as client:
                client.log_batch(self.run_id, metrics=points)
        self._waiting, self._told = [], time.monotonic()

    def end(self, record: TrainingRecord) -> None:
        """Write down what it came to."""
        from mlflow.entities import Dataset

        self.flush()
        profile = as_json(record.dataset_profile)
        dataset = Dataset(record.dataset, record.dataset_sha256[:36], "llmops", "{}", None, profile)
        with opened(self._home, self._uri) as client, tempfile.TemporaryDirectory() as folder:
            log(client, self.run_id, record.numbers, {}, int(time.time() * 1000))
            log_dataset(client, self.run_id, dataset, "training")
            tags = {**record.tags, "mlflow.note.content": record.note}
            for name, text in tags.items():
                client.set_tag(self.run_id, name, cut(text, TAG_LENGTH))
            for name, content in record.files.items():
                path = Path(folder) / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
            client.log_artifacts(self.run_id, folder)
            client.set_terminated(self.run_id, "FINISHED")
        self._ended = True

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not self._ended:
            with opened(self._home, self._uri) as client:
                client.set_terminated(self.run_id, "FAILED")


def amend(
    home: Path,
    run_id: str,
    numbers: Mapping[str, object],
    tags: Mapping[str, str],
    note: str,
    files: Mapping[str, bytes],
) -> None:
    """Add to a run that has ended what was found out afterwards. Raises Unavailable."""
    with opened(home, tracking_uri(home)) as client, tempfile.TemporaryDirectory() as folder:
        log(client, run_id, numbers, {}, int(time.time() * 1000))
        for name, text in {**tags, "mlflow.note.content": note}.items():
            client.set_tag(run_id, name, cut(text, TAG_LENGTH))
        for name, content in files.items():
            (Path(folder) / name).write_bytes(content)
        client.log_artifacts(run_id, folder)


def put_below(home: Path, run_id: str, parent: str) -> None:
    """A run of an earlier try stands below the new run of its sweep. Raises Unavailable."""
    with opened(home, tracking_uri(home)) as client:
        client.set_tag(run_id, PARENT, parent)
