"""The train flow: from what was judged to a model that is served where its gate says so."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State

from llmops.configs.train import TrainConfig
from llmops.flows.calling import Given, callable_with, settled
from llmops.flows.running import run_connected
from llmops.tasks import train as tasks
from llmops.tasks.finish import careful, finish, name_run
from llmops.tasks.schedules import covered
from llmops.tasks.tracking import check
from llmops.tasks.training.held_cases import HeldCases
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
    name_run(config.name, "flow:train")
    spec, held = config.train_spec(), held_cases(config, home)
    if plan:
        return finish(home, tasks.plan(home, spec, held), careful(tasks.shown))
    outcome: tasks.Outcome = tasks.swept(home, spec) if spec.sweep else tasks.train(home, spec)
    if held is not None and isinstance(outcome, ModelOutcome):
        outcome = gated(config, home, outcome, held)
    return finish(home, outcome, careful(tasks.shown))


def held_cases(config: TrainConfig, home: Path) -> HeldCases | None:
    """The cases that the gate decides on; None without a gate."""
    if config.gate is None:
        return None
    wanted = config.gate_config(config.gate.cases).evaluation_spec()
    return tasks.held(home, config.train_spec(), wanted, config.gate.cases)


def gated(config: TrainConfig, home: Path, outcome: ModelOutcome, held: HeldCases) -> ModelOutcome:
    """The evaluation that compares the new model with the live one, as a flow run of its own; the
    alias moves where it says so.
    """
    sides = tasks.compared(home, outcome)
    if sides is None:
        return tasks.standing(home, outcome)
    arms = sides.llm(sides.live), sides.llm(sides.candidate)
    evaluation = config.gate_config(held.files, *arms)
    content = run_connected(home, evaluation, accept_cases=True)
    return careful(tasks.told(home))(tasks.decided(home, outcome, sides, content, held))
