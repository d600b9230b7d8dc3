"""What a request may cost: its key's month, and that of the application as a whole."""

from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from llmops.configs.serve import ServeConfig
from llmops.tasks.access.keys import ID_DIGITS, ApiKey
from llmops.tasks.access.spending import MonthlyBudgets
from llmops.tasks.calls.budget import Budget, Budgets
from llmops.tasks.plugins.llms import Reply


class RequestBudgets:
    """The budgets of one application. Its own month is counted as that of a key which nobody
    has.
    """

    def __init__(self, config: ServeConfig, home: Path) -> None:
        self._spending = MonthlyBudgets(home)
        self._own = _own_key(config) if config.limits.usd_per_month is not None else None

    def of(self, key: ApiKey | None) -> Budget | None:
        """Into which every paid call of a request has to fit; None: there is no limit."""
        own, theirs = self._spending.of(self._own), self._spending.of(key)
        return JoinedBudget(own, theirs) if own and theirs else own or theirs

    def requested(self, key: ApiKey | None) -> None:
        """Count a request of a key."""
        if (budget := self._spending.of(key)) is not None:
            budget.requested()

    async def close(self) -> None:
        """Wait until the ledger knows everything."""
        await self._spending.close()


class JoinedBudget(Budget):
    """Two budgets as one: a call has to fit into both."""

    def __init__(self, first: Budget, second: Budget) -> None:
        limits = [each.usd for each in (first, second) if each.usd is not None]
        super().__init__(usd=min(limits, default=None))
        self._both = Budgets(first, second)

    async def reserve(self, usd: float) -> None:
        await self._both.reserve(usd)

    def settle(
        self, reserved: float, reply: Reply | None, cost: float = 0.0, *, asked: bool = True
    ) -> None:
        self._both.settle(reserved, reply, cost, asked=asked)


def _own_key(config: ServeConfig) -> ApiKey:
    return ApiKey(
        id=sha256(f"app/{config.app}".encode()).hexdigest()[:ID_DIGITS],
        name=config.app,
        scopes=frozenset(),
        role="viewer",
        labels=frozenset(),
        usd_per_month=config.limits.usd_per_month,
        requests_per_minute=None,
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
        revoked_at=None,
    )
