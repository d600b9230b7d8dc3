"""Tasks of an evaluation. A part of the cases travels as a reference to the file of its results."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from prefect import task

from llmops.tasks.calls.budget import Spent
from llmops.tasks.decisions import record, verdict
from llmops.tasks.decisions.rules import Rule
from llmops.tasks.evaluation import answering, scoring
from llmops.tasks.evaluation import prepare as begin
from llmops.tasks.evaluation.cases import CaseSet
from llmops.tasks.evaluation.run import EvaluationSpec, Part, Trial
from llmops.tasks.plugins.scorers import Case
from llmops.tasks.prompts import registry
from llmops.tasks.tracking import evaluation as tracking


@task(name="prepare")
def prepare(
    home: Path, wanted: EvaluationSpec, run_id: str | None, accept_cases: bool
) -> tuple[Trial, CaseSet, list[str]]:
    """Look up prompts, knowledge bases and prices, and check that everything fits, before anything
    is paid.
    """
    return begin.begin(home, wanted, run_id, accept_cases=accept_cases)


@task(task_run_name="answer {number}")
def answer(trial: Trial, number: int, cases: Sequence[Case], spent: Spent) -> Part:
    """Ask every arm, case by case."""
    return answering.answer_part(trial, number, cases, spent)


@task(task_run_name="score {part.number}")
def score(trial: Trial, part: Part, cases: Sequence[Case]) -> Part:
    """Score the answers of a part."""
    return scoring.score_part(trial, part, cases)


@task(name="look")
def look(trial: Trial, rule: Rule, parts: Sequence[Part], cases: CaseSet) -> str | None:
    """Why the evaluation may stop here; None: it goes on."""
    return verdict.settled(trial, rule, parts, cases)


@task(name="decide")
def decide(
    trial: Trial, rule: Rule, parts: Sequence[Part], cases: CaseSet, facts: dict[str, Any]
) -> dict[str, Any]:
    """The decision record."""
    return record.make_record(trial, rule, parts, cases, **facts)


@task(name="record in MLflow")
def track(
    home: Path, found: dict[str, Any], parts: Sequence[Part], cases: CaseSet
) -> dict[str, Any]:
    """The record with the id and the link of its MLflow run."""
    return tracking.record_evaluation(home, found, parts, cases)


@task(name="promote")
def promote(home: Path, found: dict[str, Any], prompt: str, alias: str, who: str) -> dict[str, Any]:
    """Move the alias to the winner, if its record stands."""
    return registry.promote(home, found, prompt, alias, who)
