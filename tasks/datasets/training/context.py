"""What collectors may ask of a home: traces, reviews, files, chunks, and a paid model."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from itertools import groupby
from pathlib import Path
from types import TracebackType

from pydantic import ValidationError
from sqlalchemy import select

from llmops.tasks.calls.budget import Budget, BudgetReached
from llmops.tasks.calls.costs import Payer
from llmops.tasks.calls.gateway import BlockingGateway
from llmops.tasks.calls.prices import price_of, read_prices
from llmops.tasks.datasets.evidence import CALL, WRITES, evidence_of, gathered
from llmops.tasks.datasets.rows import rows_of, votes
from llmops.tasks.datasets.settled import Settled, settled
from llmops.tasks.datasets.words import words
from llmops.tasks.errors import BudgetExceeded, Damaged
from llmops.tasks.evaluation.cases import read_cases
from llmops.tasks.knowledge.handle import Handle
from llmops.tasks.ledger import existing_ledger, live_at, now
from llmops.tasks.ledger.application import feedback, live_scores
from llmops.tasks.ledger.application import traces as trace_rows
from llmops.tasks.ledger.tables import chunks as chunk_rows
from llmops.tasks.ledger.tables import documents as document_rows
from llmops.tasks.plugins.collectors import (
    ChunkOfDocument,
    GoldenAnswer,
    RecordedAnswer,
    Trust,
)
from llmops.tasks.plugins.llms import Llm, Reply, Request
from llmops.tasks.plugins.scorers import Case
from llmops.tasks.retrieval.golden import read_golden
from llmops.tasks.rows import Row, RowMessage
from llmops.tasks.schemas import Shard
from llmops.tasks.traces import reading
from llmops.tasks.traces.index import deleted, moment, parts
from llmops.tasks.traces.trace import ANSWERED, Trace

BLOCK = 100
"""Traces that are in memory at a time."""
COLUMNS = ["chunk_id", "doc_id", "text", "headings", "ordinal"]
LICENCE = ("licence", "license", "rights")
"""Metadata of a document that say under which terms it may be used."""


class HomeContext:
    """A `CollectorContext`. Use as a context manager: it holds the way to paid models open."""

    def __init__(
        self, home: Path, name: str, prices: Path, usd: float | None, calls: int | None
    ) -> None:
        self.home, self._prices = home, prices
        self._gateway = BlockingGateway(home, Budget(usd, calls), payer=Payer("finetune", name))

    def __enter__(self) -> "HomeContext":
        self._gateway.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._gateway.__exit__(kind, error, trace)

    @property
    def cost_usd(self) -> float:
        return self._gateway.spent.cost_usd

    def answered(self, app: str, days: float) -> list[str]:
        query = (
            select(trace_rows.c.id)
            .where(trace_rows.c.app == app, trace_rows.c.began_at >= now() - timedelta(days=days))
            .where(trace_rows.c.deleted_at.is_(None), trace_rows.c.status.in_(ANSWERED))
            .order_by(trace_rows.c.began_at, trace_rows.c.id)
        )
        with existing_ledger(self.home).read() as connection:
            return list(connection.scalars(query))

    def recorded(self, trace_ids: Sequence[str]) -> Iterator[RecordedAnswer]:
        for start in range(0, len(trace_ids), BLOCK):
            block = trace_ids[start : start + BLOCK]
            liked, scores = self._liked(block), self._scores(block)
            gone = deleted(self.home, block)
            traces = reading.many(self.home, [each for each in block if each not in gone])
            for each in block:
                if trace := traces.get(each):
                    yield _recorded(trace, liked.get(each, []), scores.get(each, {}))

    def _liked(self, ids: Sequence[str]) -> dict[str, list[float]]:
        found: dict[str, list[float]] = {}
        with existing_ledger(self.home).read() as connection:
            for part in parts(ids):
                query = select(feedback.c.trace_id, feedback.c.rating).where(
                    feedback.c.trace_id.in_(part), feedback.c.rating.is_not(None)
                )
                for trace_id, rating in connection.execute(query):
                    found.setdefault(trace_id, []).append(float(rating == "up"))
        return found

    def _scores(self, ids: Sequence[str]) -> dict[str, dict[str, float]]:
        found: dict[str, dict[str, float]] = {}
        columns = (live_scores.c.trace_id, live_scores.c.metric, live_scores.c.value)
        with existing_ledger(self.home).read() as connection:
            for part in parts(ids):
                query = select(*columns).where(
                    live_scores.c.trace_id.in_(part), live_scores.c.value.is_not(None)
                )
                for trace_id, metric, value in connection.execute(query):
                    found.setdefault(trace_id, {})[metric] = float(value)
        return found

    def reviewed(self, app: str, queue: str, trust: Trust) -> Iterator[Row]:
        said = words(self.home, app, queue, trust)
        done = settled(said.feedback, said.reviews)
        ids = sorted(done)
        for start in range(0, len(ids), BLOCK):
            block = {each: done[each] for each in ids[start : start + BLOCK]}
            yield from rows_of(gathered(self.home, block).evidence)
        yield from votes(self.home, app)

    def cases(self, path: Path) -> Sequence[Case]:
        return read_cases(path).cases

    def golden(self, path: Path) -> Sequence[GoldenAnswer]:
        return [
            GoldenAnswer(
                each.id, each.question, each.answer or "", tuple(one.uri for one in each.relevant)
            )
            for each in read_golden(path).questions
        ]

    def documents(self, knowledge_base: str) -> list[str]:
        handle = Handle(home=self.home, name=knowledge_base)
        live = handle.published()
        query = (
            select(document_rows.c.doc_id)
            .where(document_rows.c.kb == live.kb, live_at(document_rows, live.version))
            .order_by(document_rows.c.uri, document_rows.c.doc_id)
        )
        with handle.ledger.read() as connection:
            return list(connection.scalars(query))

    def chunks(self, knowledge_base: str, doc_ids: Sequence[str]) -> Iterator[ChunkOfDocument]:
        handle = Handle(home=self.home, name=knowledge_base)
        version = handle.published().version
        owners = (document_rows.c.doc_id, document_rows.c.uri, document_rows.c.title)
        about = select(*owners, document_rows.c.metadata).where(
            document_rows.c.kb == knowledge_base,
            live_at(document_rows, version),
            document_rows.c.doc_id.in_(doc_ids),
        )
        texts = _texts(handle, version, doc_ids)
        with handle.ledger.read() as connection:
            known = {row.doc_id: row for row in connection.execute(about)}
        for each in doc_ids:
            for chunk in texts.get(each, []) if each in known else []:
                document = known[each]
                yield ChunkOfDocument(
                    chunk_id=str(chunk["chunk_id"]),
                    text=str(chunk["text"]),
                    headings=tuple(map(str, _items(chunk["headings"]))),
                    uri=document.uri,
                    title=document.title or document.uri.rpartition("/")[2],
                    licence=_licence(document.metadata),
                    version=version,
                )

    def ask(self, llm: Llm, request: Request, owner: str) -> Reply:
        price = price_of(llm, read_prices(self._prices))
        try:
            return self._gateway.ask(llm, price, request, owner=owner).reply
        except BudgetReached as error:
            raise BudgetExceeded(
                f"the budget of the run is reached: {error.reason}",
                hint="raise `budget`: what was paid is kept, and not paid again",
            ) from error


def _recorded(
    trace: Trace, ratings: Sequence[float], scores: Mapping[str, float]
) -> RecordedAnswer:
    evidence = evidence_of(trace, _unjudged(trace))
    inputs = [
        span.inputs
        for span in trace.spans
        if span.kind == CALL and span.name.startswith(WRITES) and isinstance(span.inputs, Mapping)
    ]
    tools = inputs[-1].get("tools") if inputs else None
    return RecordedAnswer(
        trace_id=trace.id,
        at=moment(trace.began_ns),
        group=evidence.group,
        status=trace.status,
        asked=_asked(inputs[-1].get("messages") if inputs else None)
        or tuple(RowMessage.model_validate(each) for each in evidence.asked),
        answer=trace.answer,
        tools=tuple(each for each in _items(tools) if isinstance(each, dict)),
        passages=tuple(
            {name: value for name, value in each.model_dump().items() if value}
            for each in evidence.passages
        ),
        liked=sum(ratings) / len(ratings) if ratings else None,
        scores=dict(scores),
        lineage=evidence.lineage.model_dump(mode="json", exclude_none=True),
    )


def _unjudged(trace: Trace) -> Settled:
    """An answer of which nobody's word is asked for."""
    return Settled(
        trace_id=trace.id,
        verdict="good",
        correction="",
        relevant=(),
        by="feedback",
        people=(),
        at=moment(trace.began_ns),
    )


def _items(value: object) -> Sequence[object]:
    return value if isinstance(value, list | tuple) else ()


def _asked(messages: object) -> tuple[RowMessage, ...]:
    """The messages as they were sent, tool calls and their answers among them; () where they are
    none of that form.
    """
    try:
        return tuple(RowMessage.model_validate(each) for each in _items(messages))
    except ValidationError:
        return ()


def _texts(
    handle: Handle, version: int, doc_ids: Sequence[str]
) -> dict[str, list[dict[str, object]]]:
    """The chunks of documents, by their owner, in order. Raises Damaged where the lake has lost
    them.
    """
    query = (
        select(chunk_rows.c.chunk_id, chunk_rows.c.shard)
        .where(chunk_rows.c.kb == handle.name, live_at(chunk_rows, version))
        .where(chunk_rows.c.doc_id.in_(doc_ids))
        .order_by(chunk_rows.c.shard, chunk_rows.c.chunk_id)
    )
    with handle.ledger.read() as connection:
        rows = connection.execute(query).all()
    found: dict[str, list[dict[str, object]]] = {}
    for shard, group in groupby(rows, key=lambda row: row.shard):
        if not shard:
            raise Damaged(
                f"chunks of {handle.name!r} are not in the lake: an early release built them",
                hint="build it once with --full",
            )
        wanted = {row.chunk_id for row in group}
        file = Shard(path=shard, rows=0, sha256=shard.rpartition("/")[2].partition(".")[0])
        for chunk in file.table(handle.lake, COLUMNS).to_pylist():
            if chunk["chunk_id"] in wanted:
                found.setdefault(chunk["doc_id"], []).append(chunk)
    for texts in found.values():
        texts.sort(key=lambda chunk: chunk["ordinal"])  # type: ignore[arg-type,return-value]
    return found


def _licence(metadata: str) -> str:
    said = json.loads(metadata)
    return next((str(said[name]) for name in LICENCE if said.get(name)), "")
