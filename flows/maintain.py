"""The maintain flow: what is no longer needed is freed, what is kept is backed up."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State

from llmops.configs.maintain import MaintainConfig
from llmops.flows.calling import Given, callable_with, settled
from llmops.tasks import maintain as tasks
from llmops.tasks.finish import careful, finish, name_run, run_id
from llmops.tasks.maintenance.house import MaintainOutcome, bases, maintain_outcome
from llmops.tasks.schedules import covered


def returned(content: Mapping[str, object]) -> MaintainOutcome:
    """What a call returns."""
    fields = MaintainOutcome.model_fields
    return MaintainOutcome.model_validate({k: v for k, v in content.items() if k in fields})


@callable_with(MaintainConfig, returned)
@flow(name="maintain")
def maintain(config: Given[MaintainConfig], home: Path | str | None = None) -> State[Any]:
    """Free, forget, back up; a part that fails stops no other."""
    config, home = settled(config, home, MaintainConfig)
    if passed := covered(home, "maintain", config.name):
        return passed
    began, spec = time.perf_counter(), config.spec()
    name_run(config.name, "flow:maintain")
    parts = [tasks.free(home, name, spec.paid) for name in (bases(home) if spec.free else [])]
    parts += [tasks.forget(home, what, spec.policy) for what in spec.work()]
    if spec.backup is not None:
        parts.append(tasks.backup(home, spec.backup, spec.keep))
    seconds = round(time.perf_counter() - began, 2)
    outcome = maintain_outcome(home, config.name, parts, run_id(), seconds)
    return finish(home, outcome, careful(tasks.shown))
