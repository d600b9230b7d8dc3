"""How good a knowledge base is, version by version: one MLflow run per knowledge base, in which the
step of every number is the version, so that a chart of the run shows them over versions.
"""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

from llmops.tasks.tracking.origin import user
from llmops.tasks.tracking.records import TAG_LENGTH, charted, cut, key, metrics
from llmops.tasks.tracking.store import artifact_root, experiment_of, opened, tracking_uri

if TYPE_CHECKING:
    from mlflow.entities import Run
    from mlflow.tracking import MlflowClient

CURVE, GOLDEN = "llmops.quality_of", "llmops.golden_sha256"
NOTE = (
    "One point per version: the step is the version's number. `quality` holds what was measured on "
    "the golden set of the gate, `quality interval` the ends of its 95 % intervals, `size` counts "
    "of documents and chunks; what was measured on another golden set stands under its name."
)


class QualityRecord(BaseModel):
    """`measured`: by metric (`recall@5`) its `value` and `interval`, on `golden_sha256`, which is
    called `golden`; `numbers`: what else there is of the version, such as documents.
    """

    model_config = ConfigDict(frozen=True)
    knowledge_base: str
    version: int
    measured: Mapping[str, Mapping[str, object]] = Field(default_factory=dict)
    questions: int = 0
    golden_sha256: str = ""
    golden: str = ""
    gated: bool = False
    numbers: Mapping[str, object] = Field(default_factory=dict)


def flat(measured: Mapping[str, Mapping[str, object]], under: str = "quality") -> dict[str, float]:
    """`quality/recall_at_5`, `quality interval/recall_at_5_low` and `…_high`."""
    found: dict[str, float] = {}
    for name, one in measured.items():
        value, interval = one.get("value"), one.get("interval")
        found |= {f"{under}/{key(name)}": value} if isinstance(value, int | float) else {}
        if isinstance(interval, list | tuple) and len(interval) == 2:
            found |= {
                f"{under} interval/{key(name)}_{end}": float(item)
                for end, item in zip(("low", "high"), interval, strict=True)
                if isinstance(item, int | float)
            }
    return found


def record_quality(home: Path, record: QualityRecord, uri: str | None = None) -> str:
    """Add the version's point to the curves of its knowledge base. Returns the run's id. Raises as
    `record_build` does.
    """
    from mlflow.entities import Metric

    uri = tracking_uri(home, uri)
    with opened(home, uri) as client:
        experiment = experiment_of(client, record.knowledge_base, artifact_root(uri))
        run = _run(client, experiment, record)
        run_id = str(run.info.run_id)
        before = run.data.tags.get(GOLDEN, "")
        usual = record.gated or before in ("", record.golden_sha256)
        under = "" if usual else f" of {record.golden or record.golden_sha256[:8]}"
        numbers = flat(record.measured, f"quality{under}")
        if record.questions:
            numbers[f"size/questions{under}"] = float(record.questions)
        numbers |= charted(metrics(record.numbers))
        at = int(time.time() * 1000)
        points = [Metric(key(name), value, at, record.version) for name, value in numbers.items()]
        client.log_batch(run_id, metrics=points)
        if usual and record.golden_sha256:
            client.set_tag(run_id, GOLDEN, record.golden_sha256)
        client.set_tag(run_id, "version", str(record.version))
        client.set_terminated(run_id)
    return run_id


def _run(client: "MlflowClient", experiment: str, record: QualityRecord) -> "Run":
    name = record.knowledge_base
    there = client.search_runs([experiment], f"tags.`{CURVE}` = '{name}'", max_results=1)
    if there:
        return there[0]
    tags = {
        CURVE: name,
        "knowledge_base": name,
        "mlflow.source.name": "llmops index",
        "mlflow.source.type": "JOB",
        "mlflow.note.content": cut(NOTE, TAG_LENGTH),
        **({"mlflow.user": user()} if user() else {}),
    }
    return client.create_run(experiment, run_name="all versions", tags=tags)
