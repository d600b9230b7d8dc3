"""A night in MLflow: an experiment of its name, a run per night, and below it a run per part, which
names the run of the part's own flow.
"""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

from llmops.tasks.tracking.records import TAG_LENGTH, as_json, cut, log, parameters
from llmops.tasks.tracking.store import artifact_root, experiment_of, opened, tracking_uri

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

SOURCE = {"mlflow.source.name": "llmops nightly", "mlflow.source.type": "JOB"}
NIGHT = "llmops.night"
"""Tag of the runs that the parts' own flows recorded: the night that they belong to."""


class NightPartRecord(BaseModel):
    """A run below. `mlflow_run_id`: what the part's flow recorded itself, where it did."""

    model_config = ConfigDict(frozen=True)
    flow: str
    name: str
    status: str
    failed: bool
    headline: str
    seconds: float
    cost_usd: float
    prefect_run_id: str | None = None
    mlflow_run_id: str | None = None


class NightRecord(BaseModel):
    """`title`: what the run is called; `outcome` is what `llmops nightly --json` prints; `config`
    has `${NAME}` for secrets.
    """

    model_config = ConfigDict(frozen=True)
    name: str
    title: str
    status: str
    headline: str
    outcome: Mapping[str, object]
    config: Mapping[str, object]
    config_sha256: str
    parts: tuple[NightPartRecord, ...] = Field(default_factory=tuple)
    seconds: float = 0.0
    prefect_run_id: str | None = None
    prefect_url: str | None = None


def record_night(home: Path, record: NightRecord, uri: str | None = None) -> str:
    """Record it in the experiment `<name> nightly`. Returns the id of the run.

    Raises as `record_build` does.
    """
    uri = tracking_uri(home, uri)
    with opened(home, uri) as client:
        experiment = experiment_of(client, f"{record.name} nightly", artifact_root(uri))
        made = client.create_run(experiment, run_name=record.title, tags=_tags(record))
        run = str(made.info.run_id)
        status = "KILLED"  # should the record stay incomplete
        try:
            failed = sum(part.failed for part in record.parts)
            numbers = {"parts": len(record.parts), "failed": failed, "seconds": record.seconds}
            spent = sum(part.cost_usd for part in record.parts)
            log(client, run, {**numbers, "cost_usd": spent}, parameters(record.config))
            for part in record.parts:
                _part(client, experiment, run, part)
            with tempfile.TemporaryDirectory() as folder:
                file = Path(folder) / "night.json"
                file.write_text(as_json(record.outcome), encoding="utf-8")
                client.log_artifacts(run, folder)
            status = "FINISHED" if record.status == "completed" else "FAILED"
        finally:
            client.set_terminated(run, status)
    return run


def _tags(record: NightRecord) -> dict[str, str]:
    found = {
        "status": record.status,
        "headline": record.headline,
        "prefect_run_id": record.prefect_run_id,
        "prefect_url": record.prefect_url,
        "config_sha256": record.config_sha256,
        "mlflow.note.content": record.headline,
        **SOURCE,
    }
    return {name: cut(value, TAG_LENGTH) for name, value in found.items() if value}


def _part(client: "MlflowClient", experiment: str, night: str, part: NightPartRecord) -> None:
    from mlflow.exceptions import MlflowException

    tags = {
        "mlflow.parentRunId": night,
        "status": part.status,
        "headline": cut(part.headline, TAG_LENGTH),
        "recorded_as": part.mlflow_run_id,
        "prefect_run_id": part.prefect_run_id,
        **SOURCE,
    }
    given = {name: value for name, value in tags.items() if value}
    run = client.create_run(experiment, run_name=f"{part.flow} {part.name}", tags=given).info.run_id
    log(client, run, {"seconds": part.seconds, "cost_usd": part.cost_usd}, {"flow": part.flow})
    client.set_terminated(run, "FAILED" if part.failed else "FINISHED")
    if part.mlflow_run_id:
        try:
            client.set_tag(part.mlflow_run_id, NIGHT, night)
        except MlflowException:  # somebody has deleted it meanwhile: the night is recorded anyway
            return
