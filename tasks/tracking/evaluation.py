"""A decision in MLflow: an experiment per evaluation, a run per decision, and below it a run per
arm.
"""

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.request import url2pathname

from llmops.tasks.decisions.record_files import REPORT, TABLE, write_files
from llmops.tasks.errors import Unavailable
from llmops.tasks.evaluation.cases import CaseSet
from llmops.tasks.evaluation.run import Part
from llmops.tasks.tracking.build import PARAMETERS_PER_CALL, _experiment, run_url
from llmops.tasks.tracking.records import TAG_LENGTH, _cut, metrics, parameters
from llmops.tasks.tracking.store import artifact_root, opened, tracking_uri

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

METRICS_PER_CALL = 500
LINKED = "mlflow.linkedPrompts"
Record = Mapping[str, Any]


def record_evaluation(
    home: Path, record: Record, parts: Sequence[Part], cases: CaseSet, uri: str | None = None
) -> dict[str, Any]:
    """Record it in the experiment `<name> evaluation`. Returns the record with the id and the link
    of its MLflow run.

    Raises Unavailable when the store does not answer, refuses, or has not kept every file whole;
    LlmopsError as `record_build` does.
    """
    uri = tracking_uri(home, uri)
    with opened(home, uri) as client:
        experiment = _experiment(client, f"{record['name']} evaluation", artifact_root(uri))
        made = client.create_run(experiment, run_name=record["id"], tags=_tags(record)).info
        run = made.run_id
        whole = {**record, "mlflow_run_id": run}
        status = "KILLED"
        try:
            _log(client, run, _headline(record), _settings(record))
            _dataset(client, run, record, cases)
            _files(client, run, whole, parts, cases)
            for name in record["arms"]:
                _arm(client, experiment, run, record, name)
            status = "FINISHED"
        finally:
            client.set_terminated(run, status)
    return {
        **whole,
        "links": {
            **record["links"],
            "mlflow": run_url(home, run, uri),
            **_report(made.artifact_uri),
        },
    }


def _report(artifacts: str) -> dict[str, str]:
    """Where the report lies, if it lies on this machine."""
    if not artifacts.startswith("file:///"):
        return {}
    return {"report": (Path(url2pathname(artifacts.removeprefix("file://"))) / REPORT).as_uri()}


def _tags(record: Record) -> dict[str, str]:
    found = {
        "verdict": record["verdict"],
        "reason": record["reason"],
        "candidate": record["candidate"],
        "baseline": record["baseline"],
        "decision": record["id"],
        "decision_sha256": record["sha256"],
        "dataset_sha256": record["dataset_sha256"],
        "config_sha256": record["config_sha256"],
        "prefect_run_id": record["prefect_run_id"],
        "prefect_url": record["links"].get("prefect"),
        "mlflow.source.name": "llmops evaluate",
        "mlflow.source.type": "JOB",
        "mlflow.loggedArtifacts": json.dumps([{"path": TABLE, "type": "table"}]),
        "mlflow.note.content": _note(record),
    }
    return {
        name: _cut(str(value), TAG_LENGTH) for name, value in found.items() if value is not None
    }


def _note(record: Record) -> str:
    from llmops.tasks.decisions.summary import summary_markdown

    return summary_markdown(record)


def _headline(record: Record) -> dict[str, Any]:
    """The numbers of the decision, by the names that they have in the record."""
    return {
        "decision": {
            name: record[name]
            for name in (
                "n",
                "difference",
                "interval",
                "p_value",
                "minimum_detectable_effect",
                "cases_needed",
                "cases",
                "spent",
                "seconds",
            )
        }
    }


def _settings(record: Record) -> dict[str, Any]:
    return {
        "decide": record["rule"],
        "promote": record["promote"] or "",
        "repeats": record["repeats"],
        "budget": record["budget"],
    }


def _arm(client: "MlflowClient", experiment: str, parent: str, record: Record, name: str) -> None:
    arm = record["arms"][name]
    compared = record["comparisons"].get(name)
    tags = {
        "mlflow.parentRunId": parent,
        "decision": record["id"],
        "verdict": compared["verdict"] if compared else "baseline",
        "mlflow.source.name": "llmops evaluate",
        **_linked(arm["prompt"]),
    }
    run = client.create_run(experiment, run_name=name, tags=tags).info.run_id
    counts = {
        count: arm[count]
        for count in (
            "attempted",
            "answered",
            "scored",
            "errored",
            "judge_failures",
            "tokens",
            "cost_usd",
            "calls",
            "cached",
            "latency_ms",
        )
    }
    found = {
        metric: {"value": one["value"], "interval": one["interval"], "n": one["n"]}
        for metric, one in arm["metrics"].items()
    }
    differences = {
        metric: {"value": one["difference"], "interval": one["interval"], "p_value": one["p_value"]}
        for metric, one in (compared["metrics"] if compared else {}).items()
    }
    _log(
        client,
        run,
        {**counts, "metric": found, "difference": differences},
        {"prompt": arm["prompt"], "llm": arm["llm"], "retrieve": arm["retrieve"] or "none"},
    )
    client.set_terminated(run, "FINISHED")


def _linked(prompt: Mapping[str, Any]) -> dict[str, str]:
    """The tag by which MLflow lists a run with its prompt: `client.link_prompt_version_to_run`
    writes it to the process's global store.
    """
    return (
        {LINKED: json.dumps([{"name": prompt["name"], "version": str(prompt["version"])}])}
        if prompt["version"] is not None
        else {}
    )


def _log(
    client: "MlflowClient", run: str, numbers: Mapping[str, Any], settings: Mapping[str, Any]
) -> None:
    """In as few calls as MLflow's limits allow. What is not a finite number is left out."""
    from mlflow.entities import Metric, Param

    values = [Metric(name, value, 0, 0) for name, value in metrics(numbers).items()]
    options = [Param(name, value) for name, value in parameters(settings).items()]
    for start in range(0, len(values), METRICS_PER_CALL):
        client.log_batch(run, metrics=values[start : start + METRICS_PER_CALL])
    for start in range(0, len(options), PARAMETERS_PER_CALL):
        client.log_batch(run, params=options[start : start + PARAMETERS_PER_CALL])


def _dataset(client: "MlflowClient", run: str, record: Record, cases: CaseSet) -> None:
    """The frozen cases by their hash; the cases themselves are an artifact, since MLflow's datasets
    keep no order.
    """
    from mlflow.entities import Dataset, DatasetInput, InputTag

    source = json.dumps({"artifact": "cases.jsonl", "sha256": cases.sha256})
    profile = json.dumps(
        {"cases": len(cases.cases), "used": record["cases"]["used"], "sha256": cases.sha256}
    )
    entity = Dataset(record["name"], cases.sha256[:36], "llmops", source, None, profile)
    client.log_inputs(run, [DatasetInput(entity, [InputTag("mlflow.data.context", "evaluation")])])


def _files(
    client: "MlflowClient", run: str, record: Record, parts: Sequence[Part], cases: CaseSet
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        wanted = write_files(Path(folder), record, parts, cases)
        client.log_artifacts(run, folder)
    kept = {file.path: file.file_size for file in client.list_artifacts(run)}
    lost = [name for name, size in wanted.items() if kept.get(name) != size]
    if lost:
        raise Unavailable(
            f"MLflow has not kept {', '.join(lost)} of the decision {record['id']}",
            hint="look at the free space of its store",
        )
