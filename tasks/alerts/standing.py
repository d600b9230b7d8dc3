"""How things stand now, from the ledger and the disk: knowledge bases, money, room."""

import os
import shutil
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Connection, func, select

from llmops.tasks.errors import Unavailable, UsageError
from llmops.tasks.ledger.leases import aware
from llmops.tasks.ledger.tables import costs, knowledge_bases, listings, quarantine, versions
from llmops.tasks.traces.spool import ENTRY, FOLDER

BUDGET = "LLMOPS_MONTHLY_BUDGET_USD"
GB = 1e9
NOT_WRONG = "NearDuplicate"
"""What is kept among the failures, and is none."""


def of_base(connection: Connection, metric: str, name: str, at: datetime) -> float:
    """Raises UsageError for a base that is not there or has not been built."""
    live = connection.scalar(select(knowledge_bases.c.live).where(knowledge_bases.c.name == name))
    if live is None:
        raise UsageError(f"the knowledge base {name!r} has no live version")
    return BASES[metric](connection, name, live, at)


def _freshness(connection: Connection, name: str, live: int, at: datetime) -> float:
    """Hours since the source that was listed completely the longest ago was."""
    del live
    times = list(connection.scalars(select(listings.c.completed_at).where(listings.c.kb == name)))
    if not times:
        raise UsageError(f"no source of {name!r} was ever listed completely")
    return max(0.0, (at - min(aware(each) for each in times)).total_seconds() / 3600)


def _quarantined(connection: Connection, name: str, live: int, at: datetime) -> float:
    del live, at
    wrong = (quarantine.c.kb == name) & (quarantine.c.error != NOT_WRONG)
    return float(connection.scalar(select(func.count()).where(wrong)) or 0)


def _documents(connection: Connection, name: str, live: int, at: datetime) -> float:
    del at
    mine = (versions.c.kb == name) & (versions.c.version == live)
    return float(connection.scalar(select(versions.c.documents).where(mine)) or 0)


def of_home(connection: Connection, metric: str, home: Path, at: datetime) -> float:
    """Raises Unavailable where the disk cannot be asked, UsageError where there is no budget."""
    return HOMES[metric](connection, home, at)


def _spool(connection: Connection, home: Path, at: datetime) -> float:
    """Traces on the disk that wait for MLflow."""
    del connection, at
    return float(sum(1 for _ in (home / FOLDER).glob(f"*/*{ENTRY}")))


def _month(connection: Connection, home: Path, at: datetime) -> float:
    """What was paid since the month began (UTC), by all flows."""
    del home
    since = f"{at.astimezone(UTC):%Y-%m}-01"
    paid = select(func.sum(costs.c.cost_usd)).where(costs.c.day >= since)
    return float(connection.scalar(paid) or 0.0)


def _month_share(connection: Connection, home: Path, at: datetime) -> float:
    try:
        budget = float(os.environ.get(BUDGET, ""))
    except ValueError:
        budget = 0.0
    if budget <= 0:
        raise UsageError(f"there is no budget to compare with: set {BUDGET}")
    return _month(connection, home, at) / budget


def _free(home: Path) -> tuple[float, float]:
    """Bytes that are free, and their share, where the home is or will be."""
    there = next(each for each in (home, *home.parents) if each.exists())
    try:
        usage = shutil.disk_usage(there)
    except OSError as error:
        raise Unavailable(f"the disk of {home} cannot be asked: {error.strerror}") from error
    return float(usage.free), usage.free / usage.total if usage.total else 0.0


BASES: Mapping[str, Callable[[Connection, str, int, datetime], float]] = {
    "freshness_hours": _freshness,
    "quarantined": _quarantined,
    "documents": _documents,
}
HOMES: Mapping[str, Callable[[Connection, Path, datetime], float]] = {
    "spool_waiting": _spool,
    "month_usd": _month,
    "month_share": _month_share,
    "disk_free_gb": lambda _, home, __: _free(home)[0] / GB,
    "disk_free_share": lambda _, home, __: _free(home)[1],
}
