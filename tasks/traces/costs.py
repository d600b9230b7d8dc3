"""Whether the costs on traces are those of the calls in the ledger: they are written apart, and
have to come to the same.
"""

import math
from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict
from sqlalchemy import func, select

from llmops.tasks.ledger import existing_ledger
from llmops.tasks.ledger.application import traces
from llmops.tasks.ledger.tables import calls
from llmops.tasks.traces.trace import PREFIX

TOLERANCE = 1e-9


class CostDifference(BaseModel):
    """A trace whose cost is not the sum of its calls."""

    model_config = ConfigDict(frozen=True)
    trace_id: str
    trace_usd: float
    calls_usd: float


class CostCheck(BaseModel):
    """The sums over the traces of an application, and over the calls that those traces own."""

    model_config = ConfigDict(frozen=True)
    traces: int
    traces_usd: float
    calls_usd: float
    differences: tuple[CostDifference, ...]

    @property
    def ok(self) -> bool:
        return not self.differences


def differences(home: Path, app: str, since: datetime | None = None) -> CostCheck:
    """Compare them, trace by trace, those that were deleted or not kept included."""
    owner = func.substr(traces.c.id, len(PREFIX) + 1)
    paid = func.coalesce(func.sum(calls.c.cost_usd), 0.0)
    query = (
        select(traces.c.id, traces.c.cost_usd, paid)
        .join(calls, calls.c.owner == owner, isouter=True)
        .where(traces.c.app == app, traces.c.status != "open")
        .group_by(traces.c.id, traces.c.cost_usd)
        .order_by(traces.c.id)
    )
    query = query.where(traces.c.began_at >= since) if since else query
    with existing_ledger(home).read() as connection:
        rows = [(key, float(cost), float(sum_)) for key, cost, sum_ in connection.execute(query)]
    return CostCheck(
        traces=len(rows),
        traces_usd=math.fsum(cost for _, cost, _ in rows),
        calls_usd=math.fsum(sum_ for _, _, sum_ in rows),
        differences=tuple(
            CostDifference(trace_id=key, trace_usd=cost, calls_usd=sum_)
            for key, cost, sum_ in rows
            if abs(cost - sum_) > TOLERANCE
        ),
    )
