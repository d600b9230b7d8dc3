"""How a trace looks in MLflow, and back: spans, tags, tokens, cost and assessments by its names."""

import base64
import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

from llmops.tasks.tracking.records import TAG_LENGTH, cut

if TYPE_CHECKING:
    from mlflow.entities import Assessment, Span
    from mlflow.entities import Trace as MlflowTrace

INPUTS, OUTPUTS, KIND = "mlflow.spanInputs", "mlflow.spanOutputs", "mlflow.spanType"
REQUEST, USAGE, COST = "mlflow.traceRequestId", "mlflow.chat.tokenUsage", "mlflow.llm.cost"
MODEL, PROVIDER = "mlflow.llm.model", "mlflow.llm.provider"
TAG_PREFIX, NAME_TAG = "mlflow.traceTag.", "mlflow.traceName"
USER, SESSION = "mlflow.trace.user", "mlflow.trace.session"
KEY = "idempotency_key"
KIND_TAG, EVALUATED = "llmops.kind", "evaluation"
"""What tells the traces of evaluations from those of production."""
OWN = (REQUEST, KIND, INPUTS, OUTPUTS, MODEL, PROVIDER, USAGE, COST, "session.id", "user.id")


class Rating(BaseModel):
    """What a person or a scorer says of a trace. `key` makes it one: a second of the same key takes
    the first one's place. `value` None: none is given, and the former goes.
    """

    model_config = ConfigDict(frozen=True)
    key: str
    name: str
    value: bool | float | str | None
    rationale: str = ""
    source: str = ""
    human: bool = True
    expectation: bool = False


class SpanRecord(BaseModel):
    """A step in MLflow. `usage`: tokens in, tokens out and cost of a paid call; `attributes` under
    names of their own, as they are.
    """

    model_config = ConfigDict(frozen=True)
    id: str
    parent: str | None
    name: str
    kind: str
    start_ns: int
    end_ns: int
    inputs: object = None
    outputs: object = None
    attributes: Mapping[str, object] = Field(default_factory=dict)
    error: str | None = None
    model: str = ""
    usage: tuple[int, int, float] | None = None


class TraceRecord(BaseModel):
    """A trace in MLflow. `id`: `tr-` and 32 digits; `user`: a pseudonym; `tokens` and `cost_usd`
    are read, never written: MLflow sums them over the spans.
    """

    model_config = ConfigDict(frozen=True)
    id: str
    name: str
    session: str = ""
    user: str = ""
    tags: Mapping[str, str] = Field(default_factory=dict)
    spans: tuple[SpanRecord, ...]
    tokens: tuple[int, int] = (0, 0)
    cost_usd: float = 0.0
    ratings: tuple[Rating, ...] = ()


def mlflow_spans(trace: TraceRecord, *, tagged: bool = True) -> "Iterator[Span]":
    """`tagged`: the first one carries the tags of the trace; where the trace is written beside its
    spans, it has them itself.
    """
    from mlflow.entities import Span

    for span in trace.spans:
        yield Span.from_dict(
            {
                "trace_id": _base64(trace.id.removeprefix("tr-")),
                "span_id": _base64(span.id),
                "parent_span_id": _base64(span.parent) if span.parent else None,
                "name": span.name,
                "start_time_unix_nano": span.start_ns,
                "end_time_unix_nano": span.end_ns,
                "status": {
                    "code": "STATUS_CODE_OK" if span.error is None else "STATUS_CODE_ERROR",
                    "message": span.error or "",
                },
                "events": [],
                "attributes": {
                    key: json.dumps(value, ensure_ascii=False)
                    for key, value in _attributes(trace, span, tagged=tagged).items()
                },
            }
        )


def usage_of(usage: tuple[int, int, float]) -> dict[str, dict[str, float]]:
    """Tokens and cost in US dollars, under the names of a span's attributes."""
    tokens_in, tokens_out, cost = usage
    tokens: dict[str, float] = {
        "input_tokens": tokens_in,
        "output_tokens": tokens_out,
        "total_tokens": tokens_in + tokens_out,
    }
    # also where nothing was paid: MLflow would price it by a list of its own
    return {USAGE: tokens, COST: {"input_cost": 0.0, "output_cost": cost, "total_cost": cost}}


def _attributes(trace: TraceRecord, span: SpanRecord, *, tagged: bool) -> dict[str, object]:
    found: dict[str, object] = {REQUEST: trace.id, KIND: span.kind, **span.attributes}
    found |= {} if span.inputs is None else {INPUTS: span.inputs}
    found |= {} if span.outputs is None else {OUTPUTS: span.outputs}
    found |= {MODEL: span.model} if span.model else {}
    found |= usage_of(span.usage) if span.usage else {}
    if span.parent is None:
        found |= {"session.id": trace.session} if trace.session else {}
        found |= {"user.id": trace.user} if trace.user else {}
        tags = {NAME_TAG: trace.name, **trace.tags} if tagged else {}
        found |= {f"{TAG_PREFIX}{key}": cut(value, TAG_LENGTH) for key, value in tags.items()}
    return found


def record_of(trace: "MlflowTrace") -> TraceRecord:
    info = trace.info
    usage, metadata = info.token_usage or {}, info.trace_metadata
    cost = json.loads(metadata.get("mlflow.trace.cost") or "{}")
    tags = {key: value for key, value in info.tags.items() if not key.startswith("mlflow.")}
    return TraceRecord(
        id=info.trace_id,
        name=info.tags.get(NAME_TAG, ""),
        session=metadata.get(SESSION, ""),
        user=metadata.get(USER, ""),
        tags=tags,
        spans=tuple(_span_record(span) for span in trace.data.spans),
        tokens=(usage.get("input_tokens", 0), usage.get("output_tokens", 0)),
        cost_usd=float(cost.get("total_cost", 0.0)),
        ratings=tuple(_rating(each) for each in info.assessments),
    )


def _span_record(span: "Span") -> SpanRecord:
    attributes = span.attributes
    failed = span.status.status_code.value == "ERROR"
    return SpanRecord(
        id=span.span_id,
        parent=span.parent_id,
        name=span.name,
        kind=span.span_type or "UNKNOWN",
        start_ns=span.start_time_ns,
        end_ns=span.end_time_ns or span.start_time_ns,
        inputs=span.inputs,
        outputs=span.outputs,
        attributes={
            key: value
            for key, value in attributes.items()
            if key not in OWN and not key.startswith(TAG_PREFIX)
        },
        error=(span.status.description or "") if failed else None,
        model=str(attributes.get(MODEL) or ""),
    )


def _base64(digits: str) -> str:
    return base64.b64encode(bytes.fromhex(digits)).decode()


def key_of(assessment: "Assessment") -> str:
    return str((assessment.metadata or {}).get(KEY, ""))


def assessment(trace_id: str, rating: Rating) -> "Assessment":
    from mlflow.entities import AssessmentSource, Expectation, Feedback
    from mlflow.entities.assessment_source import AssessmentSourceType

    kind = AssessmentSourceType.HUMAN if rating.human else AssessmentSourceType.CODE
    source = AssessmentSource(kind, rating.source or "unknown")
    metadata = {KEY: rating.key}
    if rating.expectation:
        return Expectation(
            name=rating.name,
            value=rating.value,
            source=source,
            trace_id=trace_id,
            metadata=metadata,
        )
    return Feedback(
        name=rating.name,
        value=rating.value,
        rationale=rating.rationale or None,
        source=source,
        trace_id=trace_id,
        metadata=metadata,
    )


def _rating(assessment: "Assessment") -> Rating:
    whole = assessment.feedback or assessment.expectation
    value = getattr(whole, "value", None)
    return Rating(
        key=key_of(assessment),
        name=assessment.name,
        value=value if isinstance(value, bool | float | str | None) else str(value),
        rationale=str(getattr(assessment, "rationale", "") or ""),
        source=str(assessment.source.source_id),
        human=assessment.source.source_type == "HUMAN",
        expectation=assessment.expectation is not None,
    )
