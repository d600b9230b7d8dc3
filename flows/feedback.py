"""The feedback flow: from what people were answered, and said of it, to questions, cases, curated
answers and training rows.
"""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State

from llmops.configs.feedback import FeedbackConfig
from llmops.flows.calling import Given, callable_with, settled
from llmops.tasks import feedback as tasks
from llmops.tasks.datasets.outcome import FeedbackOutcome, feedback_outcome
from llmops.tasks.finish import careful, finish, name_run, run_id
from llmops.tasks.schedules import covered
from llmops.tasks.tracking import check


def returned(content: Mapping[str, object]) -> FeedbackOutcome:
    """What a call returns."""
    return FeedbackOutcome.model_validate(content)


@callable_with(FeedbackConfig, returned)
@flow(name="feedback")
def feedback(config: Given[FeedbackConfig], home: Path | str | None = None) -> State[Any]:
    """Look, choose, ask reviewers, and let what they settled on flow back."""
    config, home = settled(config, home, FeedbackConfig)
    if passed := covered(home, "feedback", config.name):
        return passed
    check(home)
    began, spec, review = time.perf_counter(), config.project_spec(), config.review
    name_run(config.name, "flow:feedback", f"app:{spec.app}")
    looked = tasks.look(home, spec.app, config.days, config.triage.embed, config.triage.topics)
    counts = tasks.triage(home, spec, config.days, config.rules(), review.reviewers, looked)
    exchanged = tasks.exchange(home, spec) if review.mlflow else None
    queue = tasks.agreement(home, spec, exchanged)
    written = tasks.write(home, spec)
    seconds = round(time.perf_counter() - began, 2)
    outcome = feedback_outcome(config.name, spec.app, counts, queue, written, run_id(), seconds)
    outcome = outcome.warned(*tasks.remarks(home, spec.app, exchanged))
    return finish(home, outcome, careful(tasks.recorded(home)), careful(tasks.shown))
