"""Runs that nobody works on any more, though they never ended: their process was killed, or the
machine started again.
"""

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import select

from llmops.tasks.alerts.history import Name
from llmops.tasks.ledger import Ledger
from llmops.tasks.ledger.leases import alive, aware
from llmops.tasks.ledger.slots import here_and_alive
from llmops.tasks.ledger.tables import leases, runs, slots


class CutRun(NamedTuple):
    """A run without an end. `run_id`: "" where nobody wrote it down."""

    of: Name
    run_id: str
    began: datetime


class Begun(NamedTuple):
    """What the ledger says of runs that began: when the last of each config did, which of them were
    cut, and which go on.
    """

    last: dict[Name, datetime]
    cut: list[CutRun]
    running: set[Name]


def begun(ledger: Ledger) -> Begun:
    """Of runs of deployments, which claim their slot, and of builds, which hold a lease. A night
    that was cut stands for the build that it was at.
    """
    with ledger.read() as connection:
        claimed = connection.execute(select(slots)).all()
        held = connection.execute(select(leases)).all()
        ids = [row.run_id for row in claimed]
        ended = set(connection.scalars(select(runs.c.id).where(runs.c.id.in_(ids))))
    last = {(row.flow, row.name): aware(row.began_at) for row in claimed}
    cut, running, processes = [], set[Name](), set[tuple[str, int, float]]()
    for row in claimed:
        here = here_and_alive(ledger, row.run_id)
        if row.run_id not in ended and here:
            running.add((row.flow, row.name))
        elif row.run_id not in ended and here is False:
            cut.append(CutRun((row.flow, row.name), row.run_id, aware(row.began_at)))
            processes.add((row.host, row.pid, row.process_started))
    for row in held:
        of, at = ("index", row.kb), aware(row.acquired_at)
        last[of] = max(at, last.get(of, at))
        if alive(row):
            running.add(of)
        elif (row.host, row.pid, row.process_started) not in processes:
            cut.append(CutRun(of, row.run_id or "", at))
    return Begun(last, cut, running)


def without(cut: Collection[CutRun], ids: Collection[str]) -> list[CutRun]:
    """Those whose end is known from elsewhere are left out."""
    return [each for each in cut if each.run_id not in ids]
