"""The index flow: from sources to a published version of a knowledge base, in the steps of
docs/knowledge.md, "One build".
"""

import time
from pathlib import Path
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from llmops.configs.index import IndexConfig
from llmops.tasks import index as tasks
from llmops.tasks.errors import Blocked, BudgetExceeded, LlmopsError
from llmops.tasks.finish import careful, finish, name_run, run_id
from llmops.tasks.index import results
from llmops.tasks.knowledge.access import withdraw
from llmops.tasks.knowledge.build import Build, Specs
from llmops.tasks.knowledge.changes import Staged
from llmops.tasks.knowledge.corpus import kept
from llmops.tasks.knowledge.handle import Handle
from llmops.tasks.knowledge.outcome import Steps, outcome_of
from llmops.tasks.knowledge.plan import Plan, failures_now, guard, within_budget
from llmops.tasks.knowledge.publish import reject
from llmops.tasks.knowledge.stage import all_carried
from llmops.tasks.knowledge.start import begin, start, totals
from llmops.tasks.ledger.leases import Lease

RUNNER: TaskRunner[Any] = ThreadPoolTaskRunner(max_workers=4)


@flow(name="index", task_runner=RUNNER)
def index(
    config: IndexConfig,
    home: Path,
    allow_deletes: bool = False,
    full: bool = False,
    wait_seconds: float = 0,
) -> State[Any]:
    """Build the next version of a knowledge base, and publish it when it is at least as good as the
    live one.
    """
    began, handle = time.perf_counter(), Handle(home=home, name=config.knowledge_base)
    steps = begin(handle, run_id(), gated=config.gate is not None)
    try:
        with handle.hold(steps.run_id, wait_seconds) as lease:
            specs = Specs.model_validate(config)
            steps.build = start(handle, specs, run_id=steps.run_id, full=full)
            name_run(f"{handle.name} v{steps.build.version}")
            tasks.recover(steps.build, lease)
            plan = planned(config, steps.build, steps, allow_deletes)
            plan, staged = prepared(config, steps.build, plan, steps)
            released(config, steps.build, lease, plan, staged, steps)
    except (Blocked, BudgetExceeded) as stop:
        steps.stopped = stop
    outcome = outcome_of(steps, round(time.perf_counter() - began, 2))
    record = careful(tasks.recorded(handle, config.recorded()))
    return finish(home, outcome, tasks.named, record, careful(tasks.shown))


def planned(config: IndexConfig, build: Build, steps: Steps, allow_deletes: bool) -> Plan:
    """List, compare, show, and stop before anything is spent where a guard says so."""
    plan = steps.plan = tasks.plan(build)
    steps.totals = totals(build)
    tasks.show_plan(build, plan, steps.totals)
    guard(plan, config.limits.max_delete_fraction, allow_deletes)
    steps.guarded = True
    if config.gate:
        steps.unanswerable = tasks.check_golden(plan, config.folder / config.gate.golden)
    return plan


def prepared(
    config: IndexConfig, build: Build, plan: Plan, steps: Steps
) -> tuple[Plan, list[Staged]]:
    """Collect, clean, validate and chunk; the whole table and the budget before anything is paid;
    then embed, and find what that changes.
    """
    plan, collected = tasks.corpus_pass(build, plan)
    checked = tasks.chunked(build, collected)
    batches, steps.expectations = tasks.check_whole(build, plan, checked)
    _budget(config, build, plan, steps)
    steps.embedded = results([tasks.embed.submit(build, batch) for batch in batches])
    _budget(config, build, plan, steps)
    steps.staged = results([tasks.compare.submit(build, batch) for batch in steps.embedded])
    steps.final = withdraw(build, kept(build, plan, steps.staged), steps.embedded)
    return steps.final, steps.staged


def _budget(config: IndexConfig, build: Build, plan: Plan, steps: Steps) -> None:
    steps.failures = failures_now(build, plan)
    within_budget(build.kb, plan, steps.failures, config.limits.failure_budget)


def released(
    config: IndexConfig, build: Build, lease: Lease, plan: Plan, staged: list[Staged], steps: Steps
) -> None:
    """Stage beside the live version, seal, pass the gate, publish, tidy; or nothing of it, where
    nothing changes.
    """
    if not build.fresh and not plan.leaving and all(part.empty for part in staged):
        tasks.settle(build, lease, plan, staged)
        steps.settled = True
        return
    all_carried(build, plan, staged)
    steps.opened = True
    tasks.open_version(build, lease, config.recorded())
    try:
        for part in staged:  # one after the other: a collection has one writer
            tasks.stage(build, part)
        steps.gone = tasks.retire(build, plan.leaving)
        snapshot = tasks.seal(build, outcome_of(steps).chunks["total"])
        weight = _gate(config, build, snapshot, steps)
    except LlmopsError:
        reject(build, outcome_of(steps))
        raise
    tasks.publish(build, lease, plan, staged, outcome_of(steps), snapshot, weight)
    steps.published = True
    steps.tidying = tasks.tidied(build, lease, config.limits.keep_versions)


def _gate(config: IndexConfig, build: Build, snapshot: str, steps: Steps) -> float | None:
    if config.gate is None:
        return None
    golden = config.folder / config.gate.golden
    rules = {str(name): rule for name, rule in config.gate.metrics.items()}
    steps.gate, weight = tasks.gate(build, snapshot, golden, rules, config.gate.k)
    if not steps.gate.opens:
        raise Blocked(
            f"the gate says {steps.gate.verdict}: {steps.gate.reason}",
            hint="the live version stays; see the worst questions of this run",
        )
    return weight
