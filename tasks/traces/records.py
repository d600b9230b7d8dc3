"""A trace of ours as a record of MLflow's, and back."""

from collections.abc import Mapping, Sequence

from llmops.tasks.traces import names
from llmops.tasks.traces.trace import Trace, TraceSpan
from llmops.tasks.tracking.trace_records import SpanRecord, TraceRecord

WHOLE = (names.CONVENTIONS_KEY, names.KEY)
"""Attributes of the first span that are of the trace as a whole."""


def as_record(trace: Trace) -> TraceRecord:
    """What MLflow is given. Tokens and cost stand on the spans that paid."""
    tags = {**trace.tags, "app": trace.app, "status": trace.status}
    return TraceRecord(
        id=trace.id,
        name=trace.spans[0].name if trace.spans else "ask",
        session=trace.conversation,
        user=trace.person,
        tags={key: value for key, value in tags.items() if value},
        spans=tuple(_span_record(trace, span) for span in trace.spans),
    )


def as_trace(record: TraceRecord) -> Trace:
    """What MLflow gave back. What the application's config did not record stays empty."""
    own = ("app", "status")
    root = next((span for span in record.spans if span.parent is None), None)
    return Trace(
        id=record.id,
        app=record.tags.get("app", ""),
        conversation=record.session,
        person=record.user,
        key_id=str(root.attributes.get(names.KEY, "")) if root else "",
        began_ns=root.start_ns if root else 0,
        ended_ns=root.end_ns if root else 0,
        status=record.tags.get("status", "ok"),
        question=_said(root.inputs if root else None, "messages"),
        answer=_said(root.outputs if root else None, "choices"),
        spans=[_span(span) for span in record.spans],
        tags={key: value for key, value in record.tags.items() if key not in own},
        cost_usd=record.cost_usd,
        tokens_in=record.tokens[0],
        tokens_out=record.tokens[1],
    )


def _span_record(trace: Trace, span: TraceSpan) -> SpanRecord:
    paid = names.COST in span.attributes or names.INPUT_TOKENS in span.attributes
    sums = (names.INPUT_TOKENS, names.OUTPUT_TOKENS, names.COST)
    tokens_in, tokens_out, cost = (names.number(span.attributes, name) for name in sums)
    whole = {names.CONVENTIONS_KEY: names.CONVENTIONS, names.KEY: trace.key_id}
    attributes = span.attributes | ({} if span.parent else whole)
    return SpanRecord(
        id=span.id,
        parent=span.parent,
        name=span.name,
        kind=span.kind,
        start_ns=span.start_ns,
        end_ns=span.end_ns,
        inputs=span.inputs,
        outputs=span.outputs,
        attributes=attributes,
        error=span.error or "it failed" if span.status == "error" else None,
        model=str(span.attributes.get(names.REQUEST_MODEL) or ""),
        usage=(int(tokens_in), int(tokens_out), cost) if paid else None,
    )


def _span(record: SpanRecord) -> TraceSpan:
    return TraceSpan(
        id=record.id,
        parent=record.parent,
        name=record.name,
        kind=record.kind,
        start_ns=record.start_ns,
        end_ns=record.end_ns,
        inputs=record.inputs,
        outputs=record.outputs,
        attributes={key: value for key, value in record.attributes.items() if key not in WHOLE},
        status="ok" if record.error is None else "error",
        error=record.error or "",
    )


def _said(value: object, within: str) -> str:
    """The text of the last message, or of the first choice."""
    items = value.get(within) if isinstance(value, Mapping) else None
    if not isinstance(items, Sequence) or not items:
        return ""
    item = items[-1] if within == "messages" else items[0]
    message = item.get("message", item) if isinstance(item, Mapping) else None
    content = message.get("content") if isinstance(message, Mapping) else None
    return content if isinstance(content, str) else ""
