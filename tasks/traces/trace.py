"""A trace: one request and its steps, and what records it while the request is answered."""

import math
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from llmops.tasks.traces import names

MOST_SPANS = 200
"""MLflow's page of a trace hangs at tens of thousands."""
ERROR_LENGTH = 1000
PREFIX = "tr-"
CITATIONS = "citations"
"""Among the outputs of a request as a whole, beside the answer."""
ANSWERED = ("ok", "refused")
"""The statuses of requests whose answer went to whoever asked."""
SEARCHED = "searched"
"""The status of a request that only searched: there is no answer to score."""
COMPARED = "compared"
"""The status of a trial of several prompts or models on one question: none of its answers was given
to whoever asked. Where the question is somebody else's, `conversation` is the id of their trace."""


def new_id() -> str:
    """An id as MLflow makes them: `tr-` and 32 hexadecimal digits."""
    return f"{PREFIX}{secrets.token_hex(16)}"


class TraceSpan(BaseModel):
    """One step. `kind` is one of MLflow's span types: CHAIN RETRIEVER RERANKER CHAT_MODEL LLM
    GUARDRAIL EMBEDDING; times in nanoseconds since the epoch; `parent` is None for the first alone.
    """

    model_config = ConfigDict(extra="forbid")
    id: str
    parent: str | None
    name: str
    kind: str
    start_ns: int
    end_ns: int = 0
    inputs: object = None
    outputs: object = None
    attributes: dict[str, object] = Field(default_factory=dict)
    status: Literal["ok", "error"] = "ok"
    error: str = ""

    def used(self, model: str, tokens_in: int, tokens_out: int, cost_usd: float) -> None:
        """Say what this step has paid. Spans that paid do not stand within each other: MLflow
        would take the outer one for the sum.
        """
        self.attributes.update(names.usage(model, tokens_in, tokens_out, cost_usd))


class Trace(BaseModel):
    """A request that is done. `person`: a pseudonym, "" where nobody is named; `status`: ok,
    refused, error, SEARCHED or COMPARED; the first span is the request as a whole.
    """

    model_config = ConfigDict(extra="forbid")
    id: str
    app: str
    conversation: str = ""
    person: str = ""
    key_id: str = ""
    began_ns: int
    ended_ns: int
    status: str = "ok"
    question: str = ""
    answer: str = ""
    spans: list[TraceSpan] = Field(default_factory=list)
    tags: dict[str, str] = Field(default_factory=dict)
    cost_usd: float = 0.0
    tokens_in: int = 0
    tokens_out: int = 0

    @property
    def citations(self) -> list[Mapping[str, object]]:
        """The passages that the answer rests on, as they were shown."""
        outputs = self.spans[0].outputs if self.spans else None
        found = outputs.get(CITATIONS) if isinstance(outputs, Mapping) else None
        return [each for each in found or () if isinstance(each, Mapping)]

    @property
    def otel_id(self) -> str:
        """The 32 digits alone: what OpenTelemetry calls the trace, and what owns its calls."""
        return self.id.removeprefix(PREFIX)


_open: ContextVar[tuple[str, str] | None] = ContextVar("open_span", default=None)


class TraceRecorder:
    """Records one request. Spans nest by the context that they are opened in, also over tasks and
    threads; a context that knows no open span of this request stands directly below its first.
    """

    def __init__(
        self,
        app: str,
        question: str,
        *,
        conversation: str = "",
        person: str = "",
        key_id: str = "",
        name: str = "ask",
        trace_id: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        self.id = trace_id or new_id()
        self.app, self.question, self.conversation = app, question, conversation
        self.person, self.key_id = person, key_id
        self.tags: dict[str, str] = dict(tags or {})
        self.began_ns = time.time_ns()
        self.left_out = 0
        asked = {"messages": [{"role": "user", "content": question}]}
        self.root = TraceSpan(
            id=_span_id(),
            parent=None,
            name=name,
            kind="CHAIN",
            start_ns=self.began_ns,
            inputs=asked,
        )
        self._spans = [self.root]
        self._done: Trace | None = None

    @contextmanager
    def span(self, name: str, kind: str, inputs: object = None) -> Iterator[TraceSpan]:
        """A step of the request; what is raised inside is noted on it and raised on. Beyond
        MOST_SPANS a step is counted, and not kept.
        """
        before = _open.get()
        parent = before[1] if before and before[0] == self.id else self.root.id
        span = TraceSpan(
            id=_span_id(),
            parent=parent,
            name=name,
            kind=kind,
            start_ns=time.time_ns(),
            inputs=inputs,
        )
        kept = len(self._spans) < MOST_SPANS
        if kept:
            self._spans.append(span)
            _open.set((self.id, span.id))
        else:
            self.left_out += 1
        try:
            yield span
        except BaseException as error:
            span.status = "error"
            span.error = f"{type(error).__name__}: {error}"[:ERROR_LENGTH]
            raise
        finally:
            span.end_ns = time.time_ns()
            if kept:
                _open.set(before)  # no reset: a stream may be ended in another context

    def finish(
        self,
        answer: str = "",
        status: str = "ok",
        finish_reason: str = "stop",
        citations: Sequence[Mapping[str, object]] = (),
    ) -> Trace:
        """The trace, with the sums over its spans. What comes later is no longer part of it, and
        a second call gives the same. `citations`: the passages that the answer rests on.
        """
        if self._done is None:
            self._done = self._finished(answer, status, finish_reason)
            if citations and isinstance(self.root.outputs, dict):
                self.root.outputs[CITATIONS] = list(citations)
        return self._done

    def _finished(self, answer: str, status: str, finish_reason: str) -> Trace:
        now = time.time_ns()
        message = {"role": "assistant", "content": answer}
        if self.root.outputs is None:
            self.root.outputs = {"choices": [{"message": message, "finish_reason": finish_reason}]}
        self.root.attributes[names.STATUS] = status
        self.root.status = "error" if status == "error" else "ok"
        if self.left_out:
            self.tags[names.LEFT_OUT] = str(self.left_out)
        for span in self._spans:
            span.end_ns = span.end_ns or now
        attributes = [span.attributes for span in self._spans]
        return Trace(
            id=self.id,
            app=self.app,
            conversation=self.conversation,
            person=self.person,
            key_id=self.key_id,
            began_ns=self.began_ns,
            ended_ns=now,
            status=status,
            question=self.question,
            answer=answer,
            spans=list(self._spans),
            tags=dict(self.tags),
            cost_usd=math.fsum(names.number(each, names.COST) for each in attributes),
            tokens_in=int(sum(names.number(each, names.INPUT_TOKENS) for each in attributes)),
            tokens_out=int(sum(names.number(each, names.OUTPUT_TOKENS) for each in attributes)),
        )


def _span_id() -> str:
    return secrets.token_hex(8)
