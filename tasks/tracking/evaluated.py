"""What an evaluation leaves on MLflow's GenAI pages: a trace per case and arm, its scores as
assessments, the cases as an evaluation data set; and how they go again.

They stand in the evaluation's own experiment, marked as what they are: production's traces are in
other experiments, and nothing that reads those takes these for them.
"""

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from llmops.tasks.tracking.batches import write_together
from llmops.tasks.tracking.evaluation import experiment_name
from llmops.tasks.tracking.records import TAG_LENGTH, cut
from llmops.tasks.tracking.store import opened, sqlite_file, tracking_uri
from llmops.tasks.tracking.trace_records import (
    COST,
    EVALUATED,
    KIND_TAG,
    USAGE,
    TraceRecord,
    mlflow_spans,
    usage_of,
)
from llmops.tasks.tracking.traces import PER_CALL, told

if TYPE_CHECKING:
    from mlflow.entities import Assessment, DatasetRecord, EvaluationDataset, Trace, TraceInfo
    from mlflow.store.tracking.abstract_store import AbstractStore
    from mlflow.tracking import MlflowClient

HOLDING = "llmops.traces"
"""The tag of experiments that hold traces of evaluations."""
ORIGIN = "llmops.from_trace"
"""The tag of an evaluation's trace whose case was made of a trace of production."""
CASE, ARM, DECISION = "llmops.case", "llmops.arm", "llmops.decision"
LINKED = "mlflow.linkedPrompts"
PREVIEW = 1000
SHA256 = "llmops.sha256"
Quotes = Callable[[str], bool]
T = TypeVar("T")


class TraceScore(BaseModel):
    """What a scorer said. `judge`: a model gave it."""

    model_config = ConfigDict(frozen=True)
    name: str
    value: float
    rationale: str = ""
    judge: bool = False


class EvaluatedTrace(BaseModel):
    """What one arm made of one case. `prompt`: name and version in the registry; `origin`: the
    trace of production that the case was made of, "" for none.
    """

    model_config = ConfigDict(frozen=True)
    trace: TraceRecord
    case: str
    arm: str
    prompt: tuple[str, int] | None = None
    origin: str = ""
    scores: tuple[TraceScore, ...] = ()
    expected: Mapping[str, JsonValue] = Field(default_factory=dict)


class EvaluatedCase(BaseModel):
    """A case as a record of a data set."""

    model_config = ConfigDict(frozen=True)
    id: str
    inputs: Mapping[str, JsonValue]
    expected: Mapping[str, JsonValue] = Field(default_factory=dict)
    tags: tuple[str, ...] = ()
    origin: str = ""


class EvaluationPlace(NamedTuple):
    """Where an evaluation was recorded: its experiment, and the run of each arm."""

    experiment: str
    runs: Mapping[str, str]


def write_traces(
    home: Path,
    run_id: str,
    decision: str,
    traces: Iterable[EvaluatedTrace],
    uri: str | None = None,
) -> list[str]:
    """Write them into the experiment of the evaluation's run, some at a time; those that are there
    stay as they are. Returns the ids of all. Raises Unavailable, TraceRefused.
    """
    uri = tracking_uri(home, uri)
    written: list[str] = []
    with opened(home, uri) as client, told():
        place = _place(client, run_id)
        client.set_experiment_tag(place.experiment, HOLDING, EVALUATED)
        store = client._tracking_client.store
        for part in _batches(traces):
            ids = [each.trace.id for each in part]
            there = {info.trace_id for info in store.batch_get_trace_infos(ids)}
            new = [each for each in part if each.trace.id not in there]
            infos = [_info(each, place, decision) for each in new]
            spans = [span for each in new for span in mlflow_spans(each.trace, tagged=False)]
            write_together(store, place.experiment, infos, spans)
            written += ids
    return written


def write_cases(
    home: Path,
    run_id: str,
    name: str,
    sha256: str,
    cases: Sequence[EvaluatedCase],
    uri: str | None = None,
) -> str:
    """The cases as the evaluation data set `<name> cases <hash>`, which is written once. Returns
    its id. Raises Unavailable, TraceRefused.
    """
    uri = tracking_uri(home, uri)
    with opened(home, uri) as client, told():
        experiment = _place(client, run_id).experiment
        client.set_experiment_tag(experiment, HOLDING, EVALUATED)
        whole = {SHA256: sha256, "llmops.cases": str(len(cases))}
        called = f"{name} cases {sha256[:8]}"
        for known in client.search_datasets([experiment]):
            if known.name == called and whole.items() <= (known.tags or {}).items():
                return str(known.dataset_id)
        tags = {**whole, KIND_TAG: EVALUATED}
        made = client.create_dataset(called, experiment, tags)
        store = client._tracking_client.store
        for part in _batches(cases):
            store.upsert_dataset_records(made.dataset_id, [_row(case) for case in part])
    return str(made.dataset_id)


def forget_traces(home: Path, run_id: str, ids: Collection[str], uri: str | None = None) -> int:
    """Delete traces of the evaluation of a run. Returns how many there were."""
    uri = tracking_uri(home, uri)
    with opened(home, uri) as client, told():
        return _delete(client, _place(client, run_id).experiment, ids)


def forget_quoting(
    home: Path, evaluations: Collection[str], quotes: Quotes, uri: str | None = None
) -> int:
    """Delete every trace of these evaluations, and every record of their data sets, that says
    something. Returns how many. Raises Unavailable.
    """
    said, held = (lambda trace: quotes(_said(trace))), (lambda row: quotes(_json(row)))
    return _forget(home, evaluations, uri, said, held)


def forget_made_of(
    home: Path, evaluations: Collection[str], origins: Collection[str], uri: str | None = None
) -> int:
    """The same for those whose case was made of one of these traces of production."""
    gone = frozenset(origins)
    tagged = f"tags.`{ORIGIN}` LIKE 'tr-%'"

    def mine(trace: "Trace") -> bool:
        return trace.info.tags.get(ORIGIN) in gone

    def made_of(row: Mapping[str, object]) -> bool:
        tags = row.get("tags")
        return isinstance(tags, Mapping) and tags.get(ORIGIN) in gone

    return _forget(home, evaluations, uri, mine, made_of, tagged, spans=False)


def _forget(
    home: Path,
    evaluations: Collection[str],
    uri: str | None,
    trace_goes: "Callable[[Trace], bool]",
    row_goes: Callable[[Mapping[str, object]], bool],
    matching: str | None = None,
    *,
    spans: bool = True,
) -> int:
    """Experiments that somebody deleted in the interface are looked through, too."""
    uri = tracking_uri(home, uri)
    database, count = sqlite_file(uri), 0
    if not evaluations or (database and not database.exists()):
        return 0
    with opened(home, uri) as client, told():
        for name in sorted(evaluations):
            experiment = client.get_experiment_by_name(experiment_name(name))
            if experiment is None or experiment.tags.get(HOLDING) != EVALUATED:
                continue
            place = str(experiment.experiment_id)
            found = _traces(client, place, matching, spans=spans)
            count += _delete(client, place, [str(e.info.trace_id) for e in found if trace_goes(e)])
            for dataset in client.search_datasets([place]):
                count += _delete_records(client, dataset, row_goes)
    return count


def _traces(
    client: "MlflowClient", experiment: str, matching: str | None, *, spans: bool
) -> "Iterator[Trace]":
    token = None
    while True:
        page = client.search_traces(
            locations=[experiment],
            filter_string=matching,
            max_results=PER_CALL,
            page_token=token,
            include_spans=spans,
        )
        yield from page
        token = page.token
        if not token:
            return


def _delete(client: "MlflowClient", experiment: str, ids: Collection[str]) -> int:
    return sum(client.delete_traces(experiment, trace_ids=part) for part in _batches(ids))


def _delete_records(
    client: "MlflowClient",
    dataset: "EvaluationDataset",
    goes: Callable[[Mapping[str, object]], bool],
) -> int:
    store = client._tracking_client.store
    gone = [
        str(row.dataset_record_id)
        for row in _records(store, str(dataset.dataset_id))
        if goes(row.to_dict())
    ]
    for part in _batches(gone):
        store.delete_dataset_records(dataset.dataset_id, part)
    return len(gone)


def _records(store: "AbstractStore", dataset_id: str) -> "Iterator[DatasetRecord]":
    token = None
    while True:
        rows, token = store._load_dataset_records(dataset_id, PER_CALL, token)
        yield from rows
        if not token:
            return


def _said(trace: "Trace") -> str:
    """All that a trace says, as one text."""
    return _json(trace.to_dict())


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def _batches(items: Iterable[T]) -> Iterator[list[T]]:
    left = iter(items)
    while part := list(islice(left, PER_CALL)):
        yield part


def _place(client: "MlflowClient", run_id: str) -> EvaluationPlace:
    run = client.get_run(run_id).info
    arms = client.search_runs([run.experiment_id], f"tags.mlflow.parentRunId = '{run_id}'")
    return EvaluationPlace(
        str(run.experiment_id), {arm.data.tags.get("arm", ""): arm.info.run_id for arm in arms}
    )


def _info(each: EvaluatedTrace, place: EvaluationPlace, decision: str) -> "TraceInfo":
    from mlflow.entities import TraceInfo, TraceLocation, TraceState
    from mlflow.tracing.constant import TraceMetadataKey

    root = each.trace.spans[0]
    run = place.runs.get(each.arm, "")
    tags = {
        **each.trace.tags,
        "mlflow.traceName": each.trace.name,
        KIND_TAG: EVALUATED,
        CASE: each.case,
        ARM: each.arm,
        DECISION: decision,
        **({ORIGIN: each.origin} if each.origin else {}),
    }
    if each.prompt is not None:
        name, version = each.prompt
        tags[LINKED] = json.dumps([{"name": name, "version": str(version)}])
    return TraceInfo(
        trace_id=each.trace.id,
        trace_location=TraceLocation.from_experiment_id(place.experiment),
        request_time=root.start_ns // 1_000_000,
        execution_duration=(root.end_ns - root.start_ns) // 1_000_000,
        state=TraceState.ERROR if root.error is not None else TraceState.OK,
        request_preview=_preview(root.inputs),
        response_preview=_preview(root.outputs),
        trace_metadata={
            **({TraceMetadataKey.SOURCE_RUN: run} if run else {}),
            **_used(each.trace),
        },
        tags={name: cut(value, TAG_LENGTH) for name, value in tags.items()},
        assessments=list(_assessments(each, run)),
    )


def _used(trace: TraceRecord) -> dict[str, str]:
    """Tokens and cost of the whole trace, which MLflow would otherwise sum up and write once more
    for each.
    """
    from mlflow.tracing.constant import TraceMetadataKey

    paid = [span.usage for span in trace.spans if span.usage]
    if not paid:
        return {}
    tokens_in, tokens_out, costs = zip(*paid, strict=True)
    whole = usage_of((sum(tokens_in), sum(tokens_out), sum(costs)))
    return {
        TraceMetadataKey.TOKEN_USAGE: json.dumps(whole[USAGE]),
        TraceMetadataKey.COST: json.dumps(whole[COST]),
    }


def _preview(value: object) -> str:
    return cut(value if isinstance(value, str) else _json(value), PREVIEW)


def _assessments(each: EvaluatedTrace, run: str) -> "Iterator[Assessment]":
    from mlflow.entities import AssessmentSource, Expectation, Feedback
    from mlflow.entities.assessment_source import AssessmentSourceType
    from mlflow.tracing.constant import AssessmentMetadataKey

    at = each.trace.spans[0].end_ns // 1_000_000
    metadata = {AssessmentMetadataKey.SOURCE_RUN_ID: run} if run else {}
    for score in each.scores:
        kind = AssessmentSourceType.LLM_JUDGE if score.judge else AssessmentSourceType.CODE
        yield Feedback(
            name=score.name,
            value=score.value,
            rationale=score.rationale or None,
            source=AssessmentSource(kind, score.name),
            trace_id=each.trace.id,
            metadata=dict(metadata),
            create_time_ms=at,
            last_update_time_ms=at,
        )
    for name, value in each.expected.items():
        yield Expectation(
            name=name,
            value=value,
            source=AssessmentSource(AssessmentSourceType.HUMAN, "case"),
            trace_id=each.trace.id,
            metadata=dict(metadata),
            create_time_ms=at,
            last_update_time_ms=at,
        )


def _row(case: EvaluatedCase) -> dict[str, object]:
    origin = {ORIGIN: case.origin} if case.origin else {}
    row: dict[str, object] = {
        "inputs": dict(case.inputs),
        "expectations": dict(case.expected) or None,
        "tags": {CASE: case.id, **({"tags": ", ".join(case.tags)} if case.tags else {}), **origin},
    }
    if case.origin:
        row["source"] = {"source_type": "TRACE", "source_data": {"trace_id": case.origin}}
    return row
