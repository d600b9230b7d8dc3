"""The copy over OTLP: what a collector gets, and that its failure costs MLflow's copy nothing."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from llmops.tasks.errors import ConfigError
from llmops.tasks.traces.otlp import OtlpExporter, exporter_of
from llmops.tasks.traces.settings import TraceSettings
from tests.traces.made import recorded

Received = list[tuple[str, ExportTraceServiceRequest]]


@pytest.fixture
def collector() -> Iterator[tuple[str, Received]]:
    received: Received = []

    class Collector(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Say nothing."""

        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"]))
            request = ExportTraceServiceRequest.FromString(content)
            received.append((self.headers["Authorization"], request))
            self.send_response(200)
            self.end_headers()

    server = HTTPServer(("127.0.0.1", 0), Collector)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v1/traces", received
    server.shutdown()
    server.server_close()


def test_a_collector_gets_the_spans(
    collector: tuple[str, Received], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, received = collector
    settings = TraceSettings(otlp=url, headers={"Authorization": "Bearer ${COLLECTOR_KEY}"})
    with pytest.raises(ConfigError, match="COLLECTOR_KEY is not set"):
        exporter_of(settings)
    monkeypatch.setenv("COLLECTOR_KEY", "k1")
    exporter, trace = exporter_of(settings), recorded(status="error")
    assert exporter is not None
    assert exporter.export([trace])
    authorization, request = received[0]
    assert authorization == "Bearer k1"
    (resource,) = request.resource_spans
    spans = resource.scope_spans[0].spans
    assert {span.trace_id.hex() for span in spans} == {trace.otel_id}
    assert [span.name for span in spans] == ["ask", "retrieve", "generate"]
    assert spans[1].parent_span_id == spans[0].span_id
    attributes = {pair.key: pair.value for pair in spans[2].attributes}
    assert attributes["gen_ai.usage.input_tokens"].int_value == 120
    assert spans[0].status.code == 2


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/v1/traces", "no address"])
def test_a_failure_is_counted_and_never_raised(url: str) -> None:
    exporter = OtlpExporter(url)
    assert not exporter.export([recorded(), recorded()])
    assert exporter.failed == 2
    assert exporter.last_error
