"""What was paid, by day, flow, config and model. It is written in the transaction that keeps what
was paid for, and stays when that is erased.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import date, datetime
from typing import NamedTuple

from sqlalchemy import Connection, func, select

from llmops.tasks.ledger import Ledger, now
from llmops.tasks.ledger.databases import storable
from llmops.tasks.ledger.tables import costs
from llmops.tasks.texts.charset import mended

KEYS = ("day", "flow", "name", "model")
SUMMED = ("calls", "tokens", "cost_usd", "unpriced", "unpriced_tokens")


class Payer(NamedTuple):
    """For whom is paid: a flow, and the name of its config (of a knowledge base, an evaluation, an
    application).
    """

    flow: str = ""
    name: str = ""


class CostEntry(NamedTuple):
    """A request that was paid. `model`: as services call it; `tokens`: in and out, as counted or
    estimated; `cost_usd`: US dollars by the price that was known; `priced`: whether one was.
    """

    payer: Payer
    model: str
    tokens: int
    cost_usd: float
    priced: bool = True


class DayCost(NamedTuple):
    """`day`: of UTC, as 2026-11-29; "" for flow, name and model: nobody wrote it down then.
    `unpriced`, `unpriced_tokens`: calls whose price nobody knew, and their tokens; they are in
    `calls` and `tokens`, and not in `cost_usd`.
    """

    day: str
    flow: str
    name: str
    model: str
    calls: int
    tokens: int
    cost_usd: float
    unpriced: int = 0
    unpriced_tokens: int = 0


Sums = dict[tuple[str, ...], list[float]]
"""By day, flow, name and model, the numbers of `SUMMED`."""


def book(connection: Connection, entries: Iterable[CostEntry], at: datetime | None = None) -> None:
    """Add to what was paid on the day, in the caller's transaction, one of `Ledger.write`."""
    from sqlalchemy.dialects import postgresql, sqlite

    day = f"{at or now():%Y-%m-%d}"
    sums = _none()
    for entry in entries:
        without = (0, 0) if entry.priced else (1, entry.tokens)
        _add(sums[_key(day, entry)], (1, entry.tokens, entry.cost_usd, *without))
    if not sums:
        return
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    statement = insert(costs)
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=[*KEYS],
            set_={name: costs.c[name] + statement.excluded[name] for name in SUMMED},
        ),
        [dict(zip(costs.c.keys(), (*key, *sums[key]), strict=True)) for key in sorted(sums)],
    )


def _key(day: str, entry: CostEntry) -> tuple[str, ...]:
    """As PostgreSQL takes it: what cannot be noted would take what was paid for along."""
    texts = (day, *entry.payer, entry.model)
    longest = [int(getattr(costs.c[name].type, "length", 0)) for name in KEYS]
    return tuple(
        mended(str(storable(text)))[:most] for text, most in zip(texts, longest, strict=True)
    )


def booked(ledger: Ledger, since: date | None = None, until: date | None = None) -> list[DayCost]:
    """By day, the oldest first. `since`, `until`: both included."""
    query = select(costs).order_by(*costs.primary_key.columns)
    query = query.where(costs.c.day >= f"{since:%Y-%m-%d}") if since else query
    query = query.where(costs.c.day <= f"{until:%Y-%m-%d}") if until else query
    with ledger.read() as connection:
        return [DayCost(*row) for row in connection.execute(query)]


def paid_since(ledger: Ledger, since: date) -> tuple[float, int]:
    """US dollars, and how many requests that was."""
    query = select(func.sum(costs.c.cost_usd), func.sum(costs.c.calls))
    with ledger.read() as connection:
        usd, count = connection.execute(query.where(costs.c.day >= f"{since:%Y-%m-%d}")).one()
    return float(usd or 0.0), int(count or 0)


def summed(rows: Iterable[DayCost], by: Collection[str]) -> Iterator[DayCost]:
    """Added up over all that is not in `by`, whose other columns are "". In the order of `by`."""
    sums = _none()
    for row in rows:
        total = sums[tuple(getattr(row, each) if each in by else "" for each in KEYS)]
        _add(total, [getattr(row, each) for each in SUMMED])
    for key in sorted(sums):
        calls, tokens, usd, unpriced, unpriced_tokens = sums[key]
        day, flow, name, model = key
        counts = (int(calls), int(tokens), usd, int(unpriced), int(unpriced_tokens))
        yield DayCost(day, flow, name, model, *counts)


def _none() -> Sums:
    return defaultdict(lambda: [0, 0, 0.0, 0, 0])


def _add(total: list[float], numbers: Sequence[float]) -> None:
    total[:] = [one + more for one, more in zip(total, numbers, strict=True)]
