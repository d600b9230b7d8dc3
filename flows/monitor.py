"""The monitor flow: what people asked, what they got, what has changed, and what has to be done."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State

from llmops.configs.monitor import MonitorConfig
from llmops.flows.calling import Given, callable_with, settled
from llmops.tasks import monitor as tasks
from llmops.tasks.finish import careful, finish, name_run, run_id
from llmops.tasks.monitoring.monitor_outcome import MonitorOutcome, monitor_outcome
from llmops.tasks.schedules import covered


def returned(content: Mapping[str, object]) -> MonitorOutcome:
    """What a call returns."""
    return MonitorOutcome.model_validate(content)


@callable_with(MonitorConfig, returned)
@flow(name="monitor")
def monitor(
    config: Given[MonitorConfig],
    home: Path | str | None = None,
    looks_per_year: float | None = None,
) -> State[Any]:
    """Read the traffic, look at the knowledge bases, compare the texts, and write the report."""
    config, home = settled(config, home, MonitorConfig)
    if passed := covered(home, "monitor", config.app):
        return passed
    began, spec = time.perf_counter(), config.monitor_spec(looks_per_year)
    name_run(f"{config.app} monitor", "flow:monitor", f"app:{config.app}")
    collected = tasks.collect(home, spec, run_id() or "local")
    try:
        bases = tasks.bases(home, collected)
        analysed = tasks.analyse(home, spec, collected)
    finally:
        tasks.drop(collected)
    seconds = round(time.perf_counter() - began, 2)
    outcome = monitor_outcome(spec, collected, bases, analysed, run_id(), seconds)
    return finish(
        home,
        outcome,
        careful(tasks.recorded(home)),
        careful(tasks.reported(home)),
        careful(tasks.attached(home)),
        careful(tasks.shown),
    )
