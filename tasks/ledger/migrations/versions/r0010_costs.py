"""What was paid, by day, flow, config and model."""

import math
from collections import defaultdict

import sqlalchemy as sa
from alembic import op

revision, down_revision = "0010", "0009"
branch_labels = depends_on = None


def upgrade() -> None:
    costs = op.create_table(
        "costs",
        sa.Column("day", sa.String(10), primary_key=True),
        sa.Column("flow", sa.String(16), primary_key=True),
        sa.Column("name", sa.String(63), primary_key=True),
        sa.Column("model", sa.String(200), primary_key=True),
        sa.Column("calls", sa.BigInteger(), nullable=False),
        sa.Column("tokens", sa.BigInteger(), nullable=False),
        sa.Column("cost_usd", sa.Float(), nullable=False),
    )
    rows = _earlier(op.get_bind())
    if rows:
        op.bulk_insert(costs, rows)


def _earlier(connection: sa.Connection) -> list[dict[str, object]]:
    """What the ledger still knows: remembered replies by the day on which they were paid, and
    builds by their outcomes, which hold what they asked of documents.
    """
    calls = sa.table("calls", *map(sa.column, ("owner", "reply", "tokens", "cost_usd")))
    at = sa.column("created_at", sa.DateTime(timezone=True))
    runs = sa.table("runs", sa.column("kb"), sa.column("outcome", sa.JSON()))
    ended = sa.column("finished_at", sa.DateTime(timezone=True))
    paid: dict[tuple[str, str, str], list[tuple[int, int, float]]] = defaultdict(list)
    query = sa.select(calls.c.tokens, calls.c.cost_usd, at).select_from(calls)
    for row in connection.execute(query.where((calls.c.owner == "") | (calls.c.reply == ""))):
        paid[f"{row.created_at:%Y-%m-%d}", "", ""].append((1, row.tokens, row.cost_usd))
    for row in connection.execute(sa.select(runs.c.kb, runs.c.outcome, ended).select_from(runs)):
        usd = float(row.outcome.get("cost_usd") or 0)
        if row.outcome.get("flow") == "index" and usd:
            tokens = int(row.outcome.get("tokens") or 0)
            paid[f"{row.finished_at:%Y-%m-%d}", "index", row.kb].append((1, tokens, usd))
    return [
        {
            "day": day,
            "flow": flow,
            "name": name,
            "model": "",
            "calls": sum(each[0] for each in rows),
            "tokens": sum(each[1] for each in rows),
            "cost_usd": math.fsum(each[2] for each in rows),
        }
        for (day, flow, name), rows in sorted(paid.items())
    ]
