"""A call to a paid model: what is asked of which model, and what came back."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from llmops.tasks.calls.budget import Budget, Budgets
from llmops.tasks.calls.cache import Lookup
from llmops.tasks.calls.client import LlmClient
from llmops.tasks.calls.costs import CostEntry, Payer
from llmops.tasks.calls.prices import Price, cost_of
from llmops.tasks.errors import Unavailable
from llmops.tasks.plugins.llms import Llm, Reply, Request

Read = Callable[[str], object]
"""Raises ValueError for a text that is no usable reply."""


class GatewayReply(NamedTuple):
    """`key`: of the call in the ledger; `cached`: nothing was paid for it now. `cost_usd`: what
    such a call costs, also when it is remembered: arms are compared by it."""

    reply: Reply
    key: str
    cached: bool
    cost_usd: float


Paid = Callable[[GatewayReply], None]
"""Is told what a call came to."""


@dataclass
class ConnectedLlm:
    """`gone`: why no further request to it will succeed. `failed_at`: when a served request found
    it unavailable, in seconds of the monotonic clock."""

    llm: Llm
    fingerprint: str
    client: LlmClient
    gone: Unavailable | None = None
    failed_at: float | None = None


class VectorCall(NamedTuple):
    """The vector of a question, by an embedder that takes money for it. `price`: US dollars per
    million tokens; `call_id` and `owner`: as of a call to a model; `model`: the embedder's name;
    `priced`: whether its price is known.
    """

    price: float
    tokens: int
    call_id: str
    owner: str
    budget: Budget | None
    model: str
    priced: bool = True

    @property
    def cost(self) -> float:
        return self.tokens * self.price / 1e6


class Call(NamedTuple):
    """What is asked, and what its reply is remembered by."""

    model: ConnectedLlm
    price: Price | None
    request: Request
    lookup: Lookup
    owner: str
    read: Read | None
    budgets: Budgets

    def cost(self, reply: Reply) -> float:
        return cost_of(self.price, reply.tokens_in, reply.tokens_out)

    def entry(self, payer: Payer, reply: Reply) -> CostEntry:
        """What the ledger notes of it."""
        tokens = reply.tokens_in + reply.tokens_out
        known = self.price is not None
        return CostEntry(payer, self.model.llm.title, tokens, self.cost(reply), known)

    def mistake(self, reply: Reply) -> str | None:
        """Why the reply cannot be used; None: it can."""
        if self.read is None:
            return None
        try:
            self.read(reply.text)
        except ValueError as error:
            return str(error)
        return None
