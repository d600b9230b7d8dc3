"""Vectors of questions. By an embedder that takes money, each is within the budget of whoever asks,
and a step of the trace with its cost.
"""

from functools import partial

from llmops.tasks.calls.budget import Budget
from llmops.tasks.calls.call import VectorCall
from llmops.tasks.calls.gateway import Gateway, GatewayReply
from llmops.tasks.chat.knowledge import OpenVersion, QuestionVector, in_pool
from llmops.tasks.chat.models import TRACE_PREFIX, Calling, UsageCount
from llmops.tasks.chat.recording import Recorder
from llmops.tasks.retrieval.hybrid import Vector

KIND = "EMBEDDING"


def costs(opened: OpenVersion) -> bool:
    """Whether a question's vector costs anything, or nobody knows what."""
    embedder = opened.searcher.embedder
    return embedder.price > 0 or not embedder.priced


class QuestionVectors:
    """Of one application, through its gateway."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def of_question(self, opened: OpenVersion, question: str, calling: Calling) -> QuestionVector:
        """Made when it is first asked for, which raises BudgetReached where it may not be paid."""
        return QuestionVector(partial(self._made, opened, question, calling))

    async def of_search(
        self, opened: OpenVersion, query: str, recorder: Recorder, budget: Budget | None
    ) -> Vector | None:
        """For a search without an answer. None where it costs nothing: the search makes it. Raises
        BudgetReached.
        """
        if not costs(opened):
            return None
        return await self._made(opened, query, Calling(recorder, UsageCount(), budget))

    async def _made(self, opened: OpenVersion, question: str, calling: Calling) -> Vector:
        if not costs(opened):
            return await opened.embed(question)
        embedder, trace = opened.searcher.embedder, calling.recorder.id
        tokens = await in_pool(opened.pool, lambda: embedder.count(question))
        owner = trace.removeprefix(TRACE_PREFIX)
        model = str(getattr(embedder, "model", type(embedder).__name__))
        call = f"{trace}/embed"
        asked = VectorCall(
            *(embedder.price, tokens, call, owner, calling.budget, model), embedder.priced
        )
        with calling.recorder.span("embed", KIND, {"input": question}) as span:

            def paid(reply: GatewayReply) -> None:
                calling.used.add(reply)
                span.used(model, tokens, 0, reply.cost_usd)

            return await self._gateway.vector(asked, partial(opened.embed, question), paid)
