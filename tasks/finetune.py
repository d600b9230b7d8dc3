"""The tasks of the finetune flow, in its order, and the steps of its end."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from prefect import task

from llmops.tasks import artifacts
from llmops.tasks.datasets.training import (
    cleaning,
    collecting,
    exporting,
    lines,
    publishing,
    sides,
)
from llmops.tasks.datasets.training.cleaning import Checked, LeftOut
from llmops.tasks.datasets.training.collecting import Collected, CollectPart
from llmops.tasks.datasets.training.exporting import ExportedFormat, SplitRows
from llmops.tasks.datasets.training.outcome import FinetuneOutcome
from llmops.tasks.datasets.training.publishing import CARD, MANIFEST, REPORT, PublishedDataset
from llmops.tasks.datasets.training.shards import RowFiles, RowShard
from llmops.tasks.datasets.training.spec import FinetuneSpec
from llmops.tasks.datasets.training.steps import FinetuneSteps, finished
from llmops.tasks.finish import name_run, prefect_url, tell, telling
from llmops.tasks.plugins import Spec
from llmops.tasks.tracking import DatasetRecord, record_dataset, run_url


@task(task_run_name="cut")
def cut(spec: FinetuneSpec) -> list[CollectPart]:
    """Cut the sources into parts that one task run each can do."""
    return telling(collecting.parts_of(spec), lines.cut)


@task(task_run_name="collect {part.number} of {part.of}: {part.title}")
def collect(spec: FinetuneSpec, part: CollectPart) -> Collected:
    """Write the rows of one part."""
    return telling(collecting.collect_part(spec, part), lines.collected)


@task(task_run_name="check {shard.path.name}")
def check(spec: FinetuneSpec, shard: RowShard) -> Checked:
    """Put the rows into quarantine that may not be used, or that a trainer would fail on."""
    return telling(cleaning.check_shard(spec, shard), lines.checked)


@task(name="compare", task_run_name="compare")
def compare(spec: FinetuneSpec, rows: RowFiles) -> LeftOut:
    """Leave out rows that contradict each other."""
    done = cleaning.left_consistent(spec, rows)
    return telling(done, lambda left: lines.left("do not contradict each other", left))


@task(task_run_name="scrub {shard.path.name}")
def scrub(spec: FinetuneSpec, shard: RowShard) -> Checked:
    """Replace personal data and secrets, and look again whether any is left."""
    return telling(cleaning.scrub_shard(spec, shard), lines.scrubbed)


@task(task_run_name="dedup")
def dedup(spec: FinetuneSpec, rows: RowFiles) -> LeftOut:
    """Leave out what stands there already."""
    return telling(
        cleaning.left_unique(spec, rows), lambda left: lines.left("stand there once", left)
    )


@task(task_run_name="decontaminate")
def decontaminate(spec: FinetuneSpec, rows: RowFiles) -> LeftOut:
    """Leave out what gives an evaluation away."""
    done = cleaning.left_clean(spec, rows)
    return telling(done, lambda left: lines.left("give no evaluation away", left))


@task(task_run_name="split")
def split(spec: FinetuneSpec, rows: RowFiles) -> SplitRows:
    """Share the rows out, whole groups at a time."""
    return telling(sides.split_rows(spec, rows), lines.split)


@task(name="prove that nothing leaks", task_run_name="prove that nothing leaks")
def prove(spec: FinetuneSpec, rows: SplitRows) -> None:
    """Look anew for rows that belong together and are on two sides."""
    sides.prove(spec, rows)
    tell("no two rows that belong together are on two sides")


@task(task_run_name="export {target.id}")
def export(spec: FinetuneSpec, target: Spec, rows: SplitRows) -> ExportedFormat:
    """Write the files of one format."""
    return telling(exporting.export(spec, target, rows), lines.exported)


@task(task_run_name="publish")
def publish(spec: FinetuneSpec, steps: FinetuneSteps) -> PublishedDataset:
    """Card, manifest and lineage; then all of it appears at once."""
    return telling(finished(spec, steps), lines.published)


def collected(spec: FinetuneSpec, parts: Sequence[CollectPart]) -> list[Collected]:
    """Every part, several at a time."""
    return [each.result() for each in [collect.submit(spec, part) for part in parts]]


def checked(spec: FinetuneSpec, parts: Sequence[Collected]) -> list[Checked]:
    """Every shard, several at a time."""
    futures = [check.submit(spec, shard) for part in parts for shard in part.shards]
    return [each.result() for each in futures]


def scrubbed(spec: FinetuneSpec, rows: RowFiles) -> list[Checked]:
    """Every shard, several at a time."""
    return [each.result() for each in [scrub.submit(spec, shard) for shard in rows.shards]]


def exported(spec: FinetuneSpec, rows: SplitRows) -> list[ExportedFormat]:
    """Every format, several at a time."""
    return [each.result() for each in [export.submit(spec, one, rows) for one in spec.export]]


def recorded(home: Path, config: Mapping[str, Any]) -> Callable[[FinetuneOutcome], FinetuneOutcome]:
    """The step that records the version in MLflow."""

    def step(outcome: FinetuneOutcome) -> FinetuneOutcome:
        if outcome.folder is None or outcome.version is None:
            return outcome
        folder = Path(outcome.folder)
        names = (CARD, MANIFEST, REPORT, *(each.name for each in sorted(folder.glob("*.png"))))
        record = DatasetRecord(
            name=outcome.name,
            version=outcome.version,
            sha256=outcome.content_sha256 or "",
            folder=outcome.folder,
            headline=outcome.headline,
            outcome=outcome.public(),
            sources=outcome.sources,
            artifacts=tuple(folder / name for name in names),
            prefect_run_id=outcome.prefect_run_id,
            prefect_url=prefect_url(),
            **config,
        )
        run = record_dataset(home, record)
        links = outcome.links | {"mlflow": run_url(home, run)}
        return outcome.model_copy(update={"mlflow_run_id": run, "links": links})

    return step


def shown(outcome: FinetuneOutcome) -> FinetuneOutcome:
    """The card as an artifact, and the headline in the log."""
    tell(outcome.headline)
    name_run(f"{outcome.name} v{outcome.version}" if outcome.version else outcome.name)
    text = outcome.headline
    if outcome.folder is not None:
        text = publishing.card_of(Path(outcome.folder))
    artifacts.dataset(outcome.name, text, outcome.headline, outcome.links.get("mlflow", ""))
    return outcome
