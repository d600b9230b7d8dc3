"""One MLflow run per build of a knowledge base, also for those that were blocked or failed."""

import html
import json
import shutil
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from pydantic import BaseModel, ConfigDict, Field

from llmops.tasks.tracking.origin import tool_versions, user
from llmops.tasks.tracking.quality import flat
from llmops.tasks.tracking.records import (
    TAG_LENGTH,
    as_json,
    charted,
    cut,
    key,
    log,
    log_dataset,
    metrics,
    parameters,
    table,
)
from llmops.tasks.tracking.store import artifact_root, experiment_of, opened, tracking_uri
from llmops.tasks.yaml_files import write_yaml

if TYPE_CHECKING:
    from mlflow.entities import Dataset
    from mlflow.tracking import MlflowClient

TABLE = "worst-questions.json"
DATA_DOCS = "data-docs.html"
SUCCESSFUL = ("published", "unchanged", "planned")


class DocumentSet(BaseModel):
    """The documents that went in, without their texts: `digest` is a hash over (uri, content hash)
    of the ledger.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    digest: str
    sources: tuple[str, ...] = ()
    profile: Mapping[str, float] = Field(default_factory=dict)


class ConfigRecord(TypedDict):
    """What a build's record says of its config."""

    config: dict[str, object]
    config_sha256: str
    parameters: dict[str, object]
    git_commit: str | None


class BuildRecord(BaseModel):
    """One build of a knowledge base. `outcome` is what `llmops index --json` prints; `config` is a
    file that runs the same, with `${NAME}` for secrets; `parameters`: every setting, by default
    those of the config.

    `decision` is the gate's record, `worst` the questions that the gate answered worst, `data_docs`
    the page of what was validated.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    knowledge_base: str
    outcome: Mapping[str, Any]
    config: Mapping[str, object]
    parameters: Mapping[str, object] = Field(default_factory=dict)
    config_sha256: str
    documents: DocumentSet | None = None
    decision: Mapping[str, object] = Field(default_factory=dict)
    worst: tuple[Mapping[str, object], ...] = ()
    data_docs: Path | None = None
    metrics: Mapping[str, float] = Field(default_factory=dict)
    prefect_run_id: str | None = None
    prefect_url: str | None = None
    git_commit: str | None = None

    @property
    def status(self) -> str:
        return str(self.outcome.get("status", "failed"))

    @property
    def name(self) -> str:
        """`handbook v3`, after the candidate, and what became of it where it was not published."""
        version = self.outcome.get("candidate") or self.outcome.get("version")
        parts = [self.knowledge_base, f"v{version}" if version is not None else ""]
        return " ".join(filter(None, [*parts, "" if self.status == "published" else self.status]))

    @property
    def succeeded(self) -> bool:
        return self.status in SUCCESSFUL


def record_build(home: Path, build: BuildRecord, uri: str | None = None) -> str:
    """Record a build in the experiment of its knowledge base. Returns the id of the MLflow run.

    The store is `uri`, else that of `place_of`. Safe to call from several
    processes at once. A build that was not published, or planned or unchanged, is a FAILED run.
    Raises Unavailable when the store does not answer within seconds or refuses, LlmopsError when
    the home cannot be written: the caller decides what that means.
    """
    uri = tracking_uri(home, uri)
    with opened(home, uri) as client:
        experiment = experiment_of(client, build.knowledge_base, artifact_root(uri))
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


def tags(build: BuildRecord) -> dict[str, str]:
    """What a run can be found by. Tags that have no value are left out."""
    version = build.outcome.get("candidate") or build.outcome.get("version")
    found = {
        "knowledge_base": build.knowledge_base,
        "version": version,
        "status": build.status,
        "verdict": (build.outcome.get("gate") or {}).get("verdict"),
        "reason": build.outcome.get("reason"),
        "prefect_run_id": build.prefect_run_id,
        "prefect_url": build.prefect_url,
        "config_sha256": build.config_sha256,
        "mlflow.source.name": "llmops index",
        "mlflow.source.type": "JOB",
        "mlflow.source.git.commit": build.git_commit,
        "mlflow.user": user() or None,
        "golden_sha256": (build.outcome.get("gate") or {}).get("golden_sha256"),
        "mlflow.note.content": note(build),
    }
    if build.worst:
        found["mlflow.loggedArtifacts"] = json.dumps(
            [{"path": TABLE, "type": "table"}]
        )  # shown as a table in the UI
    return {name: cut(str(value), TAG_LENGTH) for name, value in found.items() if value is not None}


def note(build: BuildRecord) -> str:
    """The run's description, in Markdown."""
    gate, documents = (build.outcome.get(name) or {} for name in ("gate", "documents"))
    verdict, why = gate.get("verdict"), gate.get("reason") or ""
    counts = [f"{number:,} {name}" for name, number in documents.items() if number]
    lines = [
        f"**{build.status}**",
        html.escape(str(build.outcome.get("reason") or ""), quote=False),
        html.escape(f"Gate {verdict}: {why}", quote=False) if verdict == "passed" else "",
        f"Documents: {', '.join(counts)}" if counts else "",
    ]
    lines += [f"[Prefect run]({build.prefect_url})"] if build.prefect_url else []
    lines += [
        f"- {html.escape(str(warning), quote=False)}"
        for warning in build.outcome.get("warnings") or ()
    ]
    return "\n\n".join(filter(None, lines))


def _log(client: "MlflowClient", run: str, build: BuildRecord, now: int) -> None:
    given = {key(name): float(value) for name, value in build.metrics.items()}
    gate = dict(build.outcome.get("gate") or {})
    numbers = {
        **flat(gate.pop("measured", {})),
        **charted(metrics({**build.outcome, "gate": gate})),
        **given,
    }
    settings = {**(build.parameters or build.config), "versions": tool_versions()}
    log(client, run, numbers, parameters(settings), now)
    if build.documents is not None:
        dataset = _dataset(build.knowledge_base, build.documents)
        log_dataset(client, run, dataset, "documents")
    _log_files(client, run, build)


def _dataset(name: str, documents: DocumentSet) -> "Dataset":
    from mlflow.entities import Dataset

    source = as_json({"sources": documents.sources})[:65_000]
    profile = as_json(documents.profile)
    return Dataset(name, documents.digest[:36], "llmops", source, None, profile)


def _log_files(client: "MlflowClient", run: str, build: BuildRecord) -> None:
    with tempfile.TemporaryDirectory() as folder:
        texts = {
            "outcome.json": as_json(build.outcome),
            "decision.json": as_json(build.decision) if build.decision else "",
            TABLE: as_json(table(build.worst)) if build.worst else "",
            "config.yaml": write_yaml(json.loads(as_json(build.config))),
        }
        for name, text in texts.items():
            if text:
                (Path(folder) / name).write_text(text, encoding="utf-8")
        if build.data_docs is not None and build.data_docs.is_file():
            shutil.copy(build.data_docs, Path(folder) / DATA_DOCS)
        client.log_artifacts(run, folder)
