"""The steps at the end of the nightly flow: its record in MLflow, and what the run shows."""

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from prefect import task

from llmops.tasks import artifacts
from llmops.tasks.finish import prefect_url, tell
from llmops.tasks.nights.night import Night
from llmops.tasks.nights.summary import summary_markdown
from llmops.tasks.traces import retention
from llmops.tasks.tracking import NightPartRecord, NightRecord, record_night, run_url


@task(name="prune", task_run_name="prune")
def pruned(home: Path, app: str, most_days: float, least_days: float) -> dict[str, object]:
    """The traces of an application that are too old are gone, or what could not be reached."""
    due = len(retention.due(home, app, most_days, least_days))
    gone = retention.prune(home, app, most_days, least_days)
    return {
        "status": "pruned" if gone.ok else "unfinished",
        "reason": f"older than {most_days:g} days: {due} of its traces, which are gone"
        if gone.ok
        else "; ".join(gone.unreached),
        "warnings": list(gone.remarks),
    }


def today() -> str:
    """By this machine's clock and time zone."""
    return f"{datetime.now().astimezone():%Y-%m-%d}"


def recorded(home: Path, title: str, config: Mapping[str, Any]) -> Callable[[Night], Night]:
    """The step that records the night in MLflow under its title, with a run per part below it."""

    def step(night: Night) -> Night:
        record = NightRecord(
            name=night.name,
            title=title,
            status=night.status,
            headline=night.headline,
            outcome=night.public(),
            parts=tuple(NightPartRecord.model_validate(part.model_dump()) for part in night.parts),
            seconds=night.seconds,
            prefect_run_id=night.prefect_run_id,
            prefect_url=prefect_url(),
            **config,
        )
        run = record_night(home, record)
        links = night.links | {"mlflow": run_url(home, run)}
        return night.model_copy(update={"mlflow_run_id": run, "links": links})

    return step


def shown(night: Night) -> Night:
    """The night as an artifact, and its headline in the log."""
    tell(night.headline)
    link = night.links.get("mlflow", "")
    artifacts.night(night.name, summary_markdown(night), night.headline, link)
    return night
