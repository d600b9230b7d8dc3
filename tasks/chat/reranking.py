"""The best passages of a served search in another order. What people ask is not remembered: of a
reranker that takes money the ledger notes the cost alone.
"""

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

from llmops.tasks.calls.gateway import Gateway, GatewayReply
from llmops.tasks.calls.prices import Price, price_of, read_prices
from llmops.tasks.calls.reranking import AT_ONCE, Rerankable, Reranked, in_time, paid_reply
from llmops.tasks.chat.models import TRACE_PREFIX, Calling
from llmops.tasks.chat.recording import RecordedSpan
from llmops.tasks.chat.spec import AppSpec
from llmops.tasks.knowledge.reranked import reordered, rerankable
from llmops.tasks.plugins import name_of
from llmops.tasks.plugins.rerankers import AskingReranker, LocalReranker, Reranker
from llmops.tasks.schemas import Record

KIND = "RERANKER"


class Reordered(NamedTuple):
    """Rows, best first. `said`: why the plain order stands; "" where it does not."""

    rows: Sequence[Record]
    said: str = ""


class ServedReranking:
    """Of one application, through its gateway."""

    def __init__(self, gateway: Gateway, reranker: Reranker, price: Price | None) -> None:
        self._gateway, self._price = gateway, price
        self.reranker = reranker

    @classmethod
    def of(cls, spec: AppSpec, gateway: Gateway) -> "ServedReranking | None":
        """As the config says; None where it names no reranker."""
        if spec.retrieve.rerank is None:
            return None
        reranker = spec.retrieve.rerank.build(Reranker)
        asked = reranker.service() if isinstance(reranker, AskingReranker) else None
        return cls(gateway, reranker, price_of(asked, read_prices(spec.prices)) if asked else None)

    def asked_by(self, calling: Calling) -> "RerankStep":
        """For one request."""
        return RerankStep(self, calling)

    async def scores(
        self, question: str, passages: Sequence[Rerankable], calling: Calling, span: RecordedSpan
    ) -> Reranked:
        """Raises BudgetReached, DocumentError, Unavailable."""
        texts = [each.text for each in passages]
        if isinstance(self.reranker, LocalReranker):
            return Reranked(await _here(self.reranker, question, texts))
        assert isinstance(self.reranker, AskingReranker)
        size = len(texts) if self.reranker.listwise else self.reranker.batch
        scores: list[float] = []
        cost = 0.0
        for start in range(0, len(texts), size):
            part = texts[start : start + size]
            made = await self._asked(self.reranker, question, part, calling, span, start)
            scores += made.scores or ()
            cost += made.cost_usd
        return Reranked(tuple(scores), cost)

    async def _asked(
        self,
        reranker: AskingReranker,
        question: str,
        texts: Sequence[str],
        calling: Calling,
        span: RecordedSpan,
        start: int,
    ) -> Reranked:
        service, trace = reranker.service(), calling.recorder.id

        def paid(reply: GatewayReply) -> None:
            calling.used.add(reply)
            used = reply.reply
            span.used(service.title, used.tokens_in, used.tokens_out, reply.cost_usd)

        asked = await self._gateway.ask_anew(
            *(service, self._price, reranker.request(question, texts), f"{trace}/rerank/{start}"),
            owner=trace.removeprefix(TRACE_PREFIX),
            budget=calling.budget,
            paid=paid,
        )
        return paid_reply(reranker, asked, len(texts))


class RerankStep(NamedTuple):
    """The reranking of one request, a step of its trace."""

    reranking: ServedReranking
    calling: Calling

    @property
    def name(self) -> str:
        return name_of(type(self.reranking.reranker))

    def depth(self, k: int) -> int:
        """How many passages have to be found for so many."""
        return max(k, self.reranking.reranker.candidates)

    async def rows(self, kb: str, query: str, found: Sequence[Record]) -> Reordered:
        """The passages in their new order. Where the reranker fails or is late, the plain order
        stands and says so. Raises BudgetReached.
        """
        reranking, seen = self.reranking, [rerankable(kb, each) for each in found]
        if not found or not query.strip():
            return Reordered(found)
        asked = {"question": query, "reranker": self.name, "passages": len(found)}
        with self.calling.recorder.span("rerank", KIND, asked) as span:
            made = await in_time(
                reranking.reranker, reranking.scores(query, seen, self.calling, span)
            )
            rows = reordered(found, made)
            span.outputs = {
                "order": [str(row["chunk_id"]) for row in rows[:10]],
                "said": made.said,
            }
        return Reordered(rows, made.said)


async def _here(reranker: LocalReranker, question: str, texts: Sequence[str]) -> tuple[float, ...]:
    """In pieces, so that a limit of time can end it."""
    scores: list[float] = []
    for start in range(0, len(texts), AT_ONCE):
        part = texts[start : start + AT_ONCE]
        scores += await asyncio.to_thread(reranker.scores, question, part)
    return tuple(scores)
