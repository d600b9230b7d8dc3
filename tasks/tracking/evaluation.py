"""An evaluation in MLflow: an experiment of its name, a run per decision, and below it a run per
arm.
"""

import json
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.request import url2pathname

from pydantic import BaseModel, ConfigDict

from llmops.tasks.errors import Unavailable
from llmops.tasks.tracking.place import shared
from llmops.tasks.tracking.records import TAG_LENGTH, cut, log, log_dataset, parameters
from llmops.tasks.tracking.store import artifact_root, experiment_of, opened, run_url, tracking_uri

if TYPE_CHECKING:
    from mlflow.entities import Dataset
    from mlflow.tracking import MlflowClient

LINKED = "mlflow.linkedPrompts"
SOURCE = {"mlflow.source.name": "llmops evaluate"}
WriteFiles = Callable[[Path, str], Mapping[str, int]]
"""Writes a run's files into a folder, given its id. Returns the size in bytes of each."""


class ArmRecord(BaseModel):
    """A run below. `prompt`: name and version in the registry, None for one from a file."""

    model_config = ConfigDict(frozen=True)
    name: str
    verdict: str
    prompt: tuple[str, int] | None = None
    numbers: Mapping[str, object]
    settings: Mapping[str, object]


class EvaluationRecord(BaseModel):
    """`decision`: its id, after which the run is called; `tags` of which some have no value;
    `numbers` and `settings` nested as they like; `cases`, of which `used` were compared, by their
    hash; `table`, `report` and `record`: the names of the files that hold them.
    """

    model_config = ConfigDict(frozen=True)
    name: str
    decision: str
    tags: Mapping[str, str | None]
    numbers: Mapping[str, object]
    settings: Mapping[str, object]
    arms: tuple[ArmRecord, ...]
    dataset_sha256: str
    cases: int
    used: int
    table: str
    report: str
    record: str


class Tracked(NamedTuple):
    """`links`: where the run, its report and its record can be looked at; without a server, where
    the report lies on this machine.
    """

    run_id: str
    links: dict[str, str]


def record_evaluation(
    home: Path, record: EvaluationRecord, write_files: WriteFiles, uri: str | None = None
) -> Tracked:
    """Record it in the experiment `<name> evaluation`.

    Raises Unavailable when the store does not answer, refuses, or has not kept every file whole;
    LlmopsError as `record_build` does.
    """
    uri = tracking_uri(home, uri)
    with opened(home, uri) as client:
        experiment = experiment_of(client, f"{record.name} evaluation", artifact_root(uri))
        made = client.create_run(experiment, run_name=record.decision, tags=_tags(record)).info
        run = str(made.run_id)
        status = "KILLED"
        try:
            log(client, run, record.numbers, parameters(record.settings))
            log_dataset(client, run, _dataset(record), "evaluation")
            _log_files(client, run, record.decision, write_files)
            for arm in record.arms:
                _log_arm(client, experiment, run, record.decision, arm)
            status = "FINISHED"
        finally:
            client.set_terminated(run, status)
    page = run_url(home, run, uri)
    files = {"report": record.report, "record": record.record}
    links = shared(home, page, files) or _on_this_machine(made.artifact_uri, record.report)
    return Tracked(run, {"mlflow": page, **links})


def _on_this_machine(artifacts: str, report: str) -> dict[str, str]:
    if not artifacts.startswith("file:///"):
        return {}
    return {"report": (Path(url2pathname(artifacts.removeprefix("file://"))) / report).as_uri()}


def _tags(record: EvaluationRecord) -> dict[str, str]:
    table = json.dumps([{"path": record.table, "type": "table"}])
    shown = {"mlflow.source.type": "JOB", "mlflow.loggedArtifacts": table}
    tags = {**record.tags, "decision": record.decision, **SOURCE, **shown}
    return {name: cut(value, TAG_LENGTH) for name, value in tags.items() if value is not None}


def _log_arm(
    client: "MlflowClient", experiment: str, parent: str, decision: str, arm: ArmRecord
) -> None:
    tags = {"mlflow.parentRunId": parent, "decision": decision, "verdict": arm.verdict, **SOURCE}
    if arm.prompt is not None:
        # by this tag MLflow lists a run with its prompt: `client.link_prompt_version_to_run`
        # writes it to the process's global store
        name, version = arm.prompt
        tags[LINKED] = json.dumps([{"name": name, "version": str(version)}])
    run = client.create_run(experiment, run_name=arm.name, tags=tags).info.run_id
    log(client, run, arm.numbers, parameters(arm.settings))
    client.set_terminated(run, "FINISHED")


def _dataset(record: EvaluationRecord) -> "Dataset":
    """The frozen cases by their hash; the cases themselves are an artifact, since MLflow's datasets
    keep no order.
    """
    from mlflow.entities import Dataset

    sha256 = record.dataset_sha256
    source = json.dumps({"artifact": "cases.jsonl", "sha256": sha256})
    profile = json.dumps({"cases": record.cases, "used": record.used, "sha256": sha256})
    return Dataset(record.name, sha256[:36], "llmops", source, None, profile)


def _log_files(client: "MlflowClient", run: str, decision: str, write_files: WriteFiles) -> None:
    with tempfile.TemporaryDirectory() as folder:
        sizes = write_files(Path(folder), run)
        client.log_artifacts(run, folder)
    kept = {file.path: file.file_size for file in client.list_artifacts(run)}
    lost = [name for name, size in sizes.items() if kept.get(name) != size]
    if lost:
        raise Unavailable(
            f"MLflow has not kept {', '.join(lost)} of the decision {decision}",
            hint="look at the free space of its store",
        )
