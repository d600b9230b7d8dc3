"""Training a model from a published data set: checked and priced before anything is paid, taken up
again after a crash.
"""

import time
from pathlib import Path

from llmops.tasks.errors import Blocked, UsageError
from llmops.tasks.plugins import digest
from llmops.tasks.plugins.trainers import (
    DatasetTrainer,
    Payment,
    Step,
    TrainedModel,
    TrainingCost,
    TrainingRun,
    silent,
)
from llmops.tasks.traces.trained import TrainingNote, write_note
from llmops.tasks.training.alone import one_at_a_time
from llmops.tasks.training.crossfit import Tell
from llmops.tasks.training.evaluation import write_evaluation
from llmops.tasks.training.model_outcome import ModelOutcome
from llmops.tasks.training.paying import too_much, write_payment
from llmops.tasks.training.published import LearntFrom, learnt_from
from llmops.tasks.training.ranking import quiet
from llmops.tasks.training.spec import TrainSpec

BEGINS = ("model", "base", "adapter")
"""Options of trainers that name what they begin with."""


def planned_model(home: Path, spec: TrainSpec) -> ModelOutcome:
    """What would be trained on, and what it would cost. Nothing is sent or written."""
    trainer, learnt = _given(home, spec)
    trainer.check(learnt.data)
    folder = folder_of(home, spec, trainer, learnt)
    forecast = trainer.forecast(learnt.data, folder)
    outcome = _outcome(spec, trainer, learnt, folder, forecast)
    cost = outcome.estimate_usd
    told = "nobody knows the price" if cost is None else f"${cost:.4f} to pay"
    paid = f", {outcome.estimate_tokens:,} tokens in all epochs, {told}" if forecast else ""
    limit = too_much(home, spec, forecast)
    reason = f"{learnt.told.rows['train']:,} rows of {learnt.data.name} would be trained on{paid}"
    return outcome.model_copy(update={"reason": reason}).warned(*([limit] if limit else []))


def train_model(
    home: Path, spec: TrainSpec, tell: Tell = quiet, step: Step = silent, run_id: str | None = None
) -> ModelOutcome:
    """Train, and say where the model is. Raises Blocked where it may cost more than the budget has,
    or another run is at it, ConfigError where a budget is to be kept and nobody knows the price.
    """
    began = time.perf_counter()
    trainer, learnt = _given(home, spec)
    trainer.check(learnt.data)
    folder = folder_of(home, spec, trainer, learnt)
    payments = dict[str, float]()
    paid_model = str(spec.trainer.options.get("model") or spec.trainer.name)

    def paid(payment: Payment) -> None:
        if write_payment(home, payment, spec.name, paid_model):
            payments[payment.key] = payment.cost_usd

    with one_at_a_time(folder):
        forecast = trainer.forecast(learnt.data, folder)
        if limit := too_much(home, spec, forecast):
            raise Blocked(f"{limit}; nothing was sent", hint="raise budget.usd, or train on less")
        tell(f"{learnt.told.rows['train']:,} rows of {learnt.data.name} are trained on")
        options = [spec.trainer.options.get(name) for name in BEGINS]
        begins = tuple(each for each in options if isinstance(each, str))
        note = TrainingNote(dataset=learnt.told.name, version=learnt.told.version, begins=begins)
        write_note(folder, note)
        made = trainer.train(learnt.data, TrainingRun(folder, step, paid))
        write_note(folder, note.model_copy(update={"model": made.model or ""}))
    outcome = _outcome(spec, trainer, learnt, folder, forecast)
    return _finished(outcome, spec, made).model_copy(
        update={
            "cost_usd": sum(payments.values()),
            "seconds": round(time.perf_counter() - began, 2),
            "prefect_run_id": run_id,
        }
    )


def _finished(outcome: ModelOutcome, spec: TrainSpec, made: TrainedModel) -> ModelOutcome:
    evaluation = None
    if made.llm and made.base:
        evaluation = write_evaluation(Path(outcome.folder), spec.name, made)
    return outcome.warned(*made.warnings).model_copy(
        update={
            "status": "prepared" if made.remark else "trained",
            "reason": made.remark or f"the model is {made.model}",
            "model": made.model or None,
            "llm": dict(made.llm),
            "embed": dict(made.embed),
            "base": dict(made.base),
            "figures": dict(made.figures),
            "files": made.files,
            "evaluation": str(evaluation) if evaluation else None,
        }
    )


def folder_of(home: Path, spec: TrainSpec, trainer: DatasetTrainer, learnt: LearntFrom) -> Path:
    """The same for equal data and options: there an interrupted training is taken up."""
    mine = digest(trainer.identity(), learnt.data.sha256, learnt.data.format)
    return home / "trainings" / spec.name / f"{spec.trainer.name}-{mine[:12]}"


def _given(home: Path, spec: TrainSpec) -> tuple[DatasetTrainer, LearntFrom]:
    trainer = spec.of_dataset()
    if trainer is None:
        raise UsageError(f"the trainer {spec.trainer.name} learns from no data set")
    return trainer, learnt_from(home, spec.name, trainer)


def _outcome(
    spec: TrainSpec,
    trainer: DatasetTrainer,
    learnt: LearntFrom,
    folder: Path,
    forecast: TrainingCost | None,
) -> ModelOutcome:
    return ModelOutcome(
        name=spec.name,
        trainer=spec.trainer.name,
        kind=trainer.kind,
        status="planned",
        reason="",
        dataset=learnt.told,
        folder=str(folder),
        estimate_tokens=forecast.tokens if forecast else 0,
        estimate_usd=forecast.cost_usd if forecast else 0.0,
    )
