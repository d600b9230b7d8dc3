"""A copy of every trace over OTLP (http/protobuf), beside MLflow: sent once, when MLflow has the
trace. What fails is counted and not repeated; MLflow's copy is the one that is kept safe.
"""

from collections.abc import Mapping, Sequence

import httpx
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from llmops.tasks.plugins import reveal
from llmops.tasks.traces import names
from llmops.tasks.traces.settings import TraceSettings
from llmops.tasks.traces.trace import Trace, TraceSpan

SECONDS = 10.0
CONTENT_TYPE = "application/x-protobuf"
KINDS = {"CHAT_MODEL": Span.SPAN_KIND_CLIENT, "LLM": Span.SPAN_KIND_CLIENT}


class OtlpExporter:
    """Sends traces to one collector. `url`: its whole address, such as
    `http://collector:4318/v1/traces`.
    """

    def __init__(self, url: str, headers: Mapping[str, str] | None = None) -> None:
        self.url, self.failed, self.last_error = url, 0, ""
        self._headers = {**(headers or {}), "Content-Type": CONTENT_TYPE}

    def export(self, traces: Sequence[Trace]) -> bool:
        """Send them. Returns whether the collector took them; never raises."""
        if not traces:
            return True
        try:
            content = request_of(traces).SerializeToString()
            reply = httpx.post(self.url, content=content, headers=self._headers, timeout=SECONDS)
            reply.raise_for_status()
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            self.failed += len(traces)
            self.last_error = f"{type(error).__name__}: {error}".splitlines()[0][:300]
            return False
        return True


def exporter_of(settings: TraceSettings) -> OtlpExporter | None:
    """The one that an application wants. Raises ConfigError where a secret of it is not set."""
    if not settings.otlp:
        return None
    headers = {name: str(reveal(value)) for name, value in settings.headers.items()}
    return OtlpExporter(str(reveal(settings.otlp)), headers)


def request_of(traces: Sequence[Trace]) -> ExportTraceServiceRequest:
    """The traces as OpenTelemetry sends them, a resource per application."""
    request = ExportTraceServiceRequest()
    for trace in traces:
        resource = request.resource_spans.add()
        resource.resource.attributes.append(_pair("service.name", trace.app))
        scope = resource.scope_spans.add()
        scope.scope.name = "llmops"
        scope.spans.extend(_span(trace, span) for span in trace.spans)
    return request


def _span(trace: Trace, span: TraceSpan) -> Span:
    attributes = dict(span.attributes)
    if span.parent is None:
        attributes |= {names.CONVERSATION: trace.conversation, "user.id": trace.person}
        attributes |= {names.CONVENTIONS_KEY: names.CONVENTIONS, **trace.tags}
    attributes |= {"llmops.inputs": span.inputs, "llmops.outputs": span.outputs}
    failed = span.status == "error"
    code = Status.STATUS_CODE_ERROR if failed else Status.STATUS_CODE_OK
    return Span(
        trace_id=bytes.fromhex(trace.otel_id),
        span_id=bytes.fromhex(span.id),
        parent_span_id=bytes.fromhex(span.parent or ""),
        name=span.name,
        kind=KINDS.get(span.kind, Span.SPAN_KIND_INTERNAL),
        start_time_unix_nano=span.start_ns,
        end_time_unix_nano=span.end_ns,
        status=Status(code=code, message=span.error),
        attributes=[_pair(key, value) for key, value in attributes.items() if value],
    )


def _pair(key: str, value: object) -> KeyValue:
    return KeyValue(key=key, value=_any(value))


def _any(value: object) -> AnyValue:
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    if isinstance(value, int) and abs(value) < 2**63:
        return AnyValue(int_value=value)
    if isinstance(value, float):
        return AnyValue(double_value=value)
    if isinstance(value, Mapping):
        pairs = [_pair(str(key), item) for key, item in value.items()]
        return AnyValue(kvlist_value=KeyValueList(values=pairs))
    if isinstance(value, list | tuple):
        return AnyValue(array_value=ArrayValue(values=[_any(item) for item in value]))
    return AnyValue(string_value="" if value is None else str(value))
