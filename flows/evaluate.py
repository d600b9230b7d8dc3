"""The evaluate flow: arms on cases, and the better one promoted by a stored decision. Wiring only:
each step is a task.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from llmops.configs.evaluate import EvaluateConfig
from llmops.flows.calling import Given, callable_with, settled
from llmops.tasks import evaluate as ended
from llmops.tasks import progress
from llmops.tasks.calls.budget import Spent
from llmops.tasks.decisions.decision import Decision
from llmops.tasks.errors import BudgetExceeded, LlmopsError
from llmops.tasks.evaluate import answer, decide, look, prepare, score
from llmops.tasks.evaluation import lines
from llmops.tasks.evaluation.cases import CaseSet, parted
from llmops.tasks.evaluation.results import RunPart
from llmops.tasks.evaluation.run import EvaluationRun
from llmops.tasks.finish import careful, finish, name_run, run_id, tell
from llmops.tasks.schedules import covered
from llmops.tasks.tracking import check

RUNNER: TaskRunner[Any] = ThreadPoolTaskRunner(max_workers=2)
LEAST_PART = 100
LOOK_AFTER = 50


def returned(content: dict[str, Any]) -> Decision:
    """What a call returns, whatever the verdict. Raises BudgetExceeded after too many errors,
    LlmopsError when the alias should have moved and did not.
    """
    decision = Decision.model_validate(content)
    if decision.status == "failed":
        raise BudgetExceeded(decision.reason, hint="see the run's errors")
    if decision.stayed:
        raise LlmopsError(decision.remarks[-1], hint="see `llmops decision verify`")
    return decision


@callable_with(EvaluateConfig, returned)
@flow(name="evaluate", task_runner=RUNNER)
def evaluate(
    config: Given[EvaluateConfig], home: Path | str | None = None, accept_cases: bool = False
) -> State[Any]:
    """Answer the cases with every arm, score the answers, decide, and move the alias when the
    decision says so.
    """
    config, home = settled(config, home, EvaluateConfig)
    if passed := covered(home, "evaluate", config.name):
        return passed
    check(home)
    began, flow_run = datetime.now(UTC), run_id()
    run, cases, warnings = prepare(home, config.evaluation_spec(), flow_run, accept_cases)
    name_run(run.id, "flow:evaluate", *ended.tags(run))
    parts, stopped = run_parts(config, run, cases)
    facts = {
        **config.recorded(),
        "promote": config.promote.model_dump() if config.promote else None,
        "prefect_run_id": flow_run,
        "began": began,
        "warnings": warnings,
        "stopped": stopped,
    }
    record = decide(run, config.decide, parts, cases, facts)
    return finish(
        home,
        ended.Evaluated(record),
        ended.named,
        ended.saved(home),  # first: nothing that follows may lose it
        careful(ended.tracked(home, parts, cases)),
        ended.saved(home),
        ended.promoted(home, run),
        careful(ended.shown),
        ended.saved(home),  # before the traces, which decide nothing
        careful(ended.traced(home, run, parts, cases, config.traces)),
        ended.cleared(parts),
        ended.saved(home),
    )


def run_parts(
    config: EvaluateConfig, run: EvaluationRun, cases: CaseSet
) -> tuple[list[RunPart], str | None]:
    """The finished parts, and why no more were begun, where that is so."""
    parts: list[RunPart] = []
    spent, size = (
        Spent(),
        LOOK_AFTER if config.decide.stop_early else max(LEAST_PART, 10 * config.concurrency),
    )
    given = parted(
        cases.cases,
        size,
        seed=cases.sha256 if config.decide.stop_early else None,
        by_group=config.decide.cluster != "none",
    )
    turns = len(cases.cases) * len(run.arms) * run.repeats
    for stage in ("answer", "score"):
        progress.expect(stage, turns, "answers")
    for number, some in enumerate(given, 1):
        parts.append(score(run, answer(run, number, some, spent), some))
        spent = parts[-1].spent
        tell(lines.progressed(sum(map(len, given[:number])), len(cases.cases), spent))
        stopped = parts[-1].stopped or (
            look(run, config.decide, parts, cases) if config.decide.stop_early else None
        )
        if stopped:
            return parts, stopped
    return parts, None
