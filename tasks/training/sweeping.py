"""The run of a sweep: its points one after the other, each with a run in MLflow below that of the
sweep, and the best of them as its outcome. What was finished before a kill is not done again.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from pydantic import ValidationError

from llmops.tasks.errors import Blocked, LlmopsError, UsageError
from llmops.tasks.plugins.trainers import TrainingCost
from llmops.tasks.tracking import TrainingTracker
from llmops.tasks.tracking.training import put_below
from llmops.tasks.training.crossfit import Tell
from llmops.tasks.training.model_outcome import ModelOutcome
from llmops.tasks.training.models import planned_model
from llmops.tasks.training.paying import too_much
from llmops.tasks.training.promoting import gated
from llmops.tasks.training.ranking import quiet
from llmops.tasks.training.registering import registered
from llmops.tasks.training.run import model_recorded, run_model_training, shown
from llmops.tasks.training.spec import TrainSpec
from llmops.tasks.training.sweep import (
    Sweep,
    SweepPoint,
    SweepRow,
    SweepTable,
    best,
    higher_is_better,
)

DONE = "outcome.json"
Prefect = tuple[str | None, str | None]


def planned_sweep(home: Path, spec: TrainSpec) -> ModelOutcome:
    """How many trainings, and what all of them would cost. Nothing is sent or written."""
    points = list(_sweep(spec).points(spec.trainer))
    plans = [planned_model(home, _of(spec, each)) for each in points]
    if not plans[0].dataset.rows.get("validation"):
        data = f"{plans[0].dataset.name} v{plans[0].dataset.version}"
        raise UsageError(
            f"{data} has no validation split, by which a sweep chooses",
            hint="give the data set more rows, or split.validation a larger share",
        )
    there = sum(finished(plan) is not None for plan in plans)
    costs = [plan.estimate_usd for plan in plans]
    known = [cost for cost in costs if cost is not None]
    total = sum(known) if len(known) == len(costs) else None
    tokens = sum(plan.estimate_tokens for plan in plans)
    said = [f"{len(points)} trainings"]
    said += [f"{there} of them done already"] * bool(there)
    if tokens:
        price = "nobody knows the price" if total is None else f"${total:.4f} to pay in all"
        said += [f"{tokens:,} tokens in all epochs", price]
    limit = too_much(home, spec, TrainingCost(tokens, total)) if tokens else ""
    return plans[0].model_copy(
        update={
            "reason": ", ".join(said),
            "estimate_tokens": tokens,
            "estimate_usd": total,
            "trainings": len(points),
            "warnings": [limit] if limit else [],
        }
    )


@contextmanager
def sweep_run(home: Path, spec: TrainSpec) -> Iterator[TrainingTracker]:
    """The run in MLflow above those of the points. Raises Blocked where all of them together may
    cost more than there is, before the first.
    """
    plan = planned_sweep(home, spec)
    if plan.warnings:
        said = f"{plan.warnings[0]}; nothing was sent"
        raise Blocked(said, hint="raise budget.usd, or try less")
    told = {"name": spec.name, "train": shown(spec.trainer)}
    told["sweep"] = _sweep(spec).model_dump(mode="json")
    with TrainingTracker(home, f"{spec.name} training", f"{spec.name} sweep", told) as tracker:
        yield tracker


def one_point(
    home: Path, spec: TrainSpec, parent: str, point: SweepPoint, tell: Tell, prefect: Prefect
) -> ModelOutcome:
    """A training of a sweep, below its run in MLflow; as it was, where it is finished. Raises what
    the trainer raises.
    """
    mine = _of(spec, point)
    known = finished(planned_model(home, mine))
    if known is not None:
        if known.mlflow_run_id:
            put_below(home, known.mlflow_run_id, parent)
        return known
    outcome = run_model_training(home, mine, tell, prefect, below=(parent, point.title))
    if outcome.status != "trained":
        raise LlmopsError(f"a sweep needs trained models: {outcome.reason}")
    path = Path(outcome.folder) / DONE
    new = path.with_suffix(".new")
    new.write_text(outcome.model_dump_json(), encoding="utf-8")
    new.replace(path)
    return outcome


def finished(plan: ModelOutcome) -> ModelOutcome | None:
    """What a training came to before, where all its files are there: nothing of it is paid again.
    None where it is not finished.
    """
    path = Path(plan.folder) / DONE
    if not path.is_file():
        return None
    try:
        outcome = ModelOutcome.model_validate_json(path.read_bytes())
    except ValidationError:  # cut short, or of another release: it is done again
        return None
    there = all((Path(plan.folder) / name).exists() for name in outcome.files)
    if outcome.model and Path(outcome.model).is_relative_to(plan.folder):
        there = there and Path(outcome.model).exists()
    return outcome.model_copy(update={"cost_usd": 0.0, "seconds": 0.0}) if there else None


def chosen(
    home: Path,
    spec: TrainSpec,
    tracker: TrainingTracker,
    outcomes: Sequence[ModelOutcome],
    prefect: Prefect,
) -> ModelOutcome:
    """The best by the validation split, registered, with the table of all. Raises LlmopsError where
    the trainer gives nothing to choose by.
    """
    sweep, points = _sweep(spec), list(_sweep(spec).points(spec.trainer))
    metric = sweep.judged_by(outcomes[0].figures)
    rows = [_row(point, each, metric) for point, each in zip(points, outcomes, strict=True)]
    place = best(rows, metric)
    rows[place] = rows[place].model_copy(update={"chosen": True})
    winner = outcomes[place]
    if winner.mlflow_run_id:
        winner = registered(home, winner, shown(points[place].spec), winner.mlflow_run_id)
    winner = gated(home, _of(spec, points[place]), winner, quiet)
    told = f"{points[place].title} is the best of {len(rows)} by {metric} on the validation split"
    outcome = winner.model_copy(
        update={
            "reason": f"{told}: {rows[place].value:g}; {winner.reason}",
            "trainings": len(rows),
            "cost_usd": sum(each.cost_usd for each in outcomes),
            "seconds": round(sum(each.seconds for each in outcomes), 2),
            "prefect_run_id": prefect[0],
            "sweep": SweepTable(
                metric=metric,
                higher_is_better=higher_is_better(metric),
                trained=sum(each.seconds > 0 for each in outcomes),
                points=tuple(rows),
            ),
        }
    )
    return model_recorded(home, tracker, outcome, prefect[1])


def _row(point: SweepPoint, outcome: ModelOutcome, metric: str) -> SweepRow:
    if metric not in outcome.figures:
        raise LlmopsError(f"the training {point.title} gave no figure {metric}")
    return SweepRow(
        options=point.options,
        seed=point.seed,
        value=outcome.figures[metric],
        figures=outcome.figures,
        model=outcome.model,
        folder=outcome.folder,
        cost_usd=outcome.cost_usd,
        seconds=outcome.seconds,
        mlflow_run_id=outcome.mlflow_run_id,
    )


def _of(spec: TrainSpec, point: SweepPoint) -> TrainSpec:
    return spec.model_copy(update={"trainer": point.spec, "sweep": None})


def _sweep(spec: TrainSpec) -> Sweep:
    if spec.sweep is None:
        raise UsageError("the config has no sweep", hint="train: {sweep: {over: {…: [1, 3]}}}")
    return spec.sweep
