"""An answered case as a trace of MLflow, in memory, for scorers that read one."""

from base64 import b64encode
from hashlib import sha256
from json import dumps
from typing import Any

from llmops.tasks.plugins import canonical
from llmops.tasks.plugins.importing import Foreign, imported
from llmops.tasks.plugins.scorers import Sample


def trace_of(sample: Sample) -> Foreign:
    """A trace of two spans: the answer, and within it the retrieval, whose outputs are the passages
    as MLflow's scorers read them. Its id comes from the content.
    """
    seed = sha256(canonical(sample.model_dump(mode="json")).encode("utf-8", "replace")).digest()
    trace, root, retrieval = seed[:16], seed[16:24], seed[24:32]
    documents = [
        {"page_content": one.text, "metadata": {"doc_uri": one.uri, "title": one.title}}
        for one in sample.passages
    ]
    lasting = int(sample.latency_ms * 1_000_000)
    spans = [
        _span(trace, root, None, "answer", "CHAIN", sample.case.inputs, sample.answer, lasting),
        _span(trace, retrieval, root, "search", "RETRIEVER", sample.question, documents, 0),
    ]
    made: Any = imported("mlflow.entities:Trace")
    return made.from_dict({"info": _info(trace, sample), "data": {"spans": spans}})


def _info(trace: bytes, sample: Sample) -> dict[str, object]:
    return {
        "trace_id": f"tr-{trace.hex()}",
        "trace_location": {
            "type": "MLFLOW_EXPERIMENT",
            "mlflow_experiment": {"experiment_id": "0"},
        },
        "request_time": "1970-01-01T00:00:00Z",
        "execution_duration": f"{sample.latency_ms / 1000:.3f}s",
        "state": "OK",
        "request_preview": sample.question,
        "response_preview": sample.answer,
        "trace_metadata": {"mlflow.trace_schema.version": "3"},
        "tags": {},
        "assessments": [],
    }


def _span(
    trace: bytes,
    own: bytes,
    parent: bytes | None,
    name: str,
    kind: str,
    inputs: object,
    outputs: object,
    lasting: int,
) -> dict[str, object]:
    attributes = {
        "mlflow.traceRequestId": f"tr-{trace.hex()}",
        "mlflow.spanType": kind,
        "mlflow.spanInputs": inputs,
        "mlflow.spanOutputs": outputs,
    }
    return {
        "trace_id": _base64(trace),
        "span_id": _base64(own),
        "parent_span_id": _base64(parent) if parent else None,
        "name": name,
        "start_time_unix_nano": 0,
        "end_time_unix_nano": lasting,
        "status": {"code": "STATUS_CODE_OK", "message": ""},
        "events": [],
        "attributes": {key: dumps(value, default=str) for key, value in attributes.items()},
    }


def _base64(value: bytes) -> str:
    return b64encode(value).decode()
