"""What a key may spend in a calendar month, and has spent: kept in the ledger for all processes,
and reserved in the process, so that no number of calls at once passes the cap.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict
from sqlalchemy import Connection, select

from llmops.tasks.access.keys import ApiKey
from llmops.tasks.calls.budget import Budget, BudgetReached
from llmops.tasks.errors import LlmopsError
from llmops.tasks.ledger import Ledger, existing_ledger, now, open_ledger
from llmops.tasks.ledger.application import spending
from llmops.tasks.plugins.llms import Reply

log = logging.getLogger(__name__)
FRESH_SECONDS = 1.0
"""How long what other processes have spent counts as known."""
AGAIN_SECONDS = 1.0
"""After how long a ledger that did not take a sum is asked again."""


class Used(BaseModel):
    """What a key has used up in a month."""

    model_config = ConfigDict(frozen=True)
    requests: int = 0
    tokens: int = 0
    cost_usd: float = 0.0

    def __add__(self, other: "Used") -> "Used":
        return Used(
            requests=self.requests + other.requests,
            tokens=self.tokens + other.tokens,
            cost_usd=self.cost_usd + other.cost_usd,
        )


class Remaining(BaseModel):
    """`usd`: what is left of the month, None where there is no cap; `resets_at`: when the next
    month begins, in UTC.
    """

    model_config = ConfigDict(frozen=True)
    usd: float | None
    spent_usd: float
    resets_at: datetime


class MonthUsedUp(BudgetReached):
    """The key's month does not allow the next call. `resets_at`: from when on the next one does."""

    def __init__(self, reason: str, resets_at: datetime) -> None:
        super().__init__(reason)
        self.resets_at = resets_at


def month_of(moment: datetime) -> str:
    """`2026-11`, in UTC."""
    return f"{moment.astimezone(UTC):%Y-%m}"


def resets_at(moment: datetime) -> datetime:
    """When the next month begins, in UTC."""
    here = moment.astimezone(UTC)
    year, month = (here.year + 1, 1) if here.month == 12 else (here.year, here.month + 1)
    return datetime(year, month, 1, tzinfo=UTC)


def monthly(home: Path, key: ApiKey, moment: datetime | None = None) -> Remaining:
    """What is left to a key in its month."""
    at = moment or now()
    paid = used(existing_ledger(home), key.id, month_of(at)).cost_usd
    left = None if key.usd_per_month is None else max(0.0, key.usd_per_month - paid)
    return Remaining(usd=left, spent_usd=paid, resets_at=resets_at(at))


def used(ledger: Ledger, key_id: str, month: str) -> Used:
    """What a key has used up in a month, by all processes."""
    with ledger.read() as connection:
        return _used(connection, key_id, month)


def of_month(home: Path, month: str) -> dict[str, Used]:
    """key id -> what it has used up, of all keys that have."""
    with existing_ledger(home).read() as connection:
        rows = connection.execute(select(spending).where(spending.c.month == month)).mappings()
        return {row["key_id"]: Used.model_validate(dict(row)) for row in rows}


def spent(
    home: Path, key_id: str, usd: float, tokens: int, *, requests: int = 0, month: str = ""
) -> Used:
    """Add to what a key has used up, for what did not go through a KeyBudget. Returns the sum."""
    added = Used(requests=requests, tokens=tokens, cost_usd=usd)
    return _add(open_ledger(home), key_id, month or month_of(now()), added)


def _used(connection: Connection, key_id: str, month: str) -> Used:
    mine = (spending.c.key_id == key_id) & (spending.c.month == month)
    row = connection.execute(select(spending).where(mine)).mappings().one_or_none()
    return Used() if row is None else Used.model_validate(dict(row))


def _add(ledger: Ledger, key_id: str, month: str, added: Used) -> Used:
    """In one statement, which adds to whatever stands there then."""
    from sqlalchemy.dialects import postgresql, sqlite

    with ledger.write() as connection:
        dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
        statement = dialect.insert(spending).values(
            key_id=key_id, month=month, **added.model_dump()
        )
        sums = {name: spending.c[name] + statement.excluded[name] for name in added.model_dump()}
        connection.execute(
            statement.on_conflict_do_update(index_elements=["key_id", "month"], set_=sums)
        )
        return _used(connection, key_id, month)


class KeyBudget(Budget):
    """A key's month, as a further budget of a `Gateway`; get it from `MonthlyBudgets`. Belongs to
    one event loop. `spent`: in the month, by all processes as far as this one knows. `settle`
    never waits: the ledger gets the sums right after, in a thread.
    """

    def __init__(self, ledger: Ledger, key: ApiKey, month: str, resets: datetime) -> None:
        super().__init__(usd=key.usd_per_month)
        self.key, self.month, self.resets_at = key, month, resets
        self._ledger, self._owed = ledger, Used()
        self._known_at: float | None = None
        self._one = asyncio.Lock()
        self._writing: asyncio.Task[None] | None = None

    @property
    def idle(self) -> bool:
        """Nothing is under way, and the ledger knows all."""
        return not self._flying and self._owed == Used()

    def requested(self) -> None:
        """Count a request of the key's, whether it costs anything or not."""
        self._owe(Used(requests=1))

    async def reserve(self, usd: float) -> None:
        """Set `usd` aside. Raises MonthUsedUp where that does not fit, also beside what other
        processes have spent up to a second ago, or until the ledger was busy.
        """
        if self.usd is not None:
            await self._look()
        try:
            await super().reserve(usd)
        except BudgetReached as reached:
            raise self._used_up(usd) from reached

    def settle(
        self, reserved: float, reply: Reply | None, cost: float = 0.0, *, asked: bool = True
    ) -> None:
        """What a call has really cost; see Budget."""
        super().settle(reserved, reply, cost, asked=asked)
        tokens = reply.tokens_in + reply.tokens_out if reply else 0
        if tokens or cost:
            self._owe(Used(tokens=tokens, cost_usd=cost))

    async def settled(self) -> None:
        """Wait until the ledger knows all that was settled so far. Raises Unavailable where it does
        not take it.
        """
        if self._writing is not None:
            await asyncio.gather(self._writing, return_exceptions=True)
        if self._owed != Used():
            await self._pay()

    def _used_up(self, usd: float) -> MonthUsedUp:
        left = max(0.0, (self.usd or 0.0) - self.spent.cost_usd)
        return MonthUsedUp(
            f"the ${self.usd:g} a month of the key {self.key.name!r} are used up: ${left:.4f} are "
            f"left, and the next call may cost up to ${usd:.4f}; the next month begins at "
            f"{self.resets_at:%Y-%m-%d %H:%M} UTC",
            self.resets_at,
        )

    def _owe(self, added: Used) -> None:
        self._owed += added
        if self._writing is None or self._writing.done():
            self._writing = asyncio.get_running_loop().create_task(self._pay_patiently())

    async def _pay_patiently(self) -> None:
        """Until the ledger has taken all: what it does not know yet is kept, and counts here."""
        while self._owed != Used():
            try:
                await self._pay()
            except LlmopsError as error:
                log.warning("what key %s has spent waits for the ledger: %s", self.key.id, error)
                await asyncio.sleep(AGAIN_SECONDS)

    async def _pay(self) -> None:
        """Bring what is owed into the ledger; what comes meanwhile is owed still."""
        async with self._one:
            added = self._owed
            known = await asyncio.to_thread(_add, self._ledger, self.key.id, self.month, added)
            self._owed = _less(self._owed, added)
            self._learn(known)

    async def _look(self) -> None:
        """What others have spent, read again where that is a second ago. Nobody waits for a sum
        that is being written, once anything is known: it brings the news along.
        """
        if self._fresh() or (self._known_at is not None and self._one.locked()):
            return
        async with self._one:
            if not self._fresh():
                self._learn(await asyncio.to_thread(used, self._ledger, self.key.id, self.month))

    def _fresh(self) -> bool:
        return self._known_at is not None and time.monotonic() - self._known_at < FRESH_SECONDS

    def _learn(self, known: Used) -> None:
        total = known.cost_usd + self._owed.cost_usd
        self.spent = self.spent.model_copy(update={"cost_usd": total})
        self._known_at = time.monotonic()


def _less(owed: Used, written: Used) -> Used:
    left = owed.cost_usd - written.cost_usd
    return Used(
        requests=owed.requests - written.requests,
        tokens=owed.tokens - written.tokens,
        cost_usd=0.0 if owed == written else left,
    )


class MonthlyBudgets:
    """The budgets of all keys of one process and event loop. Months that are over and paid go."""

    def __init__(self, home: Path, clock: Callable[[], datetime] = now) -> None:
        self._home, self._clock = home, clock
        self._budgets: dict[tuple[str, str], KeyBudget] = {}

    def of(self, key: ApiKey | None) -> KeyBudget | None:
        """The budget of a key in the present month, for one request: it ends in the month that it
        began in. None for nobody's.
        """
        if key is None:
            return None
        at = self._clock()
        month = month_of(at)
        held = self._budgets.get((key.id, month))
        if held is None:
            self._budgets = {
                name: each
                for name, each in self._budgets.items()
                if name[1] == month or not each.idle
            }
            held = KeyBudget(open_ledger(self._home), key, month, resets_at(at))
            self._budgets[key.id, month] = held
        return held

    async def close(self) -> None:
        """Wait until the ledger knows everything."""
        for each in list(self._budgets.values()):
            await each.settled()
