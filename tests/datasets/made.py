"""Answers that people have said something of, in a home with a spool, a ledger and no server."""

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from sqlalchemy import select, update

from llmops.tasks.audit.people import pseudonym
from llmops.tasks.errors import UsageError
from llmops.tasks.ledger import now, open_ledger
from llmops.tasks.ledger.application import feedback, traces
from llmops.tasks.ledger.review import review_items, reviews
from llmops.tasks.review.items import NewItem, enqueue
from llmops.tasks.review.reviewing import Review, submit
from llmops.tasks.traces import index, names
from llmops.tasks.traces.feedback import Feedback, rate
from llmops.tasks.traces.spool import TraceSpool
from llmops.tasks.traces.trace import Trace, TraceRecorder

APP = "helpdesk"
PASSAGE = "Account. Your password is reset on the page of your account. A mail confirms it."
LABELS: tuple[str, ...] = ("staff",)


def answered(
    home: Path,
    question: str = "How do I reset my password?",
    answer: str = "Ask the desk.",
    *,
    passage: str = PASSAGE,
    labels: Sequence[str] | None = LABELS,
    status: str = "ok",
    trace_id: str | None = None,
    app: str = APP,
    cached: str = "",
) -> Trace:
    """An answer that waits in the spool, as it does before MLflow has it."""
    made = TraceRecorder(app, question, trace_id=trace_id)
    made.tags |= {"knowledge_base": "handbook", "version": "3", "prompt": "p@1", "model": "small"}
    made.tags |= {"cached": cached} if cached else {}
    asked: dict[str, object] = {"query": question} | (
        {} if labels is None else {"labels": list(labels)}
    )
    with made.span("retrieve", "RETRIEVER", asked) as span:
        metadata = {"uri": "accounts.md", "chunk_id": "a1", "doc_id": "d1"}
        span.outputs = [{"page_content": passage, "metadata": metadata}]
        span.attributes |= names.retrieval(question, "handbook@3", [("a1", 0.75)])
    messages = [
        {"role": "system", "content": f"Answer from these passages.\n{passage}"},
        {"role": "user", "content": question},
    ]
    with made.span("generate", "CHAT_MODEL", {"messages": messages}):
        pass
    trace = made.finish(answer, status)
    index.enter(home, [trace])
    TraceSpool(home, app, 10**9).put(trace)
    return trace


def say(
    home: Path,
    trace_id: str,
    rating: str | None,
    correction: str = "",
    *,
    person: str = "",
    key_id: str = "",
) -> None:
    rate(home, trace_id, person, Feedback(rating, correction=correction), key_id=key_id)


def review(
    home: Path,
    trace_id: str,
    reviewer: str,
    verdict: Literal["good", "bad", "discard", "withdrawn"],
    correction: str = "",
    *,
    relevant: Sequence[str] = (),
    wanted: int = 1,
    adjudicates: bool = False,
    app: str = APP,
) -> None:
    """A review by somebody of that name; there is an item for it, with no reason but this. Nothing
    happens where there is nothing to withdraw.
    """
    who = pseudonym(open_ledger(home), reviewer)
    enqueue(home, app, app, [NewItem(trace_id, ("asked",), 1.0)], wanted)
    mine = select(review_items.c.id).where(review_items.c.trace_id == trace_id)
    with open_ledger(home).read() as connection:
        item = str(connection.scalars(mine).one())
    said = Review(verdict, correction, tuple(relevant))
    with contextlib.suppress(UsageError):
        submit(home, app, item, who, said, adjudicates=adjudicates)


def delete(home: Path, trace_id: str) -> None:
    """The mark that a deletion leaves in the ledger, and what goes with it."""
    with open_ledger(home).write() as connection:
        connection.execute(update(traces).where(traces.c.id == trace_id).values(deleted_at=now()))
        connection.execute(feedback.delete().where(feedback.c.trace_id == trace_id))
        connection.execute(reviews.delete().where(reviews.c.trace_id == trace_id))
