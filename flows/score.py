"""The score flow: a sample of what people were really answered, scored as an evaluation would."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State

from llmops.configs.score import ScoreConfig
from llmops.flows.calling import Given, callable_with, settled
from llmops.tasks import score as tasks
from llmops.tasks.finish import careful, finish, name_run, run_id
from llmops.tasks.monitoring.outcome import LiveScores, live_scores_of
from llmops.tasks.schedules import covered
from llmops.tasks.tracking import check


def returned(content: Mapping[str, object]) -> LiveScores:
    """What a call returns."""
    return LiveScores.model_validate(content)


@callable_with(ScoreConfig, returned)
@flow(name="score")
def score(config: Given[ScoreConfig], home: Path | str | None = None) -> State[Any]:
    """Choose traces, score them, write the scores on the traces and as a curve over time."""
    config, home = settled(config, home, ScoreConfig)
    if passed := covered(home, "score", config.app):
        return passed
    check(home)
    began, spec = time.perf_counter(), config.live_spec()
    name_run(f"{config.app} live", "flow:score", f"app:{config.app}")
    ids = tasks.choose(home, spec)
    scored = tasks.score(home, spec, ids)
    seconds = round(time.perf_counter() - began, 2)
    outcome = live_scores_of(home, spec, scored, run_id(), seconds)
    return finish(
        home,
        outcome,
        careful(tasks.assessed(home)),
        careful(tasks.recorded(home)),
        careful(tasks.shown),
    )
