"""The tasks of the evaluate flow, and the steps of its end. A part of the cases travels as a
reference to the file of its results.
"""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmops.tasks import artifacts
from llmops.tasks.calls.budget import Spent
from llmops.tasks.decisions import promotion, record, tracking
from llmops.tasks.decisions import traced as tracing
from llmops.tasks.decisions.decision import AliasMoved, Content, Decision
from llmops.tasks.decisions.rules import Rule
from llmops.tasks.decisions.summary import summary_markdown
from llmops.tasks.errors import LIVE
from llmops.tasks.evaluation import answering, lines, scoring
from llmops.tasks.evaluation import prepare as begin
from llmops.tasks.evaluation.cases import CaseSet
from llmops.tasks.evaluation.results import RunPart
from llmops.tasks.evaluation.run import EvaluationRun, EvaluationSpec
from llmops.tasks.finish import careful, name_run, telling
from llmops.tasks.plugins.scorers import Case
from llmops.tasks.prompts import registry
from llmops.tasks.references import task
from llmops.tasks.tracking.evaluation import link_prompt

STATES = {"promote": "Completed", "reject": "Rejected", "inconclusive": "Inconclusive"}


@task(name="prepare", task_run_name="prepare")
def prepare(
    home: Path, spec: EvaluationSpec, run_id: str | None, accept_cases: bool
) -> tuple[EvaluationRun, CaseSet, list[str]]:
    """Look up prompts, knowledge bases and prices, and check that everything fits, before anything
    is paid.
    """
    run, cases, warnings = begin.begin(home, spec, run_id)
    if not accept_cases:
        record.guard_cases(home, run.name, cases)
    return telling((run, cases, warnings), lambda begun: lines.prepared(*begun))


@task(task_run_name="answer {number}")
def answer(run: EvaluationRun, number: int, cases: Sequence[Case], spent: Spent) -> RunPart:
    """Ask every arm, case by case."""
    done = answering.answer_part(run, number, cases, spent)
    return telling(done, lambda part: f"{part.cases:,} cases answered by {len(run.arms)} arms")


@task(task_run_name="score {part.number}")
def score(run: EvaluationRun, part: RunPart, cases: Sequence[Case]) -> RunPart:
    """Score the answers of a part."""
    done = scoring.score_part(run, part, cases)
    return telling(done, lambda part: f"{part.cases:,} cases scored by {len(run.scorers)} scorers")


@task(name="look", task_run_name="look")
def look(run: EvaluationRun, rule: Rule, parts: Sequence[RunPart], cases: CaseSet) -> str | None:
    """Why the evaluation may stop here; None: it goes on."""
    return record.settled(run, rule, parts, cases)


@task(name="decide", task_run_name="decide")
def decide(
    run: EvaluationRun, rule: Rule, parts: Sequence[RunPart], cases: CaseSet, facts: dict[str, Any]
) -> Decision:
    """The decision on all parts."""
    made = record.make_record(run, rule, parts, cases, **facts)
    return telling(made, lambda decision: f"{decision.verdict}: {decision.reason}")


@task(name="record in MLflow", task_run_name="record in MLflow")
def track(home: Path, decision: Decision, parts: Sequence[RunPart], cases: CaseSet) -> Decision:
    """The decision with the id and the link of its MLflow run."""
    return tracking.track(home, decision, parts, cases)


@task(name="write traces to MLflow", task_run_name="write traces to MLflow")
def trace(
    home: Path,
    decision: Decision,
    run: EvaluationRun,
    parts: Sequence[RunPart],
    cases: CaseSet,
    most: int,
) -> tracing.TracedCount:
    """One trace for each case and arm, and the cases as a data set."""
    done = tracing.trace(home, decision, run, parts, cases, most)
    return telling(done, lambda n: f"{n.traces:,} traces of {n.cases:,} of {n.of:,} cases")


@task(name="promote", task_run_name="promote")
def promote(home: Path, decision: Decision, prompt: str, alias: str, who: str) -> AliasMoved:
    """Move the alias to the winner, if its record stands."""
    done = promotion.promote(home, decision.content(), prompt, alias, who)
    return telling(done, lambda moved: f"{prompt}@{alias} is version {moved.version}")


@dataclass(frozen=True)
class Evaluated:
    """A decision as the outcome of its flow; what fails after the decision is a remark."""

    decision: Decision

    @property
    def name(self) -> str:
        return self.decision.name

    @property
    def prefect_run_id(self) -> str | None:
        return self.decision.prefect_run_id

    @property
    def links(self) -> dict[str, str]:
        return self.decision.links

    @property
    def headline(self) -> str:
        if self.failed == "NotPromoted":
            return self.decision.remarks[-1]
        reason = self.decision.reason
        return reason if self.failed else f"{self.decision.verdict}: {reason}"

    @property
    def failed(self) -> str | None:
        if self.decision.status == "failed":
            return "TooManyErrors"
        return "NotPromoted" if self.decision.stayed else None

    @property
    def completed(self) -> str:
        return STATES[self.decision.verdict]

    def warned(self, *warnings: str) -> "Evaluated":
        return self.updated(remarks=[*self.decision.remarks, *warnings])

    def linked(self, links: dict[str, str]) -> "Evaluated":
        return self.updated(links=links)

    def updated(self, **values: object) -> "Evaluated":
        return Evaluated(self.decision.model_copy(update=values))

    def public(self) -> Content:
        """The JSON object."""
        return self.decision.content()


def tags(run: EvaluationRun) -> list[str]:
    """By which runs that ask one knowledge base are found in the UI."""
    bases = {arm.retrieve.knowledge_base for arm in run.arms if arm.retrieve}
    return [f"evaluation:{run.name}", *(f"kb:{each}" for each in sorted(bases))]


def named(outcome: Evaluated) -> Evaluated:
    """The run's name says the verdict, and what for."""
    decision = outcome.decision
    name_run(f"{decision.name} {decision.verdict} {decision.id.rpartition('-')[2]}")
    return outcome


def saved(home: Path) -> Callable[[Evaluated], Evaluated]:
    """The step that keeps the record as it is now."""
    return lambda outcome: Evaluated(record.save(home, outcome.decision))


def tracked(
    home: Path, parts: Sequence[RunPart], cases: CaseSet
) -> Callable[[Evaluated], Evaluated]:
    """The step that records the evaluation in MLflow."""
    return lambda outcome: Evaluated(track(home, outcome.decision, parts, cases))


def traced(
    home: Path, run: EvaluationRun, parts: Sequence[RunPart], cases: CaseSet, most: int
) -> Callable[[Evaluated], Evaluated]:
    """The step that writes traces, after everything that was decided by the evaluation is done."""

    def step(outcome: Evaluated) -> Evaluated:
        if outcome.decision.mlflow_run_id and parts and most:
            trace(home, outcome.decision, run, parts, cases, most)
        return outcome

    return step


def cleared(parts: Sequence[RunPart]) -> Callable[[Evaluated], Evaluated]:
    """The step that removes the files of the parts, where MLflow holds all of it now."""

    def step(outcome: Evaluated) -> Evaluated:
        if outcome.decision.mlflow_run_id and parts:
            shutil.rmtree(parts[0].file.parent)
        return outcome

    return step


def promoted(home: Path, run: EvaluationRun) -> Callable[[Evaluated], Evaluated]:
    """The step that moves the alias, where the decision says so."""

    def step(outcome: Evaluated) -> Evaluated:
        if outcome.decision.verdict != "promote" or not outcome.decision.promote:
            return outcome
        stayed = outcome.updated(promoted=None)
        return careful(lambda _stayed: _promoted(home, run, outcome))(stayed)

    return step


def _promoted(home: Path, run: EvaluationRun, outcome: Evaluated) -> Evaluated:
    """Into the registry goes what has won; what was only tried stays a file."""
    decision, flow_run = outcome.decision, outcome.prefect_run_id
    assert decision.promote is not None
    prompt, alias = decision.promote.prompt, decision.promote.alias
    LIVE[prompt] = f"the alias {prompt}@{alias} may have moved (llmops prompts history {prompt})"
    registry.push(home, run.arm(decision.candidate).prompt.prompt)
    who = f"prefect run {flow_run}" if flow_run else "llmops evaluate"
    moved = promote(home, decision, prompt, alias, who)
    LIVE[prompt] = f"the alias {prompt}@{alias} is version {moved.version}"
    promoted = outcome.updated(promoted=moved)
    if decision.mlflow_run_id is None:
        return promoted
    run_id, link = decision.mlflow_run_id, (prompt, moved.version)
    linked = careful(lambda done: _linked(home, done, run_id, link))
    return linked(promoted)


def _linked(home: Path, done: Evaluated, run_id: str, prompt: tuple[str, int]) -> Evaluated:
    """MLflow lists the evaluation with the version that it has made."""
    link_prompt(home, run_id, done.decision.candidate, prompt)
    return done


def shown(outcome: Evaluated) -> Evaluated:
    """The decision as artifacts; the log has it from the task that decided."""
    decision, mlflow = outcome.decision, outcome.links.get("mlflow", "")
    artifacts.evaluation(outcome.name, summary_markdown(decision), decision.reason, mlflow)
    return outcome
