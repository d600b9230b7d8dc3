"""Settled answers with the texts of their traces: what every kind of row is made from."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict

from llmops.tasks.chat.corrections import searched_with
from llmops.tasks.datasets.settled import Settled
from llmops.tasks.monitoring.live import passages
from llmops.tasks.plugins.scorers import Passage
from llmops.tasks.schemas import Lineage
from llmops.tasks.traces import reading
from llmops.tasks.traces.trace import Trace

CALL, WRITES = "CHAT_MODEL", "generate"
BLOCK = 100
"""Traces that are read at a time."""


class SettledAnswer(BaseModel):
    """`expected`: what a good answer says, "" where nobody has said it. `asked`: the messages that
    the model was given, where the trace has them, else the question alone.
    """

    model_config = ConfigDict(frozen=True)
    settled: Settled
    question: str
    answer: str
    passages: tuple[Passage, ...]
    asked: tuple[dict[str, str], ...]
    group: str
    labels: frozenset[str] | None
    lineage: Lineage

    @property
    def expected(self) -> str:
        good = self.answer if self.settled.verdict == "good" else ""
        return self.settled.correction or good


class SettledAnswers(NamedTuple):
    """`lost`: settled answers whose traces are nowhere any more."""

    evidence: list[SettledAnswer]
    lost: int


def gathered(home: Path, settled: Mapping[str, Settled]) -> SettledAnswers:
    """The texts of settled answers, read in blocks; what has no question is left out. Raises
    Unavailable where MLflow does not answer.
    """
    found: list[SettledAnswer] = []
    lost = 0
    wanted = list(settled)
    for start in range(0, len(wanted), BLOCK):
        ids = wanted[start : start + BLOCK]
        traces = reading.many(home, ids)
        lost += len(ids) - len(traces)
        found += [
            evidence_of(traces[each], settled[each])
            for each in ids
            if each in traces and traces[each].question.strip()
        ]
    return SettledAnswers(found, lost)


def evidence_of(trace: Trace, settled: Settled) -> SettledAnswer:
    number = trace.tags.get("version", "")
    return SettledAnswer(
        settled=settled,
        question=trace.question.strip(),
        answer=trace.answer.strip(),
        passages=passages(trace),
        asked=asked_of(trace),
        group=trace.conversation or trace.id,
        labels=searched_with(trace),
        lineage=Lineage(
            trace_id=trace.id,
            reviewers=settled.people,
            app=trace.app,
            knowledge_base=trace.tags.get("knowledge_base", ""),
            version=int(number) if number.isdecimal() else None,
            prompt=trace.tags.get("prompt", ""),
            model=trace.tags.get("model", ""),
        ),
    )


def asked_of(trace: Trace) -> tuple[dict[str, str], ...]:
    """The messages of the last call that wrote an answer, else the question."""
    asked = [
        span.inputs.get("messages")
        for span in trace.spans
        if span.kind == CALL and span.name.startswith(WRITES) and isinstance(span.inputs, Mapping)
    ]
    messages = _messages(asked[-1]) if asked else ()
    return messages or ({"role": "user", "content": trace.question},)


def _messages(value: object) -> tuple[dict[str, str], ...]:
    if not isinstance(value, Sequence) or isinstance(value, str):
        return ()
    return tuple(
        {"role": str(each["role"]), "content": str(each["content"])}
        for each in value
        if isinstance(each, Mapping) and "role" in each and "content" in each
    )
