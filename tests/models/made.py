"""A home with a registry, and models that were trained in it."""

from pathlib import Path
from typing import Any

from llmops.tasks.models.files import hashes, portable
from llmops.tasks.models.moving import ModelDecision
from llmops.tasks.models.registry import register
from llmops.tasks.models.version import NewModel, RegisteredModel
from llmops.tasks.tracking.store import experiment_of, opened, tracking_uri

DECISION: ModelDecision = {"id": "d-1", "sha256": "f" * 64}


def run_of(home: Path) -> str:
    """A run that models can belong to."""
    with opened(home, tracking_uri(home)) as client:
        experiment = experiment_of(client, "helpdesk training", None)
        return str(client.create_run(experiment).info.run_id)


def trained(home: Path, name: str = "helpdesk", model: str = "ft:1", **more: Any) -> NewModel:
    """An llm at a service, unless `spec` names another one."""
    spec = portable(home, more.pop("spec", {"name": "openai", "model": model}))
    given = {"kind": "llm", "trainer": {"name": "openai"}, "dataset": "helpdesk v1", **more}
    return NewModel(name=name, spec=spec, files=hashes(home, spec), **given)


def made(home: Path, *models: NewModel) -> list[RegisteredModel]:
    """Registered, in this order, by one run."""
    run = run_of(home)
    return [register(home, each, run) for each in models]
