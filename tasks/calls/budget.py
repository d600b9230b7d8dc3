"""One budget over all calls of a run, of tasks and of judges: it stops before it is passed, not
after.
"""

import asyncio
from typing import Any

from pydantic import BaseModel, ConfigDict

from llmops.tasks.calls.prices import Price, cost_of
from llmops.tasks.errors import ConfigError, Mistake
from llmops.tasks.plugins import canonical
from llmops.tasks.plugins.llms import Llm, Reply, Request

LONGEST_REPLY = 16_384
"""The tokens that a reply is expected to have at most, where no `max_tokens` says it."""
FRAME = 16
"""Tokens around each message, at most."""
LENGTHS = ("max_tokens", "max_completion_tokens")


class Spent(BaseModel):
    """What a run has paid so far. `calls`: requests that went to a model, those that failed
    included; `cached`: answered by the ledger, for nothing."""

    model_config = ConfigDict(frozen=True)
    calls: int = 0
    cached: int = 0
    tokens: int = 0
    cost_usd: float = 0.0


class BudgetReached(Exception):
    """The next call might pass the budget: no further one is begun. What was paid is kept."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Budget:
    """Every call first reserves the most that it can cost. Belongs to one event loop; None: no
    limit.
    """

    def __init__(
        self, usd: float | None = None, calls: int | None = None, spent: Spent | None = None
    ) -> None:
        self.usd, self._calls, self.spent = usd, calls, spent or Spent()
        self._flying = 0
        self._held = 0.0
        self._settled = asyncio.Event()

    async def reserve(self, usd: float) -> None:
        """Set one call and `usd` aside. Where that fits only if calls that are under way cost less
        than they may, they are waited for.

        Raises BudgetReached when it does not fit. Every reservation ends with `settle`.
        """
        while self._lack(usd, self._flying, self._held):
            if reason := self._lack(usd, 0, 0.0):
                raise BudgetReached(reason)
            self._settled.clear()
            await self._settled.wait()
        self._flying += 1
        self._held += usd

    def settle(
        self, reserved: float, reply: Reply | None, cost: float = 0.0, *, asked: bool = True
    ) -> None:
        """What a call has really cost. Without a reply it counts as a call, unless the model was
        not `asked`, and costs nothing.
        """
        self._flying -= 1
        self._held = self._held - reserved if self._flying else 0.0
        tokens = reply.tokens_in + reply.tokens_out if reply else 0
        spent = self.spent
        self.spent = spent.model_copy(
            update={
                "calls": spent.calls + int(asked),
                "tokens": spent.tokens + tokens,
                "cost_usd": spent.cost_usd + cost,
            }
        )
        self._settled.set()

    def remembered(self) -> None:
        """A call that the ledger answered."""
        self.spent = self.spent.model_copy(update={"cached": self.spent.cached + 1})

    def _lack(self, usd: float, flying: int, held: float) -> str | None:
        """Why one more call does not fit beside these."""
        if self._calls is not None and self.spent.calls + flying + 1 > self._calls:
            return f"the budget of {self._calls} calls is used up"
        if self.usd is not None and usd > 0 and self.spent.cost_usd + held + usd > self.usd:
            return (
                f"the budget of ${self.usd:g} is used up: ${self.spent.cost_usd:.4f} were paid, "
                f"and the next call may cost up to ${usd:.4f}"
            )
        return None


class Budgets:
    """Several budgets at once, such as that of an application and that of a key: a call has to fit
    into each.
    """

    def __init__(self, *budgets: Budget) -> None:
        self._budgets = budgets

    def check_price(self, llm: Llm, price: Price | None) -> None:
        """As the function of that name."""
        for budget in self._budgets:
            check_price(llm, price, budget.usd)

    async def reserve(self, usd: float) -> None:
        """In each of them or in none."""
        reserved: list[Budget] = []
        try:
            for budget in self._budgets:
                await budget.reserve(usd)
                reserved.append(budget)
        except BaseException:
            for budget in reserved:
                budget.settle(usd, None, asked=False)
            raise

    def settle(
        self, reserved: float, reply: Reply | None, cost: float = 0.0, *, asked: bool = True
    ) -> None:
        """As `Budget.settle`."""
        for budget in self._budgets:
            budget.settle(reserved, reply, cost, asked=asked)


def most(llm: Llm, price: Price | None, request: Request) -> float:
    """The most that a call can cost, in US dollars: no token is shorter than a byte of UTF-8, and
    no reply is longer than `max_tokens`.

    Where that is not given, neither by the request nor by the model's options, LONGEST_REPLY tokens
    are expected. `n` replies cost n times.
    """
    given: dict[str, Any] = {
        name: getattr(llm, name, None) for name in (*LENGTHS, "n")
    } | request.parameters
    longest = max((int(given[name]) for name in LENGTHS if given.get(name)), default=LONGEST_REPLY)
    beside = canonical(
        [request.output, request.tools, [message.tool_calls for message in request.messages]]
    )
    size = _bytes(beside) + sum(_bytes(message.content) + FRAME for message in request.messages)
    return cost_of(price, size, longest * int(given.get("n") or 1))


def _bytes(text: str) -> int:
    return len(text.encode("utf-8", "replace"))


def check_price(llm: Llm, price: Price | None, usd: float | None) -> None:
    """Raises ConfigError when a budget in dollars is to be kept with a model whose price nobody
    knows.
    """
    if usd is not None and price is None and not llm.free:
        raise ConfigError(
            [
                Mistake(
                    f"the price of the model {llm.title} is not known, so budget.usd "
                    f"cannot be kept",
                    where="budget.usd",
                    hint="give price_in and price_out (USD per million tokens), or limit "
                    "budget.calls instead",
                )
            ]
        )
