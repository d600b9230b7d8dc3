"""The index flow: from sources to a published version of a knowledge base. Wiring only: each step
is a task.
"""

import time
from pathlib import Path
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from llmops.configs.index import IndexConfig
from llmops.tasks import artifacts as report
from llmops.tasks import runs
from llmops.tasks.chunk import chunk, embed
from llmops.tasks.collect import clean, collect, sketch
from llmops.tasks.errors import Blocked, BudgetExceeded, LlmopsError
from llmops.tasks.gate import check_golden, gate
from llmops.tasks.knowledge import access, session
from llmops.tasks.knowledge import corpus as survey
from llmops.tasks.knowledge import outcome as outcomes
from llmops.tasks.knowledge import stage as staging
from llmops.tasks.knowledge.build import Batch, Build
from llmops.tasks.knowledge.changes import Staged
from llmops.tasks.knowledge.handle import Handle
from llmops.tasks.knowledge.outcome import Outcome
from llmops.tasks.knowledge.plan import Plan, guard
from llmops.tasks.ledger.leases import Lease
from llmops.tasks.plan import cut, judge, plan
from llmops.tasks.plugins.stores import Store
from llmops.tasks.publish import open_version, publish, recover, settle, tidy
from llmops.tasks.stage import compare, retire, seal, stage
from llmops.tasks.validate import check_rows, check_whole

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
    began, run_id = time.perf_counter(), runs.run_id()
    handle = Handle(home=home, name=config.knowledge_base)
    outcome = session.begin(handle, run_id)
    try:
        with handle.hold(run_id, wait_seconds) as lease:
            build = session.start(
                handle,
                config.stages(),
                config.store.build(Store),
                config.facts(),
                run_id=run_id,
                full=full,
            )
            runs.name_run(f"{build.kb} v{build.version}")
            recover(build, lease)
            produce(config, build, lease, outcome, allow_deletes)
    except (Blocked, BudgetExceeded) as stop:
        outcome.stop(stop)
    runs.name_outcome(outcome)
    outcome.seconds = round(time.perf_counter() - began, 2)
    return runs.conclude(home, config.recorded(), outcome)


def produce(
    config: IndexConfig, build: Build, lease: Lease, outcome: Outcome, allow_deletes: bool
) -> None:
    """Everything between the lease and the pointer."""
    found = plan(build, config.sources, config.folder)
    outcomes.planned(outcome, found, session.totals(build))
    report.plan(outcome.public(), found.preview())
    guard(found, config.limits.max_delete_fraction, allow_deletes)
    if config.gate:
        outcome.gate = outcome.gate | {"reason": "the run did not get as far as the gate"}
        outcome.warn(check_golden(found, config.folder / config.gate.golden))
    judged, batches = prepared(config, build, found, outcome)
    staged = [future.result() for future in [compare.submit(build, batch) for batch in batches]]
    if build.stages.corpus:
        judged = survey.kept(build, judged, staged)
        outcomes.surveyed(outcome, found, judged)
    judged = access.withdraw(build, judged, batches)
    outcome.warn(access.told(judged))
    finish(config, build, lease, judged, staged, outcome)


def finish(
    config: IndexConfig,
    build: Build,
    lease: Lease,
    found: Plan,
    staged: list[Staged],
    outcome: Outcome,
) -> None:
    """Release what was prepared, where it makes a difference."""
    if not build.fresh and not found.leaving and all(part.empty for part in staged):
        settle(build, lease, found, staged)
        outcome.unasked(config.gate is not None)
        return
    staging.all_carried(build, found, staged)
    release(config, build, lease, found, staged, found.leaving, outcome)


def prepared(
    config: IndexConfig, build: Build, found: Plan, outcome: Outcome
) -> tuple[Plan, list[Batch]]:
    """Collected, cleaned, checked, chunked and embedded batches, and the plan with what cleaners
    had to add.

    The budget is looked at before anything is paid.
    """
    found, collected = surveyed(config, build, found)
    chains = [_chunked(config, build, one) for one in collected]
    checked = [_results(chain)[-1] for chain in chains]
    batches, warnings, docs = check_whole(build, config.suite, config.embed, found, checked)
    outcome.validated(warnings, docs)
    _budget(config, build, found, outcome)
    embedded = [
        future.result()
        for future in [embed.submit(build, config.embed, batch) for batch in batches]
    ]
    outcome.pay(embedded)
    _budget(config, build, found, outcome)
    return found, embedded


def surveyed(config: IndexConfig, build: Build, found: Plan) -> tuple[Plan, list[Any]]:
    """What `collect` will give, part by part. A cleaner that compares documents waits for all of
    them, and may call for more.
    """
    batches: list[Batch] = []
    for turn in range(len(build.stages.corpus)):
        chains = [
            [one, sketch.submit(build, config.clean, turn, one)]
            for one in [*batches, *_collected(config, build, found, batches)]
        ]
        batches = [_results(chain)[-1] for chain in chains]
        found = judge(build, config.clean, turn, found, batches)
    return found, [*batches, *_collected(config, build, found, batches)]


def _collected(config: IndexConfig, build: Build, found: Plan, done: list[Batch]) -> list[Any]:
    parts = cut(build, found, [batch.part for batch in done])
    return [
        collect.submit(
            build, config.source(part.source), config.folder, config.parse.model_dump(), part
        )
        for part in parts
    ]


def _results(chain: list[Any]) -> list[Any]:
    """In order: the first task of a chain that failed raises its own error, not that of those that
    waited for it.
    """
    return [one if isinstance(one, Batch) else one.result() for one in chain]


def _chunked(config: IndexConfig, build: Build, collected: Any) -> list[Any]:
    cleaned: Any = clean.submit(build, config.clean, collected)
    checked: Any = check_rows.submit(build, config.suite, config.embed, "documents", cleaned)
    chunks: Any = chunk.submit(build, config.chunk, config.embed, checked)
    return [
        collected,
        cleaned,
        checked,
        chunks,
        check_rows.submit(build, config.suite, config.embed, "chunks", chunks),
    ]


def _budget(config: IndexConfig, build: Build, found: Plan, outcome: Outcome) -> None:
    outcomes.within_budget(
        outcome, found, session.failures_now(build, found), config.limits.failure_budget
    )


def release(
    config: IndexConfig,
    build: Build,
    lease: Lease,
    found: Plan,
    staged: list[Staged],
    retired: list[str],
    outcome: Outcome,
) -> None:
    """Stage beside the live version, seal, pass the gate, publish."""
    outcome.candidate = build.version
    open_version(build, lease, config.store, config.embed, config.recorded())
    try:
        for part in staged:  # one after the other: a collection has one writer
            stage(build, config.store, config.embed, part)
        gone = retire(build, config.store, config.embed, retired)
        left = len(found.vanished) + len(found.replaced) + len(found.withdrawn)
        outcomes.staged_counts(outcome, found, staged, left, gone, session.totals(build)["chunks"])
        snapshot = seal(build, config.store, config.embed, outcome.chunks["total"])
        weight = _gate(config, build, snapshot, outcome)
    except LlmopsError:
        session.close(build, outcome)
        raise
    publish(
        build,
        lease,
        found,
        staged,
        retired,
        {"snapshot": snapshot, "weight": weight, **outcome.figures()},
    )
    outcome.publish()
    runs.carefully(outcome, tidy, build, lease, config.limits.keep_versions)


def _gate(config: IndexConfig, build: Build, snapshot: str, outcome: Outcome) -> float | None:
    if config.gate is None:
        return None
    result, weight = gate(
        build,
        config.store,
        config.embed,
        snapshot,
        config.folder / config.gate.golden,
        {str(name): rule for name, rule in config.gate.metrics.items()},
        config.gate.k,
    )
    outcome.judge(result)
    if not result.opens:
        raise Blocked(
            f"the gate says {result.verdict}: {result.reason}",
            hint="the live version stays; see the worst questions of this run",
        )
    return weight
