"""A stand-in of an MLflow server that keeps traces in memory, with faults on demand."""

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


class Tracking:
    """`fault`: "" for none, `500`, `slow` (seconds in `delay`), `forget` (it takes and keeps
    nothing). `poison`: the ids of traces that it refuses with `poison_status`.
    """

    def __init__(self) -> None:
        self.fault, self.delay, self.poison, self.poison_status = "", 0.0, set[str](), 500
        self.spans: dict[str, dict[str, Any]] = {}
        self.posts = Counter[str]()
        self.uri = ""

    def take(self, content: bytes) -> int:
        """Spans over OTLP."""
        from mlflow.entities import Span
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
            ExportTraceServiceRequest,
        )

        request = ExportTraceServiceRequest.FromString(content)
        spans = [
            Span.from_otel_proto(span)
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]
        ids = {span.trace_id for span in spans}
        self.posts.update(ids)
        if ids & self.poison:
            return self.poison_status
        if self.fault != "forget":
            for span in spans:
                self.spans.setdefault(span.trace_id, {})[span.span_id] = span
        return 200

    def give(self, ids: list[str]) -> dict[str, Any]:
        """Traces with their spans."""
        from mlflow.entities import (
            Trace,
            TraceData,
            TraceInfo,
            TraceLocation,
            TraceState,
        )
        from mlflow.utils.proto_json_utils import message_to_json

        traces = []
        for each in ids:
            if spans := list(self.spans.get(each, {}).values()):
                location = TraceLocation.from_experiment_id("1")
                info = TraceInfo(each, location, 0, TraceState.OK, tags={}, trace_metadata={})
                proto = Trace(info, TraceData(spans)).to_proto()  # type: ignore[no-untyped-call]
                traces.append(json.loads(message_to_json(proto)))
        return {"traces": traces}


class TrackingHandler(BaseHTTPRequestHandler):
    """Speaks as much of MLflow's API as traces need."""

    tracking: Tracking
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def reply(self, status: int, body: object, kind: str = "application/json") -> None:
        content = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_GET(self) -> None:
        if self.path in ("/health", "/version"):
            self.reply(200, "3.17.2" if self.path == "/version" else "OK", "text/plain")
        else:
            self.answer(b"")

    def do_POST(self) -> None:
        self.answer(self.rfile.read(int(self.headers.get("Content-Length") or 0)))

    def answer(self, content: bytes) -> None:
        if self.tracking.fault == "slow":
            time.sleep(self.tracking.delay)
        if self.tracking.fault == "500":
            self.reply(500, {"error_code": "INTERNAL_ERROR", "message": "no"})
        elif self.path.startswith("/v1/traces"):
            status = self.tracking.take(content)
            self.reply(status, {} if status == 200 else {"message": "this one not"})
        elif self.path.endswith("delete-traces"):
            ids = json.loads(content)["request_ids"]
            gone = [each for each in ids if self.tracking.spans.pop(each, None)]
            self.reply(200, {"traces_deleted": len(gone)})
        elif "batchGet" in self.path:
            ids = parse_qs(urlsplit(self.path).query).get("trace_ids", [])
            self.reply(200, self.tracking.give(ids))
        else:
            experiment = {"experiment_id": "1", "name": "x", "lifecycle_stage": "active"}
            self.reply(200, {"experiment": experiment, "experiment_id": "1"})


@contextmanager
def tracking_server(port: int = 0) -> Iterator[Tracking]:
    """It runs in a thread; its address is `uri`."""
    tracking = Tracking()
    handler = type("Handler", (TrackingHandler,), {"tracking": tracking})
    server = ThreadingHTTPServer(("127.0.0.1", port), handler)
    server.daemon_threads = True
    tracking.uri = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield tracking
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
