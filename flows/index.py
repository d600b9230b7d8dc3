"""The index flow: from sources to a published version of a knowledge base, in the steps of
docs/knowledge.md, "One build".
"""

from contextlib import ExitStack
from pathlib import Path
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from llmops.configs.index import IndexConfig
from llmops.configs.recording import recorded_in_mlflow
from llmops.flows.calling import Given, callable_with, settled
from llmops.flows.runners import HERE, working
from llmops.tasks import index as tasks
from llmops.tasks import index_end as end
from llmops.tasks import processes
from llmops.tasks.errors import Blocked, BudgetExceeded
from llmops.tasks.finish import careful, finish, name_run, run_id
from llmops.tasks.knowledge import workers
from llmops.tasks.knowledge.build import Build, Specs
from llmops.tasks.knowledge.changes import Staged
from llmops.tasks.knowledge.handle import Handle
from llmops.tasks.knowledge.outcome import Outcome, Steps, outcome_of
from llmops.tasks.knowledge.plan import Plan, guard
from llmops.tasks.knowledge.publish import rejected_on_failure
from llmops.tasks.knowledge.stage import all_carried, nothing_changes
from llmops.tasks.knowledge.start import begin, start, totals
from llmops.tasks.ledger.leases import Lease
from llmops.tasks.schedules import covered, turn, waiting_time
from llmops.tasks.tracking import check

MANY = 1000
"""Documents whose work is worth processes beside this one from the beginning."""
RUNNER: TaskRunner[Any] = ThreadPoolTaskRunner(max_workers=4)


def returned(content: dict[str, Any]) -> Outcome:
    """What a call returns. Raises Blocked or BudgetExceeded where that is how the build ended."""
    outcome = Outcome.model_validate(content)
    if outcome.failed:
        stop = Blocked if outcome.status == "blocked" else BudgetExceeded
        raise stop(outcome.reason or outcome.status, hint=outcome.hint or "")
    return outcome


@callable_with(IndexConfig, returned)
@flow(name="index", task_runner=RUNNER)
def index(
    config: Given[IndexConfig],
    home: Path | str | None = None,
    allow_deletes: bool = False,
    full: bool = False,
    wait_seconds: float = 0,
) -> State[Any]:
    """Build the next version of a knowledge base, and publish it when it is at least as good as the
    live one.
    """
    config, home = settled(config, home, IndexConfig)
    if passed := covered(home, "index", config.knowledge_base):
        return passed
    passed, wait_seconds = turn(home, config.knowledge_base, waiting_time(wait_seconds))
    if passed:
        return passed
    check(home)
    handle = Handle(home=home, name=config.knowledge_base)
    steps = begin(handle, run_id(), gated=config.gate is not None)
    with ExitStack() as recorded:  # whoever holds the lease next finds all of this run written down
        with steps.ending():
            lease = recorded.enter_context(handle.hold(steps.run_id, wait_seconds))
            specs = Specs.model_validate(config)
            build = steps.build = start(handle, specs, run_id=steps.run_id, full=full)
            name_run(f"{handle.name} v{build.version}", *tasks.tags(config.sources, handle.name))
            tasks.recover(build, lease)
            plan = planned(config, build, steps, allow_deletes)
            with working(config.runner if plan.todo else HERE, lambda: workers.check(build, lease)):
                plan, staged = prepared(config, build, plan, steps)
            released(config, build, lease, plan, staged, steps)
        record = careful(end.recorded(handle, recorded_in_mlflow(config)))
        outcome = outcome_of(steps, steps.seconds)
        return finish(home, outcome, end.named, record, careful(end.shown(handle)))


def planned(config: IndexConfig, build: Build, steps: Steps, allow_deletes: bool) -> Plan:
    """List, compare, show, and stop before anything is spent where a guard says so."""
    plan = steps.plan = tasks.plan(build)
    steps.totals = totals(build)
    tasks.show_plan(build, plan, steps.totals)
    guard(plan, config.limits.max_delete_fraction, allow_deletes)
    steps.guarded = True
    if steps.gated:
        steps.unanswerable = tasks.check_golden(build, plan)
    return plan


def prepared(
    config: IndexConfig, build: Build, plan: Plan, steps: Steps
) -> tuple[Plan, list[Staged]]:
    """Collect, clean, validate and chunk; the whole table and the budget before anything is paid;
    then embed, and find what that changes.
    """
    if config.runner.name == HERE.name:
        processes.allow(now=len(plan.todo) >= MANY)
    plan, collected = tasks.corpus_pass(build, plan)
    checked = tasks.chunked(build, collected)
    batches, steps.expectations = tasks.check_whole(build, plan, checked)
    steps.check_failures(build, plan, config.limits.failure_budget)
    steps.embedded = tasks.embedded(build, batches)
    steps.check_failures(build, plan, config.limits.failure_budget)
    steps.final, steps.staged = tasks.compared(build, plan, steps.embedded)
    all_carried(build, steps.final, steps.staged)
    return steps.final, steps.staged


def released(
    config: IndexConfig, build: Build, lease: Lease, plan: Plan, staged: list[Staged], steps: Steps
) -> None:
    """Stage beside the live version, seal, pass the gate, publish, tidy; or nothing of it, where
    nothing changes.
    """
    if nothing_changes(build, plan, staged):
        tasks.settle(build, lease, plan, staged)
        steps.settled = True
        steps.gate = tasks.gate_of_live(build) if steps.gated else None
        return
    steps.opened = True
    tasks.open_version(build, lease, config.recorded())
    with rejected_on_failure(steps):
        for part in staged:  # one after the other: a collection has one writer
            tasks.stage(build, part)
        steps.gone = tasks.retire(build, plan.leaving)
        snapshot = tasks.seal(build, outcome_of(steps).chunks["total"])
        if steps.gated:
            steps.gate, steps.weight = tasks.gated(build, snapshot)
            steps.gate.must_open()
    tasks.publish(build, lease, plan, staged, outcome_of(steps), snapshot, steps.weight)
    steps.published = True
    steps.tidying = tasks.tidied(build, lease, config.limits.keep_versions)
