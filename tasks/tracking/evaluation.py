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
from llmops.tasks.tracking.origin import user
from llmops.tasks.tracking.place import pages, shared
from llmops.tasks.tracking.records import TAG_LENGTH, cut, log, log_dataset, parameters
from llmops.tasks.tracking.store import artifact_root, experiment_of, opened, tracking_uri

if TYPE_CHECKING:
    from mlflow.entities import Dataset
    from mlflow.tracking import MlflowClient

LINKED = "mlflow.linkedPrompts"
SOURCE = {"mlflow.source.name": "llmops evaluate"}
MARKS = {"promote": "▲", "reject": "▼", "inconclusive": "◆"}
WriteFiles = Callable[[Path, str, str], Mapping[str, int]]
"""Writes a run's files into a folder, given its id and its page. Returns the size in bytes of
each."""


class ArmRecord(BaseModel):
    """A run below. `prompt`: name and version in the registry, None for one from a file."""

    model_config = ConfigDict(frozen=True)
    name: str
    verdict: str
    prompt: tuple[str, int] | None = None
    numbers: Mapping[str, object]
    settings: Mapping[str, object]


class EvaluationRecord(BaseModel):
    """`decision`: its id, whose end is in the names of runs; `tags` of which some have no value;
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

    @property
    def short(self) -> str:
        """What tells decisions apart, in few letters: lists of runs cut names at twelve, that of
        evaluations at five, and at one below another run.
        """
        return self.decision.rpartition("-")[2][:6]

    @property
    def title(self) -> str:
        verdict = self.tags.get("verdict") or ""
        return f"{MARKS.get(verdict, '')} {self.short} {verdict}".strip()


class Tracked(NamedTuple):
    """`links`: where the run, its report and its record can be looked at; without a server, where
    the report lies on this machine.
    """

    run_id: str
    links: dict[str, str]


def experiment_name(evaluation: str) -> str:
    return f"{evaluation} evaluation"


def record_evaluation(
    home: Path, record: EvaluationRecord, write_files: WriteFiles, uri: str | None = None
) -> Tracked:
    """Record it in the experiment `<name> evaluation`.

    Raises Unavailable when the store does not answer, refuses, or has not kept every file whole;
    LlmopsError as `record_build` does.
    """
    uri = tracking_uri(home, uri)
    with opened(home, uri) as client:
        experiment = experiment_of(client, experiment_name(record.name), artifact_root(uri))
        made = client.create_run(experiment, run_name=record.title, tags=_tags(record)).info
        run = str(made.run_id)
        status = "KILLED"
        try:
            log(client, run, record.numbers, parameters(record.settings))
            log_dataset(client, run, _dataset(record), "evaluation")
            page = f"{pages(uri)}/#/experiments/{experiment}/runs/{run}"
            _log_files(client, run, record.decision, lambda folder: write_files(folder, run, page))
            for number in range(len(record.arms)):
                _log_arm(client, experiment, run, record, number)
            status = "FINISHED"
        finally:
            client.set_terminated(run, status)
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
    by = {"decision": record.decision, "mlflow.user": user() or None}
    tags = {**record.tags, **by, **SOURCE, **shown}
    return {name: cut(value, TAG_LENGTH) for name, value in tags.items() if value is not None}


def _log_arm(
    client: "MlflowClient", experiment: str, parent: str, record: EvaluationRecord, number: int
) -> None:
    arm = record.arms[number]
    tags = {
        "mlflow.parentRunId": parent,
        "decision": record.decision,
        "verdict": arm.verdict,
        "arm": arm.name,
        "deciding_metric": record.tags.get("deciding_metric") or "",
        **SOURCE,
        **({"mlflow.user": user()} if user() else {}),
    }
    if arm.prompt is not None:
        tags[LINKED] = _linked(*arm.prompt)
    name = f"{number + 1} {record.short} {arm.name}"  # as the report numbers them
    run = client.create_run(experiment, run_name=name, tags=tags).info.run_id
    log(client, run, arm.numbers, parameters(arm.settings))
    client.set_terminated(run, "FINISHED")


def _linked(name: str, version: int) -> str:
    """The tag by which MLflow lists a run with its prompt: `client.link_prompt_version_to_run`
    writes it to the process's global store.
    """
    return json.dumps([{"name": name, "version": str(version)}])


def link_prompt(
    home: Path, run_id: str, arm: str, prompt: tuple[str, int], uri: str | None = None
) -> None:
    """Say on an evaluation's run, and on that of an arm, which version the arm's prompt has become
    in the registry. Raises Unavailable.
    """
    uri = tracking_uri(home, uri)
    with opened(home, uri) as client:
        run = client.get_run(run_id).info
        mine = f"tags.mlflow.parentRunId = '{run_id}'"
        below = client.search_runs([run.experiment_id], mine)
        ids = [each.info.run_id for each in below if each.data.tags.get("arm") == arm]
        for each in (run_id, *ids):
            client.set_tag(each, LINKED, _linked(*prompt))


def _dataset(record: EvaluationRecord) -> "Dataset":
    """The frozen cases by their hash; the cases themselves are an artifact, since MLflow's datasets
    keep no order.
    """
    from mlflow.entities import Dataset

    sha256 = record.dataset_sha256
    source = json.dumps({"artifact": "cases.jsonl", "sha256": sha256})
    profile = json.dumps({"cases": record.cases, "used": record.used, "sha256": sha256})
    return Dataset(record.name, sha256[:36], "llmops", source, None, profile)


def _log_files(
    client: "MlflowClient", run: str, decision: str, write: Callable[[Path], Mapping[str, int]]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        sizes = write(Path(folder))
        client.log_artifacts(run, folder)
    kept = {file.path: file.file_size for file in client.list_artifacts(run)}
    lost = [name for name, size in sizes.items() if kept.get(name) != size]
    if lost:
        raise Unavailable(
            f"MLflow has not kept {', '.join(lost)} of the decision {decision}",
            hint="look at the free space of its store",
        )
