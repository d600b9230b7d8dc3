"""The tasks of the train flow, and the step of its end."""

from pathlib import Path

from prefect import task

from llmops.tasks import artifacts
from llmops.tasks.finish import prefect_url, run_id, tell
from llmops.tasks.training.model_outcome import ModelOutcome
from llmops.tasks.training.model_summary import model_markdown
from llmops.tasks.training.models import planned_model
from llmops.tasks.training.outcome import TrainOutcome
from llmops.tasks.training.ranking import planned
from llmops.tasks.training.run import run_model_training, run_training
from llmops.tasks.training.spec import TrainSpec
from llmops.tasks.training.summary import training_markdown

Outcome = TrainOutcome | ModelOutcome


@task(name="plan")
def plan(home: Path, spec: TrainSpec) -> Outcome:
    """What would be learnt from."""
    return planned_model(home, spec) if spec.of_dataset() else planned(home, spec)


@task(name="train")
def train(home: Path, spec: TrainSpec) -> Outcome:
    """Trained, decided, kept; live where the gate says so. Its steps are in MLflow as they come."""
    run = run_model_training if spec.of_dataset() else run_training
    return run(home, spec, tell, (run_id(), prefect_url()))


def shown(outcome: Outcome) -> Outcome:
    """The report as an artifact, and the headline in the log."""
    tell(outcome.headline)
    link = outcome.links.get("mlflow", "")
    if isinstance(outcome, ModelOutcome):
        told = model_markdown(outcome)
    else:
        told = training_markdown(outcome)
    artifacts.training(outcome.name, told, outcome.headline, link)
    return outcome
