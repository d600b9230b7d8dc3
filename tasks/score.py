"""The tasks of the score flow, and the steps of its end."""

from collections.abc import Callable, Sequence
from pathlib import Path

from prefect import task

from llmops.tasks import artifacts
from llmops.tasks.finish import prefect_url, tell, telling
from llmops.tasks.monitoring import lines, live
from llmops.tasks.monitoring.assess import assess
from llmops.tasks.monitoring.live import LiveSpec, Scored
from llmops.tasks.monitoring.outcome import LiveScores
from llmops.tasks.monitoring.summary import live_markdown
from llmops.tasks.tracking import LiveRecord, record_live, run_url


@task(name="choose", task_run_name="choose")
def choose(home: Path, spec: LiveSpec) -> list[str]:
    """The traces to score."""
    return telling(live.chosen(home, spec), lines.chosen)


@task(name="score", task_run_name="score")
def score(home: Path, spec: LiveSpec, ids: Sequence[str]) -> Scored:
    """What the scorers say of them, in the ledger."""
    return telling(live.score(home, spec, ids), lines.scored)


def assessed(home: Path) -> Callable[[LiveScores], LiveScores]:
    """The step that writes scores as assessments on the traces, those of earlier runs that MLflow
    does not have yet included.
    """

    def step(outcome: LiveScores) -> LiveScores:
        assess(home, outcome.app)
        return outcome

    return step


def recorded(home: Path) -> Callable[[LiveScores], LiveScores]:
    """The step that adds a point to each metric's curve in MLflow."""

    def step(outcome: LiveScores) -> LiveScores:
        if outcome.status == "nothing_new":
            return outcome
        numbers = {name: metric.model_dump() for name, metric in outcome.metrics.items()}
        record = LiveRecord(
            app=outcome.app,
            numbers={**numbers, "traces": outcome.traces, "cost_usd": outcome.cost_usd},
            headline=outcome.headline,
            prefect_url=prefect_url(),
        )
        run = record_live(home, record)
        links = outcome.links | {"mlflow": run_url(home, run)}
        return outcome.model_copy(update={"mlflow_run_id": run, "links": links})

    return step


def shown(outcome: LiveScores) -> LiveScores:
    """The metrics as an artifact, and the headline in the log."""
    tell(outcome.headline)
    link = outcome.links.get("mlflow", "")
    artifacts.live(outcome.app, live_markdown(outcome), outcome.headline, link)
    return outcome
