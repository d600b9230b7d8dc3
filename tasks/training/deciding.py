"""The gate of a trained language model: which two versions are compared, what the decision of their
evaluation means, and the alias that moves by it.
"""

from pathlib import Path
from typing import NamedTuple

from llmops.tasks.decisions.decision import Content, Decision
from llmops.tasks.decisions.summary import losses
from llmops.tasks.errors import LIVE, LlmopsError
from llmops.tasks.evaluation.prepare import begin
from llmops.tasks.evaluation.run import EvaluationSpec
from llmops.tasks.models import LIVE as ALIAS
from llmops.tasks.models.files import portable
from llmops.tasks.models.moving import ModelDecision, promote
from llmops.tasks.models.references import resolve
from llmops.tasks.models.registry import all_versions, held_by
from llmops.tasks.models.version import RegisteredModel
from llmops.tasks.plugins import Spec
from llmops.tasks.schemas import OneOrMore, paths_of
from llmops.tasks.tracking.models import open_models
from llmops.tasks.tracking.training import amend
from llmops.tasks.training.held_cases import HeldCases, held_cases
from llmops.tasks.training.model_outcome import CaseLost, ModelGate, ModelOutcome, ModelStatus
from llmops.tasks.training.model_summary import model_markdown
from llmops.tasks.training.published import learnt_from
from llmops.tasks.training.spec import TrainSpec

STATUS: dict[str, ModelStatus] = {
    "promote": "promoted",
    "reject": "rejected",
    "inconclusive": "inconclusive",
}


class ComparedModels(NamedTuple):
    """The versions that a gate compares."""

    live: RegisteredModel
    candidate: RegisteredModel

    def llm(self, version: RegisteredModel) -> Spec:
        """As an arm of an evaluation names it."""
        return Spec(name=version.spec.name, options={"model": version.uri})


def ready(home: Path, spec: TrainSpec, evaluation: EvaluationSpec, cases: OneOrMore) -> HeldCases:
    """The cases that may decide. Raises what an evaluation with them would raise, before anything
    is trained or paid.
    """
    trainer = spec.of_dataset()
    assert trainer is not None  # a config with a gate names one
    data = learnt_from(home, spec.name, trainer).data
    folder = home / "trainings" / spec.name
    held = held_cases(data, paths_of(spec.folder, cases), folder)
    begin(home, evaluation.model_copy(update={"cases": held.files}), None)
    return held


def compared(home: Path, outcome: ModelOutcome) -> ComparedModels | None:
    """The version that was just trained, and the one that is live, else what it was made from.
    None where it is live itself, or is in no registry.
    """
    if outcome.registered is None:
        return None
    candidate = resolve(home, outcome.registered)
    with open_models(home) as shelf:
        versions = all_versions(shelf, outcome.name)
    live = held_by(versions, ALIAS)
    if live is not None:
        return None if live.version == candidate.version else ComparedModels(live, candidate)
    base = [each for each in versions if not each.trained]
    spec = portable(home, outcome.base) if outcome.base else None
    return next((ComparedModels(each, candidate) for each in base if each.spec == spec), None)


def standing(home: Path, outcome: ModelOutcome) -> ModelOutcome:
    """Where there is nothing to compare: it is live already, or the gate cannot decide."""
    if outcome.registered is None:
        return _undecided(outcome, "the model is in no registry")
    with open_models(home) as shelf:
        live = held_by(all_versions(shelf, outcome.name), ALIAS)
    if live is None:
        said = "no version is live, and the trainer does not say what the model was made from"
        return _undecided(outcome, said)
    said = f"{outcome.reason}, and it is live already: {live.uri}"
    return outcome.model_copy(update={"status": "promoted", "reason": said})


def _undecided(outcome: ModelOutcome, why: str) -> ModelOutcome:
    reason = f"{outcome.reason}; the gate has not decided: {why}"
    return outcome.model_copy(update={"status": "inconclusive", "reason": reason})


def decided(
    home: Path,
    outcome: ModelOutcome,
    sides: ComparedModels,
    content: Content,
    held: HeldCases,
    who: str,
) -> ModelOutcome:
    """The outcome with what the decision says; the alias moves where it says promote."""
    decision = Decision.model_validate(content)
    gate = _result(decision, sides, held)
    status = "failed" if decision.status == "failed" else STATUS[decision.verdict]
    reason, warnings = f"{outcome.reason}; {decision.reason}", list(outcome.warnings)
    if held.warning:
        warnings.append(held.warning)
    if status == "promoted":
        try:
            gate = _promoted(home, sides, decision, gate, who)
            reason = f"{reason}; live is {sides.candidate.uri}"
        except LlmopsError as error:
            status, reason = "stayed", f"{reason}; but the alias has not moved: {error}"
    links = {**outcome.links, **{f"gate {k}": v for k, v in decision.links.items()}}
    changes = {"status": status, "reason": reason, "gate": gate, "warnings": warnings}
    return outcome.model_copy(update={**changes, "links": links})


def told(home: Path, outcome: ModelOutcome) -> ModelOutcome:
    """The training's run in MLflow says what the gate said."""
    gate, run = outcome.gate, outcome.mlflow_run_id
    if gate is None or run is None:
        return outcome
    numbers = {
        "gate": {
            "difference": gate.difference,
            "cases": gate.cases,
            "better": gate.better,
            "worse": gate.worse,
            "cost_usd": gate.cost_usd,
            **gate.values,
        }
    }
    tags = {"status": outcome.status, "verdict": gate.verdict, "decision": gate.decision}
    summary = model_markdown(outcome)
    amend(home, run, numbers, tags, summary, {"report.md": summary.encode()})
    return outcome


def _promoted(
    home: Path, sides: ComparedModels, decision: Decision, gate: ModelGate, who: str
) -> ModelGate:
    name, number = sides.candidate.name, sides.candidate.version
    LIVE[name] = f"models:/{name}@{ALIAS} may have moved (llmops models show {name})"
    said: ModelDecision = {"id": decision.id, "sha256": decision.sha256}
    moved = promote(home, name, number, said, sides.live.version, who)
    LIVE[name] = f"models:/{name}@{ALIAS} is version {number}"
    return gate.model_copy(update={"moved": moved["moved"]})


def _result(decision: Decision, sides: ComparedModels, held: HeldCases) -> ModelGate:
    better, worse, same = _counts(decision)
    comparison = decision.comparisons.get(decision.candidate)
    tags = comparison.tags.items() if comparison else ()
    sign = decision.sign
    return ModelGate(
        verdict=decision.verdict,
        reason=decision.reason,
        hint=decision.hint,
        live=sides.live.uri,
        candidate=sides.candidate.uri,
        metric=decision.metric,
        higher_is_better=sign > 0,
        values={
            name: arm.metrics[decision.metric].value
            for name, arm in decision.arms.items()
            if decision.metric in arm.metrics
        },
        difference=decision.difference,
        interval=(decision.interval[0], decision.interval[1]) if decision.interval else None,
        cases=decision.n,
        excluded=held.excluded,
        better=better,
        worse=worse,
        same=same,
        lost=tuple(
            CaseLost(case=case, live=live, candidate=new, difference=change)
            for case, live, new, change in losses(decision)
        ),
        tags={
            tag: figures.difference
            for tag, figures in tags
            if figures.difference is not None and sign * figures.difference < 0
        },
        cost_usd=decision.spent.cost_usd,
        decision=decision.id,
        decision_sha256=decision.sha256,
        record=decision.record,
        mlflow_run_id=decision.mlflow_run_id,
    )


def _counts(decision: Decision) -> tuple[int, int, int]:
    """How many cases are answered better, worse, and as before."""
    values = decision.pairs.values
    new = values[decision.candidate].get(decision.metric) or []
    old = values[decision.baseline].get(decision.metric) or [0.5] * len(new)
    changes = [
        decision.sign * (a - b)
        for a, b in zip(new, old, strict=True)
        if a is not None and b is not None
    ]
    better, worse = sum(each > 0 for each in changes), sum(each < 0 for each in changes)
    return better, worse, len(changes) - better - worse
