"""Where an answer comes from: its trace, the passages that it was given, the versions of the
documents that they are of, and the runs that brought those in.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypedDict

from llmops.tasks.errors import LlmopsError
from llmops.tasks.maintenance.explain import Provenance, explain
from llmops.tasks.traces import index, names, reading
from llmops.tasks.traces.trace import Trace


class PassageProvenance(TypedDict):
    """A passage that was found. `error`: why it cannot be followed, such as one that was erased;
    then the rest is empty.
    """

    chunk_id: str
    score: float
    knowledge_base: str
    version: int
    document: Mapping[str, object]
    source: str
    live: bool
    prefect_run_id: str | None
    mlflow_run_id: str | None
    config_sha256: str | None
    error: str


class TraceProvenance(TypedDict):
    """The object of `explain` for a trace."""

    kind: str
    id: str
    app: str
    status: str
    asked_at: str
    seconds: float
    stored: bool
    question: str
    answer: str
    cost_usd: float
    tokens: Mapping[str, int]
    tags: Mapping[str, str]
    feedback: Sequence[Mapping[str, object]]
    passages: Sequence[PassageProvenance]


class _Found(NamedTuple):
    kb: str
    version: int
    chunk_id: str
    score: float


def explain_trace(home: Path, trace_id: str) -> TraceProvenance:
    """The object of `explain` for a trace, in MLflow or still in the spool. Raises UsageError for
    one that is unknown, deleted or not kept, Unavailable where MLflow does not answer.
    """
    trace, ratings = reading.rated(home, trace_id)
    row = index.row(home, trace_id)
    return {
        "kind": "trace",
        "id": trace.id,
        "app": trace.app,
        "status": trace.status,
        "asked_at": index.moment(trace.began_ns).isoformat(),
        "seconds": round((trace.ended_ns - trace.began_ns) / 1e9, 3),
        "stored": row is None or row.stored_at is not None,
        "question": trace.question,
        "answer": trace.answer,
        "cost_usd": trace.cost_usd,
        "tokens": {"in": trace.tokens_in, "out": trace.tokens_out},
        "tags": trace.tags,
        "feedback": [
            {"name": each.name, "value": each.value, "comment": each.rationale} for each in ratings
        ],
        "passages": [_passage(home, each) for each in dict.fromkeys(_found(trace))],
    }


def _found(trace: Trace) -> Iterator[_Found]:
    """What the searches of a request gave, by the attributes of their spans."""
    for span in trace.spans:
        documents = span.attributes.get(names.DOCUMENTS)
        kb, _, version = str(span.attributes.get(names.DATA_SOURCE, "")).rpartition("@")
        if not isinstance(documents, list | tuple) or not version.isdecimal():
            continue
        for each in documents:
            if isinstance(each, Mapping) and each.get("id"):
                score = names.number(each, "score")
                yield _Found(kb, int(version), str(each["id"]), score)


def _passage(home: Path, found: _Found) -> PassageProvenance:
    passage: PassageProvenance = {
        "chunk_id": found.chunk_id,
        "score": found.score,
        "knowledge_base": found.kb,
        "version": found.version,
        "document": {},
        "source": "",
        "live": False,
        "prefect_run_id": None,
        "mlflow_run_id": None,
        "config_sha256": None,
        "error": "",
    }
    try:
        provenance = explain(home, found.chunk_id, found.kb)
    except LlmopsError as error:
        passage["error"] = str(error)
        return passage
    brought = _brought(provenance, found.version)
    document = provenance["document"]
    passage["document"] = {
        "uri": document["uri"],
        "title": document["title"],
        "doc_id": document["doc_id"],
        "fetched_at": document["fetched_at"],
        "content_hash": _content(document, found.version),
    }
    passage["source"], passage["live"] = str(document["source"]), provenance["live"]
    passage["prefect_run_id"] = brought.get("prefect_run_id")
    passage["mlflow_run_id"] = brought.get("mlflow_run_id")
    passage["config_sha256"] = brought.get("config_sha256")
    return passage


def _brought(provenance: Provenance, version: int) -> Mapping[str, Any]:
    """The version that was searched, as the ledger has it; empty where it is kept no more."""
    kept = (each for each in provenance["versions"] if each["version"] == version)
    return next(kept, {})


def _content(document: Mapping[str, Any], version: int) -> str:
    """The hash of the document's content as it was in that version."""
    for stretch in document["versions"]:
        if stretch["from"] <= version and (stretch["to"] is None or stretch["to"] > version):
            return str(stretch["content_hash"])
    return str(document["content_hash"])
