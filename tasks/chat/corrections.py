"""From what somebody said of an answer to a curated one."""

from collections.abc import Mapping
from pathlib import Path

from sqlalchemy import select

from llmops.tasks.chat.curated import NewCurated
from llmops.tasks.errors import UsageError
from llmops.tasks.ledger import existing_ledger
from llmops.tasks.ledger.application import feedback
from llmops.tasks.traces.reading import trace as read_trace
from llmops.tasks.traces.trace import Trace

RETRIEVE, LABELS = "retrieve", "labels"


def from_trace(
    home: Path, app: str, trace_id: str, given: NewCurated, *, asks_labels: bool = True
) -> NewCurated:
    """What is given, and for the rest what the trace has: its question, the newest correction, and
    the labels that were held when it was asked, so that the answer goes to nobody who holds less.

    Raises UsageError for a trace that is unknown or of another application, and where something is
    missing; Unavailable where MLflow does not answer.
    """
    trace = read_trace(home, trace_id)
    if trace.app != app:
        raise UsageError(
            f"{trace_id!r} is no trace of {app!r}", hint=f"llmops traces list --app {app}"
        )
    question = given.question or trace.question
    correction = given.answer or _correction(home, trace_id)
    if not question or not correction:
        missing = "--question" if not question else "--answer"
        what = "its question" if not question else "a correction"
        raise UsageError(f"the trace does not have {what}", where=missing, hint=f"give {missing}")
    labels = _labels(trace) if asks_labels else given.labels
    new = {"question": question, "answer": correction, "labels": labels, "trace_id": trace_id}
    return given.model_copy(update=new)


def _correction(home: Path, trace_id: str) -> str:
    query = (
        select(feedback.c.correction)
        .where(feedback.c.trace_id == trace_id, feedback.c.correction != "")
        .order_by(feedback.c.updated_at.desc())
    )
    with existing_ledger(home).read() as connection:
        return connection.scalar(query) or ""


def searched_with(trace: Trace) -> frozenset[str] | None:
    """The labels that passages were searched with; None where the trace does not say it."""
    for span in trace.spans:
        if span.name == RETRIEVE and isinstance(span.inputs, Mapping):
            labels = span.inputs.get(LABELS)
            if isinstance(labels, list):
                return frozenset(map(str, labels))
    return None


def _labels(trace: Trace) -> frozenset[str]:
    if (labels := searched_with(trace)) is not None:
        return labels
    raise UsageError(
        "the trace does not say which labels were held when it was asked",
        where="--labels",
        hint="give --labels with those that the answer is for; --labels '' for everybody",
    )
