"""Scores of rerankers, through the gateway: each question with a passage is paid once, whoever asks
for it again and beside whatever other passages.
"""

import asyncio
import json
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import NamedTuple
from weakref import WeakValueDictionary

from llmops.tasks.calls.cache import Documents, Lookup, PaidCall
from llmops.tasks.calls.call import GatewayReply
from llmops.tasks.calls.gateway import Gateway
from llmops.tasks.calls.prices import Price, shipped_price
from llmops.tasks.errors import DocumentError, Unavailable
from llmops.tasks.plugins import canonical, name_of
from llmops.tasks.plugins.llms import Llm, Reply
from llmops.tasks.plugins.rerankers import AskingReranker, LocalReranker, Reranker
from llmops.tasks.schemas import sha256

PriceOf = Callable[[Llm], Price | None]
AT_ONCE = 8
"""Passages that a model of this process scores before somebody may stop it."""


class Rerankable(NamedTuple):
    """What a reranker sees of a passage, and the document that goes with it when it is erased."""

    text: str
    documents: Documents = ()


class Reranked(NamedTuple):
    """`scores`: one for each passage; None where the plain order stands, and `said` why.
    `cost_usd`: what it costs, also where it is remembered.
    """

    scores: tuple[float, ...] | None
    cost_usd: float = 0.0
    said: str = ""

    def order(self, count: int) -> list[int]:
        """The places of so many passages, best first, ties as they were."""
        if self.scores is None:
            return [*range(count)]
        scores = self.scores
        return sorted(range(count), key=lambda place: -scores[place])


class Rerankings:
    """Belongs to the gateway's event loop. `price`: what a model's calls cost."""

    def __init__(self, gateway: Gateway, price: PriceOf = shipped_price) -> None:
        self._gateway, self._price = gateway, price
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def scores(
        self, reranker: Reranker, question: str, passages: Sequence[Rerankable]
    ) -> Reranked:
        """All of them. Raises what a call to a model raises: BudgetReached, DocumentError,
        Unavailable.
        """
        if not passages or not question.strip():
            return Reranked(tuple(0.0 for _ in passages))
        if isinstance(reranker, LocalReranker) and reranker.cheap:
            return Reranked(tuple(reranker.scores(question, [each.text for each in passages])))
        if isinstance(reranker, AskingReranker) and reranker.listwise:
            return await self._together(reranker, question, passages)
        mark = canonical(["rerank", reranker.fingerprint(), question])
        turn = self._turns.setdefault(mark, asyncio.Lock())
        async with turn:  # who asks the same meanwhile finds it paid
            return await self._each(reranker, question, passages, mark)

    async def in_time(
        self, reranker: Reranker, question: str, passages: Sequence[Rerankable]
    ) -> Reranked:
        """The same for somebody who waits, as the function of that name. Raises BudgetReached."""
        return await in_time(reranker, self.scores(reranker, question, passages))

    async def _together(
        self, reranker: AskingReranker, question: str, passages: Sequence[Rerankable]
    ) -> Reranked:
        service = reranker.service()
        documents = tuple(each for one in passages for each in one.documents)
        asked = await self._gateway.ask(
            service,
            self._price(service),
            reranker.request(question, [each.text for each in passages]),
            shown=documents,
            read=lambda text: reranker.read(text, len(passages)),
        )
        return Reranked(tuple(reranker.read(asked.reply.text, len(passages))), asked.cost_usd)

    async def _each(
        self, reranker: Reranker, question: str, passages: Sequence[Rerankable], mark: str
    ) -> Reranked:
        wanted = {sha256(f"{mark}\x1f{each.text}"): each for each in passages}
        known = await asyncio.gather(
            *(self._gateway.known(Lookup(key, each.documents)) for key, each in wanted.items())
        )
        scored = {
            key: _Score.read(reply)
            for key, reply in zip(wanted, known, strict=True)
            if reply is not None
        }
        missing = [key for key in wanted if key not in scored]
        size = reranker.batch if isinstance(reranker, AskingReranker) else AT_ONCE
        for start in range(0, len(missing), size):
            batch = {key: wanted[key] for key in missing[start : start + size]}
            scored |= await self._paid(reranker, question, batch)
        scores = tuple(scored[sha256(f"{mark}\x1f{each.text}")].value for each in passages)
        return Reranked(scores, math.fsum(each.cost_usd for each in scored.values()))

    async def _paid(
        self, reranker: Reranker, question: str, batch: Mapping[str, Rerankable]
    ) -> "dict[str, _Score]":
        texts = [each.text for each in batch.values()]

        def parts(values: Sequence[float], cost_usd: float) -> dict[str, _Score]:
            return {
                key: _Score(value, cost_usd / len(values))
                for key, value in zip(batch, values, strict=True)
            }

        def kept(scored: "Mapping[str, _Score]") -> list[PaidCall]:
            return [
                PaidCall(key, each.reply, each.cost_usd, batch[key].documents)
                for key, each in scored.items()
            ]

        if isinstance(reranker, LocalReranker):
            made = parts(await asyncio.to_thread(reranker.scores, question, texts), 0.0)
            await self._gateway.keep(kept(made))
            return made
        assert isinstance(reranker, AskingReranker)
        asking, service = reranker, reranker.service()
        asked = await self._gateway.pay(
            service,
            self._price(service),
            asking.request(question, texts),
            read=lambda text: asking.read(text, len(texts)),
            parts=lambda reply, cost: kept(parts(asking.read(reply.text, len(texts)), cost)),
        )
        return parts(asking.read(asked.reply.text, len(texts)), asked.cost_usd)


class _Score(NamedTuple):
    """One question with one passage, as the ledger remembers it."""

    value: float
    cost_usd: float

    @property
    def reply(self) -> Reply:
        return Reply(text=json.dumps([self.value, self.cost_usd]))

    @classmethod
    def read(cls, reply: Reply) -> "_Score":
        value, cost_usd = json.loads(reply.text)
        return cls(float(value), float(cost_usd))


async def in_time(reranker: Reranker, scores: Awaitable[Reranked]) -> Reranked:
    """The scores; where there are none after the reranker's `seconds`, or none at all, the plain
    order stands and says so. What else the work raises is raised, such as BudgetReached.
    """
    try:
        async with asyncio.timeout(reranker.seconds):
            return await scores
    except TimeoutError:
        why = f"it gave no scores within {reranker.seconds:g} s"
    except Unavailable as error:
        why = error.message
    except DocumentError as error:
        why = error.reason
    name = name_of(type(reranker))
    return Reranked(None, said=f"not reranked by {name}: {why}; the plain order stands")


def paid_reply(reranker: AskingReranker, asked: GatewayReply, count: int) -> Reranked:
    """What a reply that nobody remembers comes to. Raises DocumentError where it cannot be used."""
    try:
        scores = tuple(reranker.read(asked.reply.text, count))
    except ValueError as error:
        raise DocumentError(f"its reply cannot be used: {error}") from error
    return Reranked(scores, asked.cost_usd)
