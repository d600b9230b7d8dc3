"""A model that was trained, as a version in the registry of trained models; and, once, the model
that it was made from: what a rollback leads to where nothing else was live.
"""

from collections.abc import Mapping
from pathlib import Path

from llmops.tasks.errors import LlmopsError
from llmops.tasks.models.files import hashes, portable
from llmops.tasks.models.registry import register
from llmops.tasks.models.version import BASE, ModelKind, NewModel, RegisteredModel
from llmops.tasks.training.model_outcome import ModelOutcome


def registered(
    home: Path, outcome: ModelOutcome, trainer: Mapping[str, object], run_id: str
) -> ModelOutcome:
    """With its version in the registry. Nothing becomes live by that; where the registry takes
    none, the outcome says so. A model that no config can name is none.
    """
    if not (outcome.llm or outcome.embed):
        return outcome
    try:
        if outcome.base:
            base(home, outcome, run_id)
        version = register(home, _new(home, outcome, trainer), run_id)
    except LlmopsError as error:
        return outcome.warned(f"the model is not in the registry of trained models: {error}")
    return outcome.model_copy(update={"registered": version.uri})


def base(home: Path, outcome: ModelOutcome, run_id: str) -> RegisteredModel:
    """The model that it was made from, as a version. Raises LlmopsError."""
    spec = portable(home, outcome.base)
    new = NewModel(
        name=outcome.name,
        kind=_kind(outcome),
        spec=spec,
        files=hashes(home, spec),
        trainer={"name": BASE},
    )
    return register(home, new, run_id)


def _new(home: Path, outcome: ModelOutcome, trainer: Mapping[str, object]) -> NewModel:
    spec, dataset = portable(home, outcome.llm or outcome.embed), outcome.dataset
    return NewModel(
        name=outcome.name,
        kind=_kind(outcome),
        spec=spec,
        files=hashes(home, spec),
        trainer=trainer,
        dataset=f"{dataset.name} v{dataset.version}",
        dataset_sha256=dataset.sha256,
        folder=Path(outcome.folder).relative_to(home).as_posix(),
    )


def _kind(outcome: ModelOutcome) -> ModelKind:
    return "llm" if outcome.llm else "embedder"
