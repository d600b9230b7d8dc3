"""A training from its start to its record in MLflow."""

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from llmops.tasks.errors import LlmopsError
from llmops.tasks.knowledge import rankings
from llmops.tasks.knowledge.handle import Handle
from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.trainers import silent
from llmops.tasks.tracking import TrainingTracker, run_url
from llmops.tasks.tracking.training import TrainingRecord
from llmops.tasks.training.alone import one_at_a_time
from llmops.tasks.training.crossfit import Tell
from llmops.tasks.training.model_outcome import ModelOutcome
from llmops.tasks.training.model_summary import model_markdown
from llmops.tasks.training.models import train_model
from llmops.tasks.training.outcome import TrainOutcome
from llmops.tasks.training.promoting import DECISION, gated
from llmops.tasks.training.ranking import quiet, train_ranking
from llmops.tasks.training.registering import registered
from llmops.tasks.training.spec import TrainSpec
from llmops.tasks.training.summary import training_markdown

MODEL = "adapter.safetensors"


def run_training(
    home: Path,
    spec: TrainSpec,
    tell: Tell = quiet,
    prefect: tuple[str | None, str | None] = (None, None),
) -> TrainOutcome:
    """Train, with each step in MLflow as it comes; where MLflow fails, the training goes on and
    the outcome says so. `prefect`: id and address of the flow run.
    """
    trainer, trouble = spec.build(), ""
    with ExitStack() as stack:
        tracker: TrainingTracker | None = None
        try:
            experiment = f"{trainer.knowledge_base} ranking"
            told = {"name": spec.name, "train": spec.trainer.short()}
            tracker = stack.enter_context(TrainingTracker(home, experiment, spec.name, told))
        except LlmopsError as error:
            trouble = str(error)
        step = tracker.step if tracker else silent
        # two at once would both be compared with the ranking that was live before either
        stack.enter_context(
            one_at_a_time(home / "trainings" / f".ranking-{trainer.knowledge_base}")
        )
        outcome, content = train_ranking(home, spec, tell, step, prefect[0])
        if tracker is None:
            return outcome.warned(f"the training is not recorded: {trouble}")
        return _recorded(home, spec, tracker, outcome, content, prefect[1])


def run_model_training(
    home: Path,
    spec: TrainSpec,
    tell: Tell = quiet,
    prefect: tuple[str | None, str | None] = (None, None),
    below: tuple[str, str] | None = None,
) -> ModelOutcome:
    """As `run_training`, of a model from a data set, which is registered. `below`: the run of a
    sweep, and the name of this one in it; which model is registered, the sweep decides.
    """
    with ExitStack() as stack:
        tracker: TrainingTracker | None = None
        trouble = ""
        try:
            told = {"name": spec.name, "train": shown(spec.trainer)}
            experiment = f"{spec.name} training"
            parent, name = below or ("", spec.name)
            new = TrainingTracker(home, experiment, name, told, parent)
            tracker = stack.enter_context(new)
        except LlmopsError as error:
            trouble = str(error)
        outcome = train_model(home, spec, tell, tracker.step if tracker else silent, prefect[0])
        if tracker is None:
            outcome = outcome.warned(f"the training is not recorded, nor its model: {trouble}")
            return gated(home, spec, outcome, tell) if below is None else outcome
        if below is None:
            outcome = registered(home, outcome, shown(spec.trainer), tracker.run_id)
            outcome = gated(home, spec, outcome, tell)
        return model_recorded(home, tracker, outcome, prefect[1])


def shown(trainer: Spec) -> dict[str, object]:
    """A trainer as it is recorded: without what is secret."""
    return {name: value for name, value in trainer.short().items() if name != "api_key"}


def model_recorded(
    home: Path, tracker: TrainingTracker, outcome: ModelOutcome, url: str | None
) -> ModelOutcome:
    """With its run in MLflow, which says what it came to."""
    dataset, summary = outcome.dataset, model_markdown(outcome)
    files = {name: (Path(outcome.folder) / name).read_bytes() for name in outcome.files}
    if outcome.embedder_gate:
        files[DECISION] = (Path(outcome.folder) / DECISION).read_bytes()
    if outcome.evaluation:
        files["evaluate.yaml"] = Path(outcome.evaluation).read_bytes()
    record = TrainingRecord(
        numbers={
            **outcome.figures,
            "cost_usd": outcome.cost_usd,
            "estimate_tokens": outcome.estimate_tokens,
            "seconds": outcome.seconds,
            "rows": dataset.rows,
            **(outcome.embedder_gate.figures() if outcome.embedder_gate else {}),
        },
        note=summary,
        tags={
            "status": outcome.status,
            "model": outcome.model or "none",
            "registered": outcome.registered or "none",
            "trainer": outcome.trainer,
            "dataset": f"{dataset.name} v{dataset.version}",
            "dataset_sha256": dataset.sha256,
            **({"prefect_url": url} if url else {}),
        },
        files={"report.md": summary.encode(), **files},
        dataset=f"{dataset.name} v{dataset.version}",
        dataset_sha256=dataset.sha256,
        dataset_profile={"rows": dataset.rows, "tokens": dataset.tokens},
    )
    tracker.end(record)
    links = outcome.links | {"mlflow": run_url(home, tracker.run_id)}
    return outcome.model_copy(update={"mlflow_run_id": tracker.run_id, "links": links})


def _recorded(
    home: Path,
    spec: TrainSpec,
    tracker: TrainingTracker,
    outcome: TrainOutcome,
    content: bytes | None,
    url: str | None,
) -> TrainOutcome:
    numbers: Mapping[str, object] = {
        **outcome.figures.model_dump(exclude={"worst", "tags", "first", "test_first"}),
        "labels": outcome.labels.model_dump(),
        "learnt": outcome.learnt,
        "seconds": outcome.seconds,
        "tags": outcome.figures.tags,
    }
    tags = {
        "knowledge_base": outcome.knowledge_base,
        "status": outcome.status,
        "ranking": str(outcome.ranking),
        "model_sha256": outcome.model_sha256 or "none",
        "dataset_sha256": outcome.dataset_sha256,
        **({"prefect_url": url} if url else {}),
    }
    summary = training_markdown(outcome)
    record = TrainingRecord(
        numbers=numbers,
        note=summary,
        tags=tags,
        files={"report.md": summary.encode(), **({MODEL: content} if content else {})},
        dataset=f"{spec.name} judged questions",
        dataset_sha256=outcome.dataset_sha256,
        dataset_profile=outcome.labels.model_dump(),
    )
    tracker.end(record)
    if outcome.ranking is not None:
        kb = Handle(home=home, name=outcome.knowledge_base)
        rankings.recorded(kb, outcome.ranking, tracker.run_id)
    links = outcome.links | {"mlflow": run_url(home, tracker.run_id)}
    return outcome.model_copy(update={"mlflow_run_id": tracker.run_id, "links": links})
