"""Traces as the application records them, for the tests of this room."""

from pathlib import Path

from llmops.tasks.audit.people import pseudonym
from llmops.tasks.ledger import open_ledger
from llmops.tasks.traces import names
from llmops.tasks.traces.trace import Trace, TraceRecorder

PASSAGE = "Your password is reset on the page of your account."


SECRET = "sk-proj-0123456789abcdefABCDEF0123"


def person(home: Path, name: str = "helpdesk/ann") -> str:
    """The pseudonym of somebody who uses the application."""
    return pseudonym(open_ledger(home), name)


def recorder(
    question: str = "How do I reset my password?", *, app: str = "helpdesk", person: str = ""
) -> TraceRecorder:
    return TraceRecorder(app, question, conversation="c1", person=person, key_id="abc123abc123")


def recorded(
    question: str = "How do I reset my password?",
    answer: str = "On the page of your account [1].",
    *,
    app: str = "helpdesk",
    person: str = "",
    status: str = "ok",
    cost: float = 0.0025,
) -> Trace:
    """A question with a search and a paid answer."""
    made = recorder(question, app=app, person=person)
    made.tags |= {"knowledge_base": "handbook", "version": "3", "config": "f" * 12}
    with made.span("retrieve", "RETRIEVER", {"query": question}) as span:
        metadata = {"uri": "accounts.md", "chunk_id": "a1", "doc_id": "d1"}
        span.outputs = [{"page_content": PASSAGE, "metadata": metadata}]
        span.attributes |= names.retrieval(question, "handbook@3", [("a1", 0.75)])
    with made.span("generate", "CHAT_MODEL", {"messages": made.root.inputs}) as span:
        span.outputs = {"choices": [{"message": {"role": "assistant", "content": answer}}]}
        span.used("small", 120, 30, cost)
    return made.finish(answer, status)
