"""A comparison of knowledge bases: one MLflow experiment, a run per arm, and a run above them with
table and plot.
"""

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from llmops.tasks.tracking.records import as_json, log, parameters, table
from llmops.tasks.tracking.store import artifact_root, experiment_of, opened, tracking_uri

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

ROWS = "comparison.json"


class ComparisonRecord(BaseModel):
    """`rows` are those of `compare`; `plot` is a PNG; `facts`: golden set, k, mode, number of
    questions.
    """

    model_config = ConfigDict(frozen=True)
    name: str
    rows: tuple[Mapping[str, Any], ...]
    plot: bytes
    facts: Mapping[str, Any]


def record_comparison(home: Path, record: ComparisonRecord, uri: str | None = None) -> str:
    """Record it in the experiment `<name> comparison`. Returns the id of the run that holds table
    and plot.

    Raises Unavailable, LlmopsError as `record_build` does.
    """
    uri = tracking_uri(home, uri)
    with opened(home, uri) as client:
        experiment = experiment_of(client, f"{record.name} comparison", artifact_root(uri))
        tags = {
            **{name: str(value) for name, value in record.facts.items()},
            "mlflow.loggedArtifacts": json.dumps([{"path": ROWS, "type": "table"}]),
            "mlflow.source.name": "llmops kb compare",
        }
        whole = client.create_run(experiment, run_name=record.name, tags=tags).info.run_id
        status = "KILLED"
        try:
            for row in record.rows:
                _arm(client, experiment, whole, row)
            _files(client, whole, record)
            status = "FINISHED"
        finally:
            client.set_terminated(whole, status)
    return str(whole)


def _arm(client: "MlflowClient", experiment: str, parent: str, row: Mapping[str, Any]) -> None:
    run = client.create_run(
        experiment, run_name=str(row["name"]), tags={"mlflow.parentRunId": parent}
    ).info.run_id
    settings = {
        name: row[name]
        for name in ("knowledge_base", "version", "chunk", "embed", "store", "changes")
    }
    counts = {
        name: row[name] for name in ("documents", "chunks", "embeddings_computed", "build_seconds")
    }
    numbers = counts | {name: measure["value"] for name, measure in row["metrics"].items()}
    differences = (row["difference"] or {}).items()
    numbers |= {f"difference/{name}": measure["value"] for name, measure in differences}
    known = {name: float(value or 0) for name, value in numbers.items()}
    log(client, run, known, parameters(settings))
    client.set_terminated(run, "FINISHED")


def _files(client: "MlflowClient", run: str, record: ComparisonRecord) -> None:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / ROWS).write_text(as_json(table(flat(record.rows))), encoding="utf-8")
        (Path(folder) / "comparison.png").write_bytes(record.plot)
        client.log_artifacts(run, folder)


def flat(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, object]]:
    """The rows for a table: a column per metric with its interval, and one per difference."""
    return [
        {
            "name": row["name"],
            "chunks": row["chunks"],
            **{name: _cell(one) for name, one in row["metrics"].items()},
            **{f"{name} to first": _cell(one) for name, one in (row["difference"] or {}).items()},
        }
        for row in rows
    ]


def _cell(one: Mapping[str, Any]) -> str:
    return f"{one['value']:.3f} [{one['interval'][0]:.3f}, {one['interval'][1]:.3f}]"
