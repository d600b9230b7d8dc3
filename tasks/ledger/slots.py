"""Which run of a schedule covers which of its times: a run that begins covers every time until
then, so that of late, doubled or piled up runs one works and the others pass.
"""

import os
import socket
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import psutil
from sqlalchemy import select

from llmops.tasks.ledger import Ledger, now, upsert
from llmops.tasks.ledger.leases import aware
from llmops.tasks.ledger.tables import slots

AHEAD = timedelta(hours=1)
"""By which the clock of a server may be ahead of ours."""


class Covered(NamedTuple):
    """The run that a time belongs to already."""

    run_id: str
    began: datetime


def claim(
    ledger: Ledger, flow: str, name: str, run_id: str, expected: datetime | None
) -> Covered | None:
    """Begin a run of a deployment; or say which run covers its time. `expected`: by its schedule;
    None for a run that somebody started, which always begins.
    """
    at = (slots.c.flow == flow) & (slots.c.name == name)
    with ledger.write() as connection:
        held = connection.execute(select(slots).where(at)).one_or_none()
        if held is not None and held.run_id != run_id and expected is not None:
            began = aware(held.began_at)
            ahead = began > now() + AHEAD  # of a clock that has been set right since
            if expected.astimezone(UTC) <= began and not ahead:
                return Covered(held.run_id, began)
        # a server's clock may be ahead of ours: the run covers its own time in any case
        row = {
            "flow": flow,
            "name": name,
            "run_id": run_id,
            "began_at": max(now(), expected.astimezone(UTC)) if expected else now(),
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "process_started": psutil.Process().create_time(),
        }
        upsert(connection, slots, [row])
    return None


def overtaken(ledger: Ledger, flow: str, name: str, run_id: str) -> Covered | None:
    """The run that has begun after this one, which therefore covers its time; None where this one
    was the last to begin.
    """
    at = (slots.c.flow == flow) & (slots.c.name == name)
    with ledger.read() as connection:
        held = connection.execute(select(slots).where(at)).one_or_none()
    return Covered(held.run_id, aware(held.began_at)) if held and held.run_id != run_id else None


def here_and_alive(ledger: Ledger, run_id: str) -> bool | None:
    """Whether the process of a run lives; None where it did not begin on this machine."""
    with ledger.read() as connection:
        held = connection.execute(select(slots).where(slots.c.run_id == run_id)).one_or_none()
    if held is None or held.host != socket.gethostname():
        return None
    try:
        process = psutil.Process(held.pid)
        same = abs(process.create_time() - held.process_started) < 1
        return bool(same and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
