"""The nightly flow: the configs of a night, one after the other, each as a flow run of its own."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State

from llmops.configs.nightly import MOST, NEVER, STAGES, NightlyConfig
from llmops.configs.reading import named_in, read
from llmops.configs.section import FlowConfig
from llmops.configs.serve import ServeConfig
from llmops.flows.calling import Given, callable_with, settled
from llmops.flows.running import run_connected
from llmops.tasks import nightly as tasks
from llmops.tasks.errors import UsageError
from llmops.tasks.finish import careful, finish, name_run, run_id, tell
from llmops.tasks.nights.night import Night, NightPart, broken, night_of, part_of, skipped
from llmops.tasks.nights.standing import Standing
from llmops.tasks.schedules import covered, waiting_time


def returned(content: dict[str, Any]) -> Night:
    """What a call returns, also after a night in which everything failed: its `parts` say what."""
    return Night.model_validate(content)


@callable_with(NightlyConfig, returned)
@flow(name="nightly")
def nightly(config: Given[NightlyConfig], home: Path | str | None = None) -> State[Any]:
    """Build, evaluate, score what was answered, choose what people look at, let old traces go; what
    failed stops nothing that can go on.
    """
    config, home = settled(config, home, NightlyConfig)
    if passed := covered(home, "nightly", config.name):
        return passed
    began, standing = time.perf_counter(), Standing(home)
    title = f"{config.name} {tasks.today()}"
    name_run(title, "flow:nightly")
    parts: list[NightPart] = []
    for kind, file in config.listed():
        options = options_of(kind, config)
        parts.append(one_part(home, kind, file, standing, options))
        tell(f"{kind} {parts[-1].name}: {parts[-1].status}: {parts[-1].headline}")
    night = night_of(config.name, parts, run_id(), round(time.perf_counter() - began, 2))
    return finish(
        home, night, careful(tasks.recorded(home, title, config.recorded())), careful(tasks.shown)
    )


def prune(home: Path, config: FlowConfig) -> dict[str, object]:
    """What came of the old traces of an application; nothing for any other config."""
    if not isinstance(config, ServeConfig):
        return {}
    kept = config.traces
    if kept.most_days is None:
        raise UsageError(NEVER, hint=MOST)
    return tasks.pruned(home, config.app, kept.most_days, kept.least_days)


def options_of(kind: str, config: NightlyConfig) -> dict[str, float]:
    """What a part has to know of the night: a build, how long it may wait for another one; a
    monitor, how often it looks, which its rate of false alarms rests on.
    """
    if kind == "index":
        return {"wait_seconds": waiting_time(0)}
    if kind == "monitor" and config.schedule:
        return {"looks_per_year": config.schedule.times_a_year()}
    return {}


def one_part(
    home: Path, kind: str, file: Path, standing: Standing, options: Mapping[str, float]
) -> NightPart:
    """A config by its flow; no failure of it, ours or its own, ends the night."""
    name = named_in(file)[1] or file.stem
    try:
        config = read(file, STAGES[kind])
        name = standing.name_of(config)
        missing, notes = standing.before(config)
        if missing:
            return skipped(kind, name, file, missing)
        ended = prune(home, config) or run_connected(home, config, **options)
        part = part_of(kind, name, file, ended)
        part = part.model_copy(update={"notes": [*notes, *part.notes]})
    except Exception as error:  # noqa: BLE001 - whatever it is, the next part is not to blame
        part = broken(kind, name, file, error)
    standing.after(part)
    return part
