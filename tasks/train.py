"""The tasks of the train flow, and the steps of its end."""

from collections.abc import Callable
from pathlib import Path

from prefect import task

from llmops.tasks import artifacts
from llmops.tasks.decisions.decision import Content
from llmops.tasks.evaluation.run import EvaluationSpec
from llmops.tasks.finish import prefect_url, run_id, tell, telling
from llmops.tasks.schemas import OneOrMore
from llmops.tasks.training import deciding, sweeping
from llmops.tasks.training.deciding import ComparedModels
from llmops.tasks.training.held_cases import HeldCases
from llmops.tasks.training.model_outcome import ModelOutcome
from llmops.tasks.training.model_summary import model_markdown
from llmops.tasks.training.models import planned_model
from llmops.tasks.training.outcome import TrainOutcome
from llmops.tasks.training.ranking import planned
from llmops.tasks.training.run import run_model_training, run_training
from llmops.tasks.training.spec import TrainSpec
from llmops.tasks.training.summary import training_markdown
from llmops.tasks.training.sweep import SweepPoint

Outcome = TrainOutcome | ModelOutcome


@task(name="plan", task_run_name="plan")
def plan(home: Path, spec: TrainSpec, held: HeldCases | None) -> Outcome:
    """What would be learnt from."""
    if spec.of_dataset() is None:
        return planned(home, spec)
    outcome = sweeping.planned_sweep(home, spec) if spec.sweep else planned_model(home, spec)
    return outcome.warned(held.warning) if held and held.warning else outcome


@task(name="look at the cases of the gate", task_run_name="look at the cases of the gate")
def held(home: Path, spec: TrainSpec, evaluation: EvaluationSpec, cases: OneOrMore) -> HeldCases:
    """The cases that the model will not have seen, and every mistake of the gate, before anything
    is trained.
    """
    return telling(
        deciding.ready(home, spec, evaluation, cases),
        lambda cases: cases.warning or "no case of the gate stands in rows that are trained on",
    )


@task(name="train", task_run_name="train")
def train(home: Path, spec: TrainSpec) -> Outcome:
    """Trained, and kept; a ranking is live where its gate says so. Its steps are in MLflow as they
    come.
    """
    run = run_model_training if spec.of_dataset() else run_training
    return run(home, spec, tell, (run_id(), prefect_url()))


def swept(home: Path, spec: TrainSpec) -> ModelOutcome:
    """The best of the points of a sweep, each of them a task, by the validation split alone."""
    points = list(spec.sweep.points(spec.trainer)) if spec.sweep else []
    with sweeping.sweep_run(home, spec) as tracker:
        outcomes = [
            point(home, spec, tracker.run_id, f"{number} of {len(points)}", each)
            for number, each in enumerate(points, 1)
        ]
        return sweeping.chosen(home, spec, tracker, outcomes, (run_id(), prefect_url()))


@task(task_run_name="training {number}: {each.title}")
def point(home: Path, spec: TrainSpec, parent: str, number: str, each: SweepPoint) -> ModelOutcome:
    """One training of a sweep; one that is done already is not done again."""
    tell(f"training {number}: {each.title}")
    return sweeping.one_point(home, spec, parent, each, tell, (run_id(), prefect_url()))


@task(name="compare with what is live", task_run_name="compare with what is live")
def compared(home: Path, outcome: ModelOutcome) -> ComparedModels | None:
    """The two versions that the gate compares; None where there is nothing to compare."""
    return telling(
        deciding.compared(home, outcome),
        lambda sides: (
            f"{sides.candidate.uri} against {sides.live.uri}"
            if sides
            else "there is no version that it could be compared with"
        ),
    )


def standing(home: Path, outcome: ModelOutcome) -> ModelOutcome:
    """A model that is live already, or that no gate can decide about."""
    return deciding.standing(home, outcome)


@task(name="promote or not", task_run_name="promote or not")
def decided(
    home: Path, outcome: ModelOutcome, sides: ComparedModels, content: Content, held: HeldCases
) -> ModelOutcome:
    """What the decision says of the model; the alias moves where it says promote."""
    who = f"prefect run {run_id()}" if run_id() else "llmops train"
    done = deciding.decided(home, outcome, sides, content, held, who)
    return telling(done, lambda model: model.headline)


def told(home: Path) -> Callable[[ModelOutcome], ModelOutcome]:
    """The step that writes what the gate said into the run of the training."""
    return lambda outcome: deciding.told(home, outcome)


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
