"""The train flow: from what was judged to a model that is served where its gate says so."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State

from llmops.configs.train import TrainConfig
from llmops.flows.calling import Given, callable_with, settled
from llmops.tasks import train as tasks
from llmops.tasks.finish import careful, finish, name_run
from llmops.tasks.schedules import covered
from llmops.tasks.tracking import check
from llmops.tasks.training.model_outcome import ModelOutcome
from llmops.tasks.training.outcome import TrainOutcome


def returned(content: Mapping[str, object]) -> TrainOutcome | ModelOutcome:
    """What a call returns."""
    made = TrainOutcome if "knowledge_base" in content else ModelOutcome
    return made.model_validate(content)


@callable_with(TrainConfig, returned)
@flow(name="train")
def train(
    config: Given[TrainConfig], home: Path | str | None = None, plan: bool = False
) -> State[Any]:
    """Train, decide, and show what it came to."""
    config, home = settled(config, home, TrainConfig)
    if passed := covered(home, "train", config.name):
        return passed
    check(home)
    name_run(config.name)
    outcome = (tasks.plan if plan else tasks.train)(home, config.train_spec())
    return finish(home, outcome, careful(tasks.shown))
