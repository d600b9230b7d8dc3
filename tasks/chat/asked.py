"""Real questions of an application, to try prompts and models on."""

from collections.abc import Collection
from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from llmops.tasks.chat.corrections import searched_with
from llmops.tasks.traces import index
from llmops.tasks.traces.reading import several
from llmops.tasks.traces.trace import Trace

MOST = 20
PAGE, PAGES = 50, 6
"""So many traces are looked at, one after the other, for questions that may be shown."""
CONDENSE = "condense"


class RealQuestion(BaseModel):
    """A question that somebody asked, as it stands alone. `knowledge_base`: where it was asked, ""
    where its trace does not say.
    """

    model_config = ConfigDict(frozen=True)
    trace_id: str
    question: str
    knowledge_base: str
    at: datetime


def asked_lately(
    home: Path, app: str, labels: Collection[str], most: int = MOST
) -> list[RealQuestion]:
    """The newest questions whose answers somebody with these labels may see, each once, newest
    first. Raises Unavailable where MLflow does not answer.
    """
    found: dict[str, RealQuestion] = {}
    for page in range(PAGES):
        rows = index.answered(home, app, PAGE, page * PAGE)
        traces = several(home, rows)
        for row in rows:
            trace = traces.get(row.id)
            if trace is None or not seen_by(trace, labels):
                continue
            question = _standalone(trace)
            if same := " ".join(question.casefold().split()):
                new = RealQuestion(
                    trace_id=row.id,
                    question=question,
                    knowledge_base=trace.tags.get("knowledge_base", ""),
                    at=row.began_at,
                )
                found.setdefault(same, new)
            if len(found) == most:
                return list(found.values())
        if len(rows) < PAGE:
            break
    return list(found.values())


def seen_by(trace: Trace, labels: Collection[str]) -> bool:
    """Whether all of what an answer could rest on is open to these labels. One that says nothing of
    its search is open to nobody.
    """
    asked = searched_with(trace)
    return asked is not None and asked <= set(labels)


def _standalone(trace: Trace) -> str:
    """The question with what it leans on, where it was condensed."""
    for span in trace.spans:
        if span.name == CONDENSE and isinstance(span.outputs, str) and span.outputs.strip():
            return span.outputs
    return trace.question
