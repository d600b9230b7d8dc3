"""Scores of what people were really answered: which traces, what each scorer says, and where it is
kept.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict
from sqlalchemy import select

from llmops.tasks.calls.budget import Budget, Spent
from llmops.tasks.calls.costs import Payer
from llmops.tasks.calls.gateway import Gateway
from llmops.tasks.calls.prices import price_of, read_prices
from llmops.tasks.evaluation.judging import (
    BoundJudge,
    JudgePool,
    JudgeQuestion,
    bound_judges,
    marks,
)
from llmops.tasks.ledger import existing_ledger, now, open_ledger, upsert
from llmops.tasks.ledger.application import live_scores, traces
from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.llms import llm_of
from llmops.tasks.plugins.scorers import Case, Judge, Passage, Sample, Score, Scorer, metric_of
from llmops.tasks.traces.records import as_trace
from llmops.tasks.traces.trace import ANSWERED, Trace
from llmops.tasks.tracking.traces import trace_store

RETRIEVER = "RETRIEVER"
BLOCK = 100
"""Traces that are in memory at a time."""


class LiveSpec(BaseModel):
    """What is to be scored, and with what. No budget: None."""

    model_config = ConfigDict(frozen=True)
    app: str
    scorers: tuple[Spec, ...]
    sample: float
    most: int
    days: float
    budget_usd: float | None
    budget_calls: int | None
    concurrency: int
    prices: Path

    def fingerprints(self) -> dict[str, str]:
        """What each metric's values depend on."""
        return {metric_of(spec): spec.build(Scorer).fingerprint() for spec in self.scorers}


class TraceScores(NamedTuple):
    """What the scorers say of one trace, by their metrics."""

    trace_id: str
    scores: Mapping[str, Score]


class Scored(BaseModel):
    """`traces`: those that got a score; `stopped`: why not all of the chosen ones did."""

    model_config = ConfigDict(frozen=True)
    chosen: int
    traces: int
    spent: Spent
    stopped: str | None = None


def in_sample(trace_id: str, share: float) -> bool:
    """Whether a trace belongs to a sample. It is the same for every run and scorer; a larger share
    keeps all of a smaller one.
    """
    return int.from_bytes(sha256(trace_id.encode()).digest()[:8]) < share * 2**64


def chosen(home: Path, spec: LiveSpec) -> list[str]:
    """The ids of the traces to score, newest first: stored, answered, in the sample, and not yet
    scored by all of these scorers.
    """
    since = now() - timedelta(days=spec.days)
    wanted = (
        select(traces.c.id)
        .where(
            traces.c.app == spec.app,
            traces.c.began_at >= since,
            traces.c.stored_at.is_not(None),
            traces.c.deleted_at.is_(None),
            traces.c.status.in_(ANSWERED),
        )
        .order_by(traces.c.began_at.desc(), traces.c.id)
    )
    marked = select(live_scores.c.trace_id, live_scores.c.metric, live_scores.c.scorer).join(
        traces, traces.c.id == live_scores.c.trace_id
    )
    with existing_ledger(home).read() as connection:
        ids = list(connection.scalars(wanted))
        done = {
            tuple(row)
            for row in connection.execute(
                marked.where(traces.c.app == spec.app, traces.c.began_at >= since)
            )
        }
    prints = spec.fingerprints().items()
    open_ids = [
        each
        for each in ids
        if in_sample(each, spec.sample)
        and any((each, metric, print_) not in done for metric, print_ in prints)
    ]
    return open_ids[: spec.most]


def score(home: Path, spec: LiveSpec, ids: Sequence[str]) -> Scored:
    """Score the traces and keep what each scorer says in the ledger; the writer of assessments
    takes it from there.

    Raises Unavailable when MLflow or a judge's model cannot be reached; what was scored until then
    is kept.
    """
    return asyncio.run(_scored(home, spec, ids))


async def _scored(home: Path, spec: LiveSpec, ids: Sequence[str]) -> Scored:
    scorers = live_scorers(spec)
    budget = Budget(spec.budget_usd, spec.budget_calls)
    done = 0
    async with Gateway(home, budget, spec.concurrency, payer=Payer("score", spec.app)) as gateway:
        pool = JudgePool(gateway, scorers.judges, 2 * spec.concurrency)
        for start in range(0, len(ids), BLOCK):
            found = await asyncio.to_thread(stored_traces, home, ids[start : start + BLOCK])
            results = await scorers.scores(found, pool)
            await asyncio.to_thread(keep, home, spec, results)
            done += len(results)
            if pool.stopped:
                break
    return Scored(chosen=len(ids), traces=done, spent=budget.spent, stopped=pool.stopped)


def stored_traces(home: Path, ids: Sequence[str]) -> list[Trace]:
    """The traces as MLflow holds them; those that it no longer has are left out."""
    with trace_store(home) as store:
        there = store.read(ids)
    return [as_trace(there[each]) for each in ids if each in there]


class LiveScorers(NamedTuple):
    """The scorers that ask nobody, and the judges, by their metrics."""

    scorers: Mapping[str, Scorer]
    judges: Mapping[str, BoundJudge]

    async def scores(self, found: Sequence[Trace], pool: JudgePool) -> list[TraceScores]:
        """What each of them says of each trace. Judges wait for their models while the others
        compute.
        """
        samples = [sample_of(trace) for trace in found]
        asked = [
            JudgeQuestion(metric, sample, shown=shown(trace))
            for trace, sample in zip(found, samples, strict=True)
            for metric in self.judges
        ]
        marked, judged = await asyncio.gather(
            asyncio.to_thread(self._marked, samples), pool.scores(asked)
        )
        verdicts = iter(judged)
        return [
            TraceScores(
                trace.id,
                {metric: column[place] for metric, column in marked.items()}
                | {metric: next(verdicts) for metric in self.judges},
            )
            for place, trace in enumerate(found)
        ]

    def _marked(self, samples: Sequence[Sample]) -> dict[str, list[Score]]:
        return {metric: marks(scorer, samples) for metric, scorer in self.scorers.items()}


def live_scorers(spec: LiveSpec) -> LiveScorers:
    """The scorers of a spec, built; judges at today's prices."""
    prices = read_prices(spec.prices)
    built = {metric_of(each): each.build(Scorer) for each in spec.scorers}
    judges = {name: each for name, each in built.items() if isinstance(each, Judge)}
    paid = {name: price_of(llm_of(each.llm), prices) for name, each in judges.items()}
    plain = {name: each for name, each in built.items() if name not in judges}
    return LiveScorers(plain, bound_judges(spec.scorers, paid))


def sample_of(trace: Trace) -> Sample:
    """A trace as scorers get an answered case; nothing is expected of it."""
    inputs = {"question": trace.question}
    return Sample(
        case=Case(id=trace.id, inputs=inputs, group=trace.conversation or None),
        answer=trace.answer,
        question=trace.question,
        passages=passages(trace),
        latency_ms=(trace.ended_ns - trace.began_ns) / 1e6,
        cost_usd=trace.cost_usd,
        tokens_in=trace.tokens_in,
        tokens_out=trace.tokens_out,
    )


def passages(trace: Trace) -> tuple[Passage, ...]:
    """What the last retrieval of a trace found."""
    found = [span.outputs for span in trace.spans if span.kind == RETRIEVER]
    rows = found[-1] if found and isinstance(found[-1], list) else []
    return tuple(_passage(row) for row in rows if isinstance(row, Mapping))


def _passage(row: Mapping[str, object]) -> Passage:
    about = row.get("metadata")
    known = about if isinstance(about, Mapping) else {}
    return Passage(
        text=str(row.get("page_content") or ""),
        uri=str(known.get("uri") or ""),
        title=str(known.get("title") or ""),
        doc_id=str(known.get("doc_id") or ""),
        chunk_id=str(known.get("chunk_id") or ""),
    )


def shown(trace: Trace) -> list[tuple[str, str]]:
    """(knowledge base, doc_id) of what a judge of the trace gets to see."""
    kb = trace.tags.get("knowledge_base", "")
    return [(kb, each.doc_id) for each in passages(trace) if kb and each.doc_id]


def keep(home: Path, spec: LiveSpec, results: Sequence[TraceScores]) -> None:
    """Write scores into the ledger, each in place of an earlier one of the same metric. What a
    budget left unjudged is not written: a later run asks again.
    """
    prints, at = spec.fingerprints(), now()
    rows = [
        {
            "trace_id": result.trace_id,
            "app": spec.app,
            "metric": metric,
            "scorer": prints[metric],
            "value": each.value,
            "reason": each.reason[:1000],
            "failed": each.failed,
            "scored_at": at,
            "stored_at": None,
        }
        for result in results
        for metric, each in result.scores.items()
        if not each.reason.startswith("not judged:")
    ]
    with open_ledger(home).write() as connection:
        upsert(connection, live_scores, rows)
