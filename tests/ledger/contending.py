"""What other processes do to a ledger in tests. It imports no more than that: each of them starts
afresh.
"""

import multiprocessing
import os
import time
from pathlib import Path

from sqlalchemy import select, update

from llmops.tasks.errors import Blocked
from llmops.tasks.ledger import leases, open_ledger
from llmops.tasks.ledger.tables import knowledge_bases


def count(home: Path, times: int) -> None:
    """Count one up, so many times, each in a transaction."""
    for _ in range(times):
        with open_ledger(home).write() as connection:
            connection.execute(
                update(knowledge_bases).values(next_version=knowledge_bases.c.next_version + 1)
            )


def die_with_lease(home: Path) -> None:
    leases.Lease(home=home, kb="kb", owner="soon dead").acquire()
    os._exit(9)


def contend(home: Path, results: "multiprocessing.Queue[str]") -> None:
    """Take the lease, count one up without a transaction around it: two at once would lose one."""
    try:
        with leases.hold(home, "kb"):
            with open_ledger(home).read() as connection:
                number = connection.execute(select(knowledge_bases.c.next_version)).scalar_one()
            time.sleep(0.05)
            with open_ledger(home).write() as connection:
                connection.execute(update(knowledge_bases).values(next_version=number + 1))
        results.put("held")
    except Blocked:
        results.put("busy")
