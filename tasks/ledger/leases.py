"""One build per knowledge base at a time: a lease with owner and heartbeat, taken over when its
owner is gone. By hand: a lock of a file or of SQLite says nothing of an owner on another machine.
"""

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
from pydantic import BaseModel, ConfigDict
from sqlalchemy import Connection, Row, delete, select, update

from llmops.tasks import stopping
from llmops.tasks.errors import Blocked, LlmopsError
from llmops.tasks.ledger import Ledger, now, open_ledger, upsert
from llmops.tasks.ledger.tables import leases

EXPIRES = timedelta(seconds=30)
HEARTBEAT_SECONDS = 5.0
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 2.0


class Lease(BaseModel):
    """A reference to a lease: held while its owner writes, and confirmed inside each transaction
    that must not be stale.
    """

    model_config = ConfigDict(frozen=True)
    home: Path
    kb: str
    owner: str
    run_id: str | None = None

    def acquire(self) -> None:
        """Raise Blocked naming who holds the lease."""
        with open_ledger(self.home).write() as connection:
            held = connection.execute(select(leases).where(leases.c.kb == self.kb)).one_or_none()
            if held is not None and alive(held):
                raise busy(self.kb, describe(held))
            upsert(
                connection,
                leases,
                [
                    {
                        "kb": self.kb,
                        "owner": self.owner,
                        "host": socket.gethostname(),
                        "pid": os.getpid(),
                        "process_started": psutil.Process().create_time(),
                        "run_id": self.run_id,
                        "acquired_at": now(),
                        "heartbeat_at": now(),
                    }
                ],
            )

    def confirm(self, connection: Connection) -> None:
        """Raise LlmopsError when the lease is no longer ours: the transaction around it must not
        commit.
        """
        mine = (leases.c.kb == self.kb) & (leases.c.owner == self.owner)
        if connection.execute(update(leases).where(mine).values(heartbeat_at=now())).rowcount != 1:
            raise LlmopsError(
                f"the lease on {self.kb!r} was taken over by another build",
                hint="this build has changed nothing; run it again",
            )

    def release(self) -> None:
        with open_ledger(self.home).write() as connection:
            connection.execute(
                delete(leases).where((leases.c.kb == self.kb) & (leases.c.owner == self.owner))
            )

    def beat(self) -> None:
        with open_ledger(self.home).write() as connection:
            self.confirm(connection)


@contextmanager
def hold(
    home: Path, kb: str, run_id: str | None = None, wait_seconds: float = 0
) -> Iterator[Lease]:
    """Hold the lease of a knowledge base, with a heartbeat in the background. Raises Blocked when
    another build holds it.
    """
    owner = f"{socket.gethostname()}:{os.getpid()}:{threading.get_ident()}:{time.time_ns()}"
    lease = Lease(home=home, kb=kb, owner=owner, run_id=run_id)
    _acquire(lease, time.monotonic() + wait_seconds)
    done = threading.Event()
    heart = threading.Thread(
        target=_beat_until, args=(lease, done), name=f"lease of {kb}", daemon=True
    )
    heart.start()
    stopping.LAST[owner] = lease.release
    try:
        yield lease
    finally:
        done.set()
        heart.join()
        lease.release()
        del stopping.LAST[owner]


def _acquire(lease: Lease, deadline: float) -> None:
    pause = FIRST_PAUSE
    while True:
        try:
            return lease.acquire()
        except Blocked:
            if (left := deadline - time.monotonic()) <= 0:
                raise
            time.sleep(min(pause, left))
            pause = min(1.5 * pause, LONGEST_PAUSE)


def _beat_until(lease: Lease, done: threading.Event) -> None:
    while not done.wait(HEARTBEAT_SECONDS):
        try:
            lease.beat()
        except LlmopsError:
            continue  # a busy ledger: the next beat comes, and `confirm` decides at publish


def alive(held: Row[tuple[object, ...]]) -> bool:
    """Whether the owner still lives: by its process on this host, by its heartbeat elsewhere."""
    if held.host == socket.gethostname():
        try:
            process = psutil.Process(held.pid)
            same = abs(process.create_time() - held.process_started) < 1
            return bool(
                same and process.status() != psutil.STATUS_ZOMBIE
            )  # a dead one that nobody has asked for its exit code
        except psutil.NoSuchProcess:
            return False
    return now() - aware(held.heartbeat_at) < EXPIRES


def busy(kb: str, who: str) -> Blocked:
    """What a second build is told."""
    return Blocked(
        f"another build of {kb!r} is running: {who}",
        hint="wait for it to end (`llmops index --wait SECONDS` waits for you)",
        where=kb,
    )


def describe(held: Row[tuple[object, ...]]) -> str:
    run = f", Prefect run {held.run_id}" if held.run_id else ""
    return (
        f"process {held.pid} on {held.host} since {aware(held.acquired_at):%Y-%m-%d %H:%M:%S} "
        f"UTC{run}"
    )


def aware(moment: datetime) -> datetime:
    """SQLite forgets the time zone; the ledger writes UTC."""
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def holder(ledger: Ledger, kb: str) -> str | None:
    """Who is building now, in words; None when nobody is."""
    with ledger.read() as connection:
        held = connection.execute(select(leases).where(leases.c.kb == kb)).one_or_none()
    return describe(held) if held is not None and alive(held) else None


def building_run(ledger: Ledger, kb: str) -> str | None:
    """The flow run that is building now; None where nobody is, or outside of a run."""
    with ledger.read() as connection:
        held = connection.execute(select(leases).where(leases.c.kb == kb)).one_or_none()
    return held.run_id if held is not None and alive(held) else None
