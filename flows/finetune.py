"""The finetune flow: from what people said to data sets that trainers can trust, in the steps of
docs/finetuning.md.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from llmops.configs.finetune import FinetuneConfig
from llmops.flows.calling import Given, callable_with, settled
from llmops.tasks import finetune as tasks
from llmops.tasks.datasets.training.outcome import FinetuneOutcome
from llmops.tasks.datasets.training.publishing import one_at_a_time
from llmops.tasks.datasets.training.spec import FinetuneSpec
from llmops.tasks.datasets.training.steps import FinetuneSteps, outcome_of, planned, rows_in
from llmops.tasks.errors import Blocked
from llmops.tasks.finish import careful, finish, name_run, run_id
from llmops.tasks.schedules import covered
from llmops.tasks.tracking import check

RUNNER: TaskRunner[Any] = ThreadPoolTaskRunner(max_workers=2)


def returned(content: Mapping[str, object]) -> FinetuneOutcome:
    """What a call returns. Raises Blocked where nothing was published."""
    outcome = FinetuneOutcome.model_validate(content)
    if outcome.failed:
        raise Blocked(outcome.reason or outcome.status, hint=outcome.hint or "")
    return outcome


@callable_with(FinetuneConfig, returned)
@flow(name="finetune", task_runner=RUNNER)
def finetune(
    config: Given[FinetuneConfig], home: Path | str | None = None, plan: bool = False
) -> State[Any]:
    """Collect, check, scrub, leave out what stands there twice or gives an evaluation away, split,
    prove, export, publish.
    """
    config, home = settled(config, home, FinetuneConfig)
    if passed := covered(home, "finetune", config.name):
        return passed
    check(home)
    name_run(config.name, "flow:finetune")
    spec = config.finetune_spec(home, run_id() or "local")
    with one_at_a_time(spec):
        steps = FinetuneSteps(parts=tasks.cut(spec))
        if plan:
            return finish(home, planned(spec, steps, run_id()))
        try:
            prepared(spec, steps)
            released(spec, steps)
        except Blocked as error:
            steps.stopped(error)
        outcome = outcome_of(spec, steps, run_id())
    record = careful(tasks.recorded(home, config.recorded()))
    return finish(home, outcome, record, careful(tasks.shown))


def prepared(spec: FinetuneSpec, steps: FinetuneSteps) -> None:
    """From sources to rows that may be trained on. What is not wanted is counted, step by step."""
    with steps.timed("collect"):
        steps.collected = tasks.collected(spec, steps.parts)
    with steps.timed("check"):
        steps.checked = tasks.checked(spec, steps.collected)
        steps.consistent = tasks.compare(spec, rows_in(steps.checked))
    with steps.timed("scrub"):
        steps.scrubbed = tasks.scrubbed(spec, steps.consistent.rows)
    with steps.timed("dedup"):
        steps.unique = tasks.dedup(spec, rows_in(steps.scrubbed))
    with steps.timed("decontaminate"):
        steps.clean = tasks.decontaminate(spec, steps.unique.rows)
    steps.must_have_rows()


def released(spec: FinetuneSpec, steps: FinetuneSteps) -> None:
    """Split, prove, write every format, and let the version appear at once."""
    with steps.timed("split"):
        steps.split = tasks.split(spec, steps.clean.rows)
        tasks.prove(spec, steps.split)
    with steps.timed("export"):
        steps.exported = tasks.exported(spec, steps.split)
    with steps.timed("publish"):
        steps.published = tasks.publish(spec, steps)
