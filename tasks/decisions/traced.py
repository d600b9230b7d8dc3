"""An evaluation on MLflow's GenAI pages: what each arm made of each case as a trace, its scores as
assessments, and the cases as a data set. Without secrets, and without documents that were erased.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple, cast

from pydantic import JsonValue

from llmops.tasks.decisions.decision import Decision
from llmops.tasks.evaluation.cases import CaseSet
from llmops.tasks.evaluation.erased import shows_erased
from llmops.tasks.evaluation.results import Result, RunPart, read_results
from llmops.tasks.evaluation.run import EvaluationRun, question
from llmops.tasks.plugins import find
from llmops.tasks.plugins.scorers import Case, Judge, metric_of
from llmops.tasks.schemas import sha256
from llmops.tasks.traces.masking import masked_text, masked_value
from llmops.tasks.traces.written import gone_traces
from llmops.tasks.tracking.evaluated import (
    EvaluatedCase,
    EvaluatedTrace,
    TraceScore,
    forget_made_of,
    forget_traces,
    write_cases,
    write_traces,
)
from llmops.tasks.tracking.trace_records import SpanRecord, TraceRecord

MILLISECOND = 1_000_000


class TracedCount(NamedTuple):
    """How many traces there are, and of how many cases of all."""

    traces: int
    cases: int
    of: int


def trace(
    home: Path,
    decision: Decision,
    run: EvaluationRun,
    parts: Sequence[RunPart],
    cases: CaseSet,
    most: int,
    uri: str | None = None,
) -> TracedCount:
    """Write the traces of as many cases as `most` traces are enough for, all arms of a case or
    none. Of more cases those are taken that a hash of their ids draws: their means lean to no side.
    Raises Unavailable, TraceRefused.
    """
    chosen = drawn(cases, most // max(1, len(run.arms)))
    forgotten = gone_traces(home, _origins(chosen))
    chosen = {name: case for name, case in chosen.items() if _origin(case) not in forgotten}
    mlflow_run = decision.mlflow_run_id
    if mlflow_run is None or not chosen:
        return TracedCount(0, 0, len(cases.cases))
    rows = [_case(case) for case in chosen.values()]
    write_cases(home, mlflow_run, decision.name, cases.sha256, rows, uri)
    shown: dict[str, Result] = {}
    traces = _traces(home, decision, run, parts, chosen, shown)
    ids = write_traces(home, mlflow_run, decision.id, traces, uri)
    # whoever erases or deletes now finds these traces; what was so meanwhile may be in them
    erased = shows_erased(home, run)
    gone = [each for each, result in shown.items() if erased(result)]
    forget_traces(home, mlflow_run, gone, uri)
    if forgotten := gone_traces(home, _origins(chosen)):
        forget_made_of(home, [decision.name], forgotten, uri)
    return TracedCount(len(ids) - len(gone), len(chosen), len(cases.cases))


def _origin(case: Case) -> str:
    """The trace of production that a case was made of; "" for none."""
    return case.lineage.trace_id if case.lineage else ""


def _origins(cases: Mapping[str, Case]) -> set[str]:
    return {origin for case in cases.values() if (origin := _origin(case))}


def drawn(cases: CaseSet, count: int) -> dict[str, Case]:
    """The cases that are shown, by their ids, in the order of the file."""
    if len(cases.cases) <= count:
        return {case.id: case for case in cases.cases}
    ids = set(sorted((case.id for case in cases.cases), key=sha256)[:count])
    return {case.id: case for case in cases.cases if case.id in ids}


def _traces(
    home: Path,
    decision: Decision,
    run: EvaluationRun,
    parts: Sequence[RunPart],
    chosen: Mapping[str, Case],
    shown: dict[str, Result],
) -> Iterator[EvaluatedTrace]:
    """`shown`: filled with results that had passages, without their texts, by the ids of traces."""
    erased, judges = shows_erased(home, run), _judges(run)
    began = int(datetime.fromisoformat(decision.created_at).timestamp() * 1000) * MILLISECOND
    for part in sorted(parts, key=lambda one: one.number):
        for result in read_results(part.file):
            case = chosen.get(result.case_id)
            if case is None or result.repeat or erased(result):
                continue
            made = _trace(decision, run, case, result, began + len(shown), judges)
            passages = [each.model_copy(update={"text": ""}) for each in result.passages]
            shown[made.trace.id] = result.model_copy(
                update={"passages": tuple(passages), "answer": "", "scores": {}, "parsed": None}
            )
            yield made


def _judges(run: EvaluationRun) -> frozenset[str]:
    """The metrics that models give."""
    kinds = ((metric_of(spec), find("scorers", spec.name)) for spec in run.scorers)
    return frozenset(name for name, kind in kinds if issubclass(kind, Judge))


def _trace(
    decision: Decision,
    run: EvaluationRun,
    case: Case,
    result: Result,
    began: int,
    judges: frozenset[str],
) -> EvaluatedTrace:
    key = sha256(f"{decision.id}\x1f{case.id}\x1f{result.arm}")
    arm, version = run.arm(result.arm), decision.arms[result.arm].prompt.version
    ended = began + int(result.latency_ms * MILLISECOND)
    spans = _spans(decision, case, result, key, began, ended)
    record = TraceRecord(
        id=f"tr-{key[:32]}",
        name=f"{result.arm}: {masked_text(case.id)}"[:200],
        tags=dict.fromkeys(map(masked_text, case.tags), "true"),
        spans=tuple(spans),
    )
    return EvaluatedTrace(
        trace=record,
        case=masked_text(case.id),
        arm=result.arm,
        prompt=None if version is None else (arm.prompt.prompt.name, version),
        origin=_origin(case),
        scores=tuple(_scores(result, judges)),
        expected=_plain(case.expected),
    )


def _spans(
    decision: Decision, case: Case, result: Result, key: str, began: int, ended: int
) -> Iterator[SpanRecord]:
    arm, asked = decision.arms[result.arm], masked_text(question(case.inputs))
    root = key[32:48]
    yield SpanRecord(
        id=root,
        parent=None,
        name=f"{result.arm}: {masked_text(case.id)}"[:200],
        kind="CHAIN",
        start_ns=began,
        end_ns=ended,
        inputs=_plain({name: v for name, v in case.inputs.items() if name != "passages"}),
        outputs=masked_text(result.answer) if result.status == "answered" else None,
        error=masked_text(result.error) if result.status == "errored" else None,
    )
    if result.passages:
        yield SpanRecord(
            id=sha256(f"{key}/passages")[:16],
            parent=root,
            name="passages",
            kind="RETRIEVER",
            start_ns=began,
            end_ns=began,
            inputs={"query": asked},
            outputs=[
                masked_value(
                    {
                        "page_content": each.text,
                        "metadata": {"doc_uri": each.uri, "title": each.title},
                        "id": each.chunk_id,
                    }
                )
                for each in result.passages
            ],
        )
    yield SpanRecord(
        id=sha256(f"{key}/model")[:16],
        parent=root,
        name="ask the model",
        kind="CHAT_MODEL",
        start_ns=began,
        end_ns=ended,
        inputs={"prompt": arm.prompt.uri, "question": asked},
        outputs=masked_text(result.answer) if result.status == "answered" else None,
        attributes={"llmops.remembered": result.cached, "llmops.attempts": result.attempts},
        error=masked_text(result.error) if result.status == "errored" else None,
        model=str(_model(arm.llm)),
        usage=(result.tokens_in, result.tokens_out, result.cost_usd),
    )


def _model(llm: object) -> object:
    return llm.get("model", llm.get("name", "")) if isinstance(llm, Mapping) else llm


def _scores(result: Result, judges: frozenset[str]) -> Iterator[TraceScore]:
    """What could not be scored has no assessment: it is no zero."""
    for name, score in result.scores.items():
        if score.value is None:
            continue
        judge = name in judges
        why = masked_text(score.reason)
        yield TraceScore(name=name, value=score.value, rationale=why, judge=judge)
        for part, value in score.parts.items():
            yield TraceScore(name=f"{name}.{part}", value=value, judge=judge)


def _case(case: Case) -> EvaluatedCase:
    return EvaluatedCase(
        id=masked_text(case.id),
        inputs=_plain(case.inputs),
        expected=_plain(case.expected),
        tags=tuple(map(masked_text, case.tags)),
        origin=_origin(case),
    )


def _plain(values: Mapping[str, object]) -> dict[str, JsonValue]:
    """Without secrets, as JSON."""
    return cast(dict[str, JsonValue], masked_value(values))
